// The address that a cluster is reached by: no node's own, so that one node can become three without a new certificate.
// `slipway cluster create` asks here; an ARP probe on the wire comes after, by whoever calls. Pure.
import {
  type Cidr,
  type Ipv4,
  ipv4ToNumber,
  isInNetwork,
  type Network,
  numberToIpv4,
  parseCidr,
} from "../../inventory/address.ts";
import { prefixesOverlap } from "../contract/machine-config/address.ts";
import type { Cluster } from "./topology.ts";

/** Both inclusive. */
export type Pool = { first: Ipv4; last: Ipv4 };
/** One served network. `pool` undefined: addresses are another server's (proxy mode). */
export type ServedNetwork = { subnet: Cidr; pool: Pool | undefined };
/** Who has an address, in words: `the appliance`, `the gateway`, `node-1 (reservation)`, `answered an ARP probe`. */
export type UsedAddress = { ip: Ipv4; by: string };
export type EndpointChoice =
  | { kind: "endpoint"; ip: Ipv4; reason: string }
  | { kind: "refused"; reason: string; remedy: string };

const refuse = (reason: string, remedy: string): EndpointChoice => ({ kind: "refused", reason, remedy });
const NAME_ONE = "name one that nobody has: `slipway cluster create NAME --endpoint IP`";

/**
 * Chooses an address beside the pool: the nearest below it, else above it. People give out low addresses by hand and routers
 * sit at either end, so the neighbours of the pool are the likeliest to be free. Call again with what an ARP probe found.
 */
export function chooseEndpoint({ subnet, pool }: ServedNetwork, used: readonly UsedAddress[]): EndpointChoice {
  const network = parseCidr(subnet);
  if (network === undefined) return refuse(`${subnet} is no network`, NAME_ONE);
  if (pool === undefined) {
    return refuse(
      `addresses of ${subnet} are given out by another DHCP server, so which are free is not known`,
      NAME_ONE,
    );
  }
  const taken = new Set(used.map((u) => u.ip));
  const found = candidates(network, pool).find((n) => !taken.has(numberToIpv4(n)));
  if (found === undefined) {
    return refuse(
      `no address of ${subnet} outside the pool ${pool.first}-${pool.last} is free`,
      "make the pool smaller in slipway.yaml",
    );
  }
  return {
    kind: "endpoint",
    ip: numberToIpv4(found),
    reason: `free, beside the pool ${pool.first}-${pool.last} of ${subnet}`,
  };
}

function candidates(network: Network, pool: Pool): number[] {
  const below = range(network.first + 1, ipv4ToNumber(pool.first) - 1).reverse();
  return [...below, ...range(ipv4ToNumber(pool.last) + 1, network.last - 1)];
}

/** A /8 has millions; nobody needs more than some thousands to choose from. */
const MOST = 4096;
const range = (first: number, last: number): number[] =>
  Array.from({ length: Math.min(MOST, Math.max(0, last - first + 1)) }, (_, i) => first + i);

/** Judges an address that a person named. */
export function checkEndpoint(
  ip: Ipv4,
  networks: readonly ServedNetwork[],
  used: readonly UsedAddress[],
): EndpointChoice {
  const served = networks.find(({ subnet }) => isIn(ip, subnet));
  if (served === undefined) {
    if (networks.length === 0)
      return refuse(
        `${ip} cannot be judged: no network is served here now`,
        "connect the served interface, or name a host name",
      );
    const known = networks.map((n) => n.subnet).join(", ");
    return refuse(`${ip} is outside the networks that the nodes are in (${known})`, "name an address of one of them");
  }
  const network = parseCidr(served.subnet)!;
  const n = ipv4ToNumber(ip);
  if (n === network.first || n === network.last)
    return refuse(`${ip} is no host's address in ${served.subnet}`, NAME_ONE);
  const { pool } = served;
  if (pool !== undefined && n >= ipv4ToNumber(pool.first) && n <= ipv4ToNumber(pool.last)) {
    return refuse(`${ip} is inside the pool ${pool.first}-${pool.last} and could be given to any machine`, NAME_ONE);
  }
  const holder = used.find((u) => u.ip === ip);
  if (holder !== undefined) return refuse(`${ip} is in use: ${holder.by}`, NAME_ONE);
  return { kind: "endpoint", ip, reason: "named by a person" };
}

const isIn = (ip: Ipv4, subnet: Cidr): boolean => {
  const network = parseCidr(subnet);
  return network !== undefined && isInNetwork(ip, network);
};

/** Pods and Services must not live in the networks of the site: packets for the one would end at the other. */
export function overlapReason(
  cluster: Pick<Cluster, "podSubnet" | "serviceSubnet">,
  siteNetworks: readonly Cidr[],
): string | undefined {
  for (const key of ["podSubnet", "serviceSubnet"] as const) {
    const hit = siteNetworks.find((network) => prefixesOverlap(cluster[key], network));
    if (hit !== undefined) return `${key} ${cluster[key]} overlaps with the site's network ${hit}; choose another`;
  }
  return undefined;
}
