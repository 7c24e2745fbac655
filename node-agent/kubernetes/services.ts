// The systemd services of a node: which there are, in which order they start, and what of them depends on the config, as
// drop-ins. Static units lie in systemd/image/. A service is restarted only when something changed that it reads at its
// start; a key stands for that, so that a restarted agent cuts nothing. Called by run-settle.ts. Pure.
import { createHash } from "node:crypto";
import { renderContainerdConfig } from "../../server/contract/kubernetes/containerd.ts";
import { type EtcdStart, etcdArguments } from "../../server/contract/kubernetes/etcd.ts";
import { kubeletArguments, kubeletConfiguration } from "../../server/contract/kubernetes/kubelet.ts";
import type { NodeFacts } from "../../server/contract/kubernetes/node-facts.ts";
import { configFile, type NodeFile, PORTS } from "../../server/contract/kubernetes/node-paths.ts";
import type { NodeConfig } from "../../server/contract/machine-config/node-config.ts";

export type ServiceName = "slipway-ephemeral" | "containerd" | "slipway-balancer" | "etcd" | "kubelet";
/** In the order of their start; the other way round they are stopped. */
export const SERVICE_ORDER: readonly ServiceName[] = [
  ...(["slipway-ephemeral", "containerd", "slipway-balancer", "etcd", "kubelet"] as const),
];

export type ServicePlan = {
  name: ServiceName;
  /** Undefined where the static unit says all. systemd has to be told of a new one, which starts a dozen programs. */
  dropIn: NodeFile | undefined;
  /** What systemd itself reads at each start, and needs no word for. */
  reads?: NodeFile;
  restartKey: string;
};

const STARTED = "/run/slipway/config/started";

/** Where the kubelet of a control plane node reads its static pods; workers have none. */
export const staticPodUrl = ({ controlPlane }: NodeConfig): string | undefined =>
  controlPlane === undefined ? undefined : `http://127.0.0.1:${PORTS.staticPods}/pods`;

export type ServiceInput = {
  config: NodeConfig;
  facts: NodeFacts;
  nodeIp: string;
  ephemeralDevice: string | undefined;
  /** Undefined: etcd does not run here, or not yet. */
  etcdStart: EtcdStart | undefined;
};

export function planServices({ config, facts, nodeIp, ephemeralDevice, etcdStart }: ServiceInput): ServicePlan[] {
  const { controlPlane } = config;
  const kubelet = ["/usr/bin/kubelet", ...kubeletArguments(config, nodeIp)];
  const kubeletReads = [...kubelet, kubeletConfiguration(config, facts, staticPodUrl(config)), config.cluster.caCrt];
  return [
    ...(ephemeralDevice === undefined ? [] : [ephemeralService(ephemeralDevice)]),
    service("containerd", [renderContainerdConfig(config, facts)], undefined),
    // Reads its file again by itself.
    service("slipway-balancer", [], undefined),
    ...(controlPlane === undefined || etcdStart === undefined
      ? []
      : [etcdService(etcdArguments(config, controlPlane, facts, etcdStart))]),
    service("kubelet", kubeletReads, kubelet),
  ];
}

/** How it was begun is no reason to restart: with data it goes on with it, whatever the flags of a first start say. */
const START_FLAGS = /^--initial-/;
function etcdService(args: readonly string[]): ServicePlan {
  const read = args.filter((a) => !START_FLAGS.test(a));
  return service("etcd", read, ["/usr/bin/etcd", ...args]);
}

/** What is not on the root: mounted before anything else is planned. The unit's EnvironmentFile names the device. */
export const ephemeralService = (device: string): ServicePlan => ({
  ...service("slipway-ephemeral", [device], undefined),
  reads: configFile("/run/slipway/config/ephemeral.env", `SLIPWAY_EPHEMERAL=${device}\n`),
});

const dropInPath = (name: ServiceName): string => `/run/systemd/system/${name}.service.d/10-slipway.conf`;
/** Holds the key that a service was last started with. */
export const startedWith = (name: ServiceName): string => `${STARTED}/${name}`;

/** @param reads what it reads at its start. @param command its ExecStart; undefined where the static unit has it. */
function service(name: ServiceName, reads: readonly unknown[], command: readonly string[] | undefined): ServicePlan {
  const restartKey = createHash("sha256").update(JSON.stringify(reads)).digest("hex").slice(0, 16);
  if (command === undefined) return { name, restartKey, dropIn: undefined };
  const text = `# Written by the agent.\n[Service]\nExecStart=${command.map(quoteArgument).join(" \\\n  ")}\n`;
  return { name, restartKey, dropIn: configFile(dropInPath(name), text) };
}

/** One word of a command line in a unit (systemd.service(5), "COMMAND LINES"; systemd.unit(5), specifiers). */
export function quoteArgument(argument: string): string {
  const escaped = argument.replace(/%/g, "%%").replace(/\$/g, "$$$$").replace(/\\/g, "\\\\").replace(/"/g, '\\"');
  return /^[A-Za-z0-9_@%+=:,./!*-]+$/.test(argument) ? escaped : `"${escaped.replace(/\n/g, "\\n")}"`;
}
