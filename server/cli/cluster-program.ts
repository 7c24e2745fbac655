// The commands for clusters, their options and examples; program.ts adds them to its own.
import type { Command } from "commander";
import type { ApplyOptions } from "./apply-commands.ts";
import type { CreateOptions, StatusOptions } from "./cluster-commands.ts";
import { client, examples } from "./command-parts.ts";
import type { ImageImportOptions } from "./image-commands.ts";
import type { KubeconfigOptions } from "./kubeconfig-commands.ts";
import type { CommonOptions } from "./output.ts";

export function addClusterCommands(program: Command): void {
  const cluster = program
    .command("cluster")
    .summary("make clusters, and see how they are")
    .description("Makes clusters, and shows how they are. Machines join one by their role (`slipway set`).");
  addCreate(cluster);
  addStatus(cluster);
  addEnds(cluster);
  addApply(program);
  addConfig(program);
  addKubeconfig(program);
  addKubectl(program);
  addImages(program);
}

function addCreate(cluster: Command): void {
  client(cluster.command("create").summary("make a cluster").argument("<name>", "such as rack1"))
    .description(
      "Makes a cluster: its secrets, and its endpoint, an address beside the DHCP pool that no machine has. The control plane holds it later, so that one node can become three without new certificates.",
    )
    .option("--endpoint <ip>", "this address, or a host name, instead of a chosen one")
    .option("--single", "pods may run on the control plane: for a cluster of one machine")
    .addHelpText(
      "after",
      examples("slipway cluster create rack1", "slipway cluster create rack1 --endpoint 192.0.2.99 --single"),
    )
    .action(async (name: string, options: CreateOptions) => {
      const { runClusterCreate } = await import("./cluster-commands.ts");
      await runClusterCreate(name, options);
    });
}

function addStatus(cluster: Command): void {
  client(cluster.command("list").summary("all clusters"))
    .description("Lists all clusters, each with its one line.")
    .addHelpText("after", examples("slipway cluster list", "slipway cluster list -o json"))
    .action(async (options: CommonOptions) => {
      const { runClusterList } = await import("./cluster-commands.ts");
      await runClusterList(options);
    });
  client(
    cluster
      .command("status")
      .summary("how a cluster is, and what is missing")
      .argument("[name]", "of the cluster; the only one if left out"),
  )
    .description(
      "Shows endpoint, etcd, nodes, machines that are no nodes yet, and pods that no node may take. Exit code 0 only when the cluster is whole.",
    )
    .option("--wait", "wait until it is whole, saying what is missing")
    .option("--timeout <time>", "wait at most so long: 90s, 10m, 1h", "1h")
    .addHelpText("after", examples("slipway cluster status", "slipway cluster status rack1 --wait --timeout 30m"))
    .action(async (name: string | undefined, options: StatusOptions) => {
      const { runClusterStatus } = await import("./cluster-commands.ts");
      await runClusterStatus(name, options);
    });
}

function addEnds(cluster: Command): void {
  client(cluster.command("delete").summary("forget a cluster").argument("<name>"))
    .description("Forgets a cluster that has no installed machines. Its sealed secrets are moved aside, not wiped.")
    .option("--yes", "do not ask")
    .addHelpText("after", examples("slipway cluster delete rack1"))
    .action(async (name: string, options: CommonOptions & { yes?: boolean }) => {
      const { runClusterDelete } = await import("./cluster-commands.ts");
      await runClusterDelete(name, options);
    });
  client(cluster.command("bootstrap").summary("permit a lost cluster to begin anew").argument("<name>"))
    .description(
      "A cluster begins by itself, exactly once. When its data is gone for good, or nobody can tell, a person permits one new beginning here; it is in the audit log.",
    )
    .requiredOption("--new-data", "the old data is given up")
    .option("--yes", "do not ask")
    .addHelpText("after", examples("slipway cluster bootstrap rack1 --new-data"))
    .action(async (name: string, options: CommonOptions & { yes?: boolean }) => {
      const { runClusterBootstrap } = await import("./cluster-commands.ts");
      await runClusterBootstrap(name, options);
    });
}

function addApply(program: Command): void {
  client(program.command("apply").summary("create and change clusters, roles and machines from files"))
    .description(
      "Reads Cluster, Role and Machine documents (YAML) and writes all of them or none; docs/clusters.md describes them. What no file names stays as it is.",
    )
    .requiredOption("-f, --file <path...>", "a file, a directory whose .yaml files are read, or - for standard input")
    .option("--dry-run", "show what would change")
    .addHelpText("after", examples("slipway apply -f site/ --dry-run", "slipway apply -f rack1.yaml"))
    .action(async (options: ApplyOptions) => {
      const { runApply } = await import("./apply-commands.ts");
      await runApply(options);
    });
}

function addConfig(program: Command): void {
  client(
    program
      .command("config")
      .summary("a machine's config, as it would be given out")
      .argument("<machine>", "MAC, name or beginning of the id"),
    ["yaml", "json"],
    "yaml",
  )
    .description("Shows the machine config that the machine would be given now, with its secrets masked.")
    .addHelpText("after", examples("slipway config web1", "slipway config 52:54:00:12:34:56 -o json"))
    .action(async (ref: string, options: CommonOptions) => {
      const { runConfig } = await import("./apply-commands.ts");
      await runConfig(ref, options);
    });
}

function addKubeconfig(program: Command): void {
  client(
    program
      .command("kubeconfig")
      .summary("an administrator's way into a cluster")
      .argument("[name]", "of the cluster; the only one if left out"),
    ["yaml"],
    "yaml",
  )
    .description(
      "Makes a fresh administrator's certificate and merges it into the kubeconfig file ($KUBECONFIG, else ~/.kube/config), as kubectl would. The file holds a private key: only its owner may read it.",
    )
    .option("--merge", "merge it into that file (this is what happens without an option, too)")
    .option("--stdout", "print it instead")
    .option("--file <path>", "merge it into this file instead")
    .option("--lifetime <time>", "of the certificate: 8h, 30d", "365d")
    .option("--force-context-name <name>", "name of the context, whatever the file has under it")
    .option("--server <url>", "a way to the API server past the endpoint, such as a forwarded port")
    .option("--tls-server-name <name>", "name in the server's certificate that is expected then")
    .addHelpText(
      "after",
      examples(
        "slipway kubeconfig",
        "slipway kubeconfig rack1 --lifetime 8h --force-context-name rack1",
        "slipway kubeconfig --stdout --server https://127.0.0.1:16443 > kubeconfig",
      ),
    )
    .action(async (name: string | undefined, options: KubeconfigOptions) => {
      const { runKubeconfig } = await import("./kubeconfig-commands.ts");
      await runKubeconfig(name, options);
    });
}

/** For the help alone: run-cli.ts hands the whole rest of the line to kubectl. */
function addKubectl(program: Command): void {
  program
    .command("kubectl")
    .summary("kubectl, as built for the OS image")
    .argument("[argument...]", "kubectl's own")
    .description(
      "Runs the kubectl that was built with the OS image. Without KUBECONFIG it speaks to the only cluster of this appliance (found by SLIPWAY_SOCKET or slipway.yaml).",
    )
    .addHelpText("after", examples("slipway kubectl get nodes", "slipway kubectl -n kube-system get pods -o wide"))
    .action(() => {});
}

function addImages(program: Command): void {
  const images = program
    .command("images")
    .summary("container images that nodes pull from the appliance")
    .description(
      "Keeps container images on the appliance, for nodes without a way out: every node asks here first (registry mirror of its config).",
    );
  client(
    images
      .command("import")
      .summary("import an archive")
      .argument("<file>", "of docker save, podman save, or an OCI layout as tar"),
  )
    .description("Imports the images of an archive: a docker-archive or an OCI layout, also compressed by gzip.")
    .option("--name <image>", "name of the image, where the archive has one image")
    .addHelpText(
      "after",
      examples("slipway images import web.tar", "slipway images import web.tar --name registry.example.org/web:1.2"),
    )
    .action(async (file: string, options: ImageImportOptions) => {
      const { runImageImport } = await import("./image-commands.ts");
      await runImageImport(file, options);
    });
  client(images.command("list").summary("all imported images"))
    .description("Lists the images that nodes may pull from here.")
    .addHelpText("after", examples("slipway images list"))
    .action(async (options: CommonOptions) => {
      const { runImageList } = await import("./image-commands.ts");
      await runImageList(options);
    });
  client(images.command("delete").summary("delete an image").argument("<image>", "its name"))
    .description("Deletes an image from the appliance. Nodes that run it keep it.")
    .addHelpText("after", examples("slipway images delete registry.example.org/web:1.2"))
    .action(async (name: string, options: CommonOptions) => {
      const { runImageDelete } = await import("./image-commands.ts");
      await runImageDelete(name, options);
    });
}
