// What the renderers of this room must know beside the machine config: the node as it is now. The agent observes it. Pure.
import { ipv4Number, ipv4Prefix } from "../machine-config/address.ts";
import type { NodeConfig } from "../machine-config/node-config.ts";

export type NodeFacts = {
  /** Own addresses, dotted, in the order of the interfaces. */
  addresses: readonly string[];
  platform: Platform;
  /** `1.37.2`: of the programs inside the image. */
  kubernetesVersion: string;
  /** Change with the config and with the certificates: the kubelet restarts a static pod whose annotation changes. */
  versions: { config: string; secrets: string };
  /** Resolvers in force, the config's or DHCP's; may be empty. */
  resolvers: readonly string[];
};

export type Platform = "metal" | "container";
/** What differs in a container node, where the kernel and its settings are the host's: the whole list. */
export const PLATFORMS = {
  metal: { failCgroupV1: true, cgroupDriver: "systemd", restrictOomScoreAdj: false, conntrackFlags: [] },
  container: {
    failCgroupV1: false,
    cgroupDriver: "cgroupfs",
    // Without CAP_SYS_RESOURCE nobody may lower it, and runc would fail.
    restrictOomScoreAdj: true,
    // kube-proxy would write sysctls of the host.
    conntrackFlags: [
      "--conntrack-max-per-core=0",
      "--conntrack-tcp-timeout-close-wait=0",
      "--conntrack-tcp-timeout-established=0",
    ],
  },
} as const satisfies Record<
  Platform,
  { failCgroupV1: boolean; cgroupDriver: string; restrictOomScoreAdj: boolean; conntrackFlags: readonly string[] }
>;

/** Whether filters like `10.0.0.0/8`, `!10.1.0.0/16` let an address pass: any that lets it in, none that keeps it out. */
export function passesFilters(address: string, filters: readonly string[]): boolean {
  const n = ipv4Number(address);
  if (n === undefined) return false;
  const holds = (network: string) => {
    const prefix = ipv4Prefix(network);
    return prefix !== undefined && n >= prefix.first && n <= prefix.last;
  };
  const refusing = filters.filter((f) => f.startsWith("!"));
  const allowing = filters.filter((f) => !f.startsWith("!"));
  return !refusing.some((f) => holds(f.slice(1))) && (allowing.length === 0 || allowing.some(holds));
}

/** Loopback and link-local: nobody else reaches them. */
const UNREACHABLE = ["127.0.0.0/8", "169.254.0.0/16"];

/**
 * What the node is known by. The endpoint moves between nodes: it is never a node's address nor an etcd peer's. The pods'
 * network comes and goes with its bridge: a certificate that named it would be issued anew with each of its moves.
 */
export function ownAddresses({ cluster }: NodeConfig, facts: NodeFacts): string[] {
  const foreign = [...UNREACHABLE, cluster.podSubnet, cluster.serviceSubnet];
  return facts.addresses.filter((a) => a !== cluster.endpoint.host && !passesFilters(a, foreign));
}

export type NodeIp = { kind: "address"; ip: string } | { kind: "none"; reason: string };
/** The address that the node is known by: the first of its own that the config's filters let pass. */
export function chooseNodeIp(config: NodeConfig, facts: NodeFacts): NodeIp {
  const own = ownAddresses(config, facts);
  const filters = config.kubelet.validSubnets;
  const ip = own.find((a) => passesFilters(a, filters));
  if (ip !== undefined) return { kind: "address", ip };
  const wanted =
    filters.length === 0 ? "" : ` that machine.kubelet.nodeIP.validSubnets (${filters.join(", ")}) lets pass`;
  return { kind: "none", reason: `the node has no address of its own${wanted}; seen: ${own.join(", ") || "none"}` };
}
