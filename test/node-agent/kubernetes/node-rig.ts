// A cluster of container nodes that run only this room: real Kubernetes, etcd and containerd out of the full image, configs
// as the appliance renders them, one bridge between them, no way out. Used by nodes.integration.test.ts. Needs root and a
// full image (`npm run assets`).
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { ClusterOrders, NodeStatus } from "../../../server/contract/generated/agent.ts";
import { type Container, makeContainer } from "../../lab/container.ts";
import { openLab } from "../../lab/namespace.ts";
import { openScratchFolder } from "../../lab/scratch-folder.ts";
import { controlPlaneText, workerText } from "../../server/contract/machine-config/sample.ts";

const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
/** As the sample configs name it; the first control plane node has it on its card. */
const ENDPOINT = "192.0.2.5";
const UNITS = ["containerd", "etcd", "kubelet", "slipway-balancer", "slipway-ephemeral"];

export type RigNode = {
  name: string;
  address: string;
  container: Container;
  status(): NodeStatus;
  /** Tells the node what the appliance would: the whole rig's list, changed by `change`. */
  order(bootstrapEtcd: boolean, change?: (peer: Peer) => Partial<Peer>): void;
  /** Waits until the status fits. @throws with the last one. */
  until(fits: (status: NodeStatus) => boolean, timeoutMs: number): Promise<NodeStatus>;
};
export type Rig = { nodes: RigNode[]; close(): Promise<void> };
type Peer = ClusterOrders["peers"][number];

const agentUnit = `[Unit]
Description=Kubernetes of the agent, alone
[Service]
ExecStart=/usr/bin/node --lite-mode --max-semi-space-size=1 --v8-pool-size=1 /run/rig/program.mjs
Restart=always
RestartSec=1
RuntimeDirectory=slipway
RuntimeDirectoryPreserve=yes
[Install]
WantedBy=multi-user.target
`;

const networkFile = (address: string, isEndpoint: boolean): string => `[Match]
Name=eth0
[Network]
Address=${address}/24
${isEndpoint ? `Address=${ENDPOINT}/32\n` : ""}LinkLocalAddressing=no
`;

/** A node that is just starting has no status yet. */
async function until(status: () => NodeStatus, fits: (status: NodeStatus) => boolean, timeoutMs: number) {
  let last: unknown = "none";
  for (const endsAt = Date.now() + timeoutMs; Date.now() < endsAt; ) {
    try {
      const now = status();
      if (fits(now)) return now;
      last = now;
    } catch (error) {
      last = (error as Error).message;
    }
    await sleep(250);
  }
  throw new Error(`not within ${timeoutMs / 1000} s; the last status: ${JSON.stringify(last)}`);
}

/** The program as one file, as the agent is in the image. */
async function bundleProgram(file: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: ["test/node-agent/kubernetes/node-program.ts"],
    outfile: file,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    external: ["koffi", "@grpc/proto-loader"],
    banner: {
      js: 'import { createRequire as r } from "node:module";\nconst require = r(import.meta.url);',
    },
    logLevel: "error",
  });
}

/**
 * Makes the nodes; they are off.
 * @param names `cp-1` is the control plane node, all others are workers.
 * @param assetsDir with a full image.
 */
export async function openRig(names: readonly string[], assetsDir: string): Promise<Rig> {
  const lab = openLab("kube");
  const bridge = lab.bridge("rack");
  const { path: dir, remove } = openScratchFolder();
  const program = join(dir, "program.mjs");
  await bundleProgram(program);
  const peers = names.map((name, i) => ({
    name,
    type: name.startsWith("cp-") ? "controlplane" : "worker",
    addresses: [`192.0.2.${11 + i}`],
    labels: {},
    annotations: {},
    taints: [],
  }));
  const nodes = peers.map(({ name, type, addresses: [address] }, i): RigNode => {
    const own = join(dir, name);
    mkdirSync(own);
    const write = (file: string, text: string) => {
      // networkd, a user of its own, reads one of them.
      writeFileSync(join(own, file), text, { mode: file.endsWith(".network") ? 0o644 : 0o600 });
      return join(own, file);
    };
    const isControlPlane = type === "controlplane";
    const orders = (bootstrapEtcd: boolean, change = (_: Peer): Partial<Peer> => ({})) =>
      JSON.stringify({ bootstrapEtcd, peers: peers.map((peer) => ({ ...peer, ...change(peer) })) });
    const text = isControlPlane
      ? controlPlaneText({ cluster: "  allowSchedulingOnControlPlanes: true\n" })
      : workerText().replace("hostname: w-1", `hostname: ${name}`);
    const binds = {
      "/run/rig/program.mjs": program,
      "/run/rig/config.yaml": write("config.yaml", text),
      "/run/rig/install-id": write("install-id", `install-of-${name}\n`),
      "/run/rig/orders.json": write("orders.json", orders(false)),
      "/run/systemd/system/slipway-agent.service": write("agent.service", agentUnit),
      "/run/systemd/network/10-rig.network": write("10-rig.network", networkFile(address!, isControlPlane)),
      ...Object.fromEntries(
        UNITS.map((u) => [`/run/systemd/system/${u}.service`, join(ROOT, `systemd/image/${u}.service`)]),
      ),
    };
    const mac = `52:54:00:00:81:0${i + 1}`;
    const container = makeContainer(lab, bridge, { mac, assetsDir, ticket: async () => "{}", binds });
    const status = () => JSON.parse(readFileSync(container.path("/run/slipway/rig-status.json"), "utf8")) as NodeStatus;
    return {
      name,
      address: address!,
      container,
      status,
      order: (bootstrapEtcd, change) => writeFileSync(join(own, "orders.json"), orders(bootstrapEtcd, change)),
      until: (fits, timeoutMs) => until(status, fits, timeoutMs),
    };
  });
  return {
    nodes,
    close: async () => {
      await Promise.all(nodes.map(({ container }) => container.close()));
      await lab.close();
      remove();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
