// The program image against the pods that use it, and the programs' names against all that calls them.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CHECKS, calledNames } from "../../../../boot-assets/image/kubernetes/check.ts";
import { kubernetesTree } from "../../../../boot-assets/image/kubernetes/files.ts";
import { pauseArchive, programArchive } from "../../../../boot-assets/image/kubernetes/images.ts";
import { PROGRAMS } from "../../../../boot-assets/image/kubernetes/programs.ts";
import { readTar } from "../../../../boot-assets/image/tar.ts";
import { resolvePath } from "../../../../boot-assets/image/tree.ts";
import { coreDnsObjects } from "../../../../server/contract/kubernetes/core-dns.ts";
import { flannelObjects } from "../../../../server/contract/kubernetes/flannel.ts";
import { kubeProxyObjects } from "../../../../server/contract/kubernetes/kube-proxy.ts";
import { NODE_PATHS, programImage, SANDBOX_IMAGE } from "../../../../server/contract/kubernetes/node-paths.ts";
import { staticPods } from "../../../../server/contract/kubernetes/static-pod.ts";
import { controlPlane, facts } from "../../../server/contract/kubernetes/sample.ts";

const FEW_KB = 20_000;
const source = (name: string) => readFileSync(`boot-assets/image/kubernetes/programs/kubernetes/${name}`, "utf8");
const archives = new Map([["pause.tar", Buffer.from("p")]]);
const tree = kubernetesTree(new Map(PROGRAMS.map(({ target }) => [target, Buffer.from(target)])), archives);

type Container = { image: string; command: string[]; volumeMounts: { mountPath: string }[] };
type Spec = { containers: Container[] };
type PodLike = { spec: Spec & { template?: { spec: Spec } } };
const CONFIG = controlPlane();
const containers = [
  ...staticPods(CONFIG, facts(), "192.0.2.7"),
  ...coreDnsObjects(CONFIG, facts()),
  ...flannelObjects(CONFIG, facts()),
  ...kubeProxyObjects(CONFIG, facts()),
]
  .filter(({ kind }) => ["Pod", "Deployment", "DaemonSet"].includes(kind))
  .flatMap((each) => {
    const { spec } = each as unknown as PodLike;
    return (spec.template?.spec ?? spec).containers;
  });

function layerOf(archive: Uint8Array): Map<string, { kind: string; target: string }> {
  const blobs = [...readTar(archive)].filter(({ path }) => /^blobs\/sha256\/./.test(path));
  const layer = blobs.find(({ bytes }) => bytes[0] !== "{".charCodeAt(0))!;
  return new Map([...readTar(layer.bytes)].map((entry) => [entry.path.replace(/\/$/, ""), entry]));
}

test("both images are a few kB and named as the nodes' configs name them", () => {
  const program = programArchive("amd64");
  expect(program.length).toBeLessThan(FEW_KB);
  expect(Buffer.from(program).toString("latin1")).toContain(`"${programImage(facts().kubernetesVersion)}"`);
  const pause = pauseArchive("amd64", Buffer.from("program"));
  expect(pause.length).toBeLessThan(FEW_KB);
  expect(Buffer.from(pause).toString("latin1")).toContain(`"${SANDBOX_IMAGE}"`);
  expect([...layerOf(pause).keys()]).toEqual(["pause"]);
});

test("six pods' containers use the program image; the directory of each one's command is in it", () => {
  const inside = layerOf(programArchive("amd64"));
  expect(containers).toHaveLength(6);
  for (const { image, command } of containers) {
    expect(image).toBe(programImage(facts().kubernetesVersion));
    const directory = command[0]!.slice(1, command[0]!.lastIndexOf("/"));
    expect(inside.get(directory)?.kind).toBe("dir");
  }
});

test("no program is mounted below a read-only mount of another volume", () => {
  for (const { command, volumeMounts } of containers) {
    const above = volumeMounts.filter(({ mountPath }) => command[0]!.startsWith(`${mountPath}/`));
    expect(above).toEqual([]);
  }
});

test("every command of a pod is a name that the program knows", () => {
  const known = [...source("main.go").matchAll(/^\t"([a-z-]+)": /gm)].map((m) => m[1]!);
  const called = containers.map(({ command }) => command[0]!.split("/").at(-1)!);
  expect(called.filter((name) => !known.includes(name))).toEqual([]);
  const kubernetes = calledNames().filter((name) => known.includes(name));
  // The balancer is asked for no version: it is of this repository.
  expect([...kubernetes, "slipway-balancer"].sort()).toEqual(known.sort());
});

test("the check asks every name", () => {
  expect(CHECKS.map(({ name }) => name).sort()).toEqual(calledNames().sort());
});

test("every link leads to its program; NODE_PATHS' programs are there", () => {
  for (const { path, links } of PROGRAMS) {
    for (const link of links) expect(resolvePath(tree, link)).toBe(path.slice(1));
  }
  const { kubernetesProgram, coreDnsProgram, flannelProgram, cniPlugins } = NODE_PATHS;
  for (const path of [kubernetesProgram, coreDnsProgram, flannelProgram, `${cniPlugins}/bridge`]) {
    expect(tree.get(resolvePath(tree, path)!)?.kind).toBe("file");
  }
  expect(tree.get("usr/lib/slipway/images/pause.tar")).toMatchObject({ kind: "file", mode: 0o644 });
});

test("CoreDNS has the plugins that the Corefile names", () => {
  const object = coreDnsObjects(CONFIG, facts()).find(({ kind }) => kind === "ConfigMap")!;
  const corefile = (object.data as { Corefile: string }).Corefile;
  const named = [...corefile.matchAll(/^ {4}([a-z]+)/gm)].map((m) => (m[1] === "prometheus" ? "metrics" : m[1]!));
  const linked = [...source("coredns.go").matchAll(/coredns\/plugin\/([a-z]+)"/g)].map((m) => m[1]!);
  expect([...new Set(named)].sort()).toEqual(linked.sort());
});

test("flanneld knows the flags that its pod gives", () => {
  const { command } = containers.find((each) => each.command[0]!.endsWith("/flanneld"))!;
  for (const flag of command.slice(1)) expect(source("flanneld.go")).toContain(`"${flag.replaceAll(/^--|=.*$/g, "")}"`);
});
