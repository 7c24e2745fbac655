// What slipway.yaml says of an interface, together with what the interface is right now → the subnets it serves. Called by
// run-interface.ts whenever one of the two changes. Pure.
import { type Cidr, type Ipv4, isInNetwork, type Network, numberToIpv4, parseCidr } from "../../inventory/address.ts";
import type { Strangers } from "../boot/decide.ts";
import type { ServedInterface } from "../boot/served-interface.ts";
import type { AddressRange, ServedSubnet } from "./subnet.ts";

/** The settings of one interface, as server/config checks them (issue 8, point 2). */
export type DhcpInterfaceSettings = {
  name: string;
  dhcp: "auto" | "server" | "proxy" | "off";
  /** Default: the upper half of the interface's subnet. */
  pool?: AddressRange | undefined;
  gateway?: Ipv4 | undefined;
  dns?: readonly Ipv4[] | undefined;
  ntp?: readonly Ipv4[] | undefined;
  domain?: string | undefined;
  leaseSeconds: number;
  strangers: Strangers;
  authoritative: boolean;
  probe: boolean;
  force: boolean;
  subnets: readonly SubnetSettings[];
};
export type SubnetSettings = {
  subnet: Cidr;
  pool?: AddressRange | undefined;
  exclude?: readonly Ipv4[] | undefined;
  gateway?: Ipv4 | undefined;
  isRelayed: boolean;
};

/**
 * The subnets of an interface: its own one first, then those of the long form.
 *
 * @param at the interface as it is; without an address only relayed subnets remain, and nothing reaches them.
 * @returns own addresses and the gateway are in `exclude`: they are never given out, whatever the pool says.
 */
export function servedSubnets(settings: DhcpInterfaceSettings, at: ServedInterface): ServedSubnet[] {
  const own = at.network;
  const listed = settings.subnets.flatMap((entry) => {
    const network = parseCidr(entry.subnet);
    return network ? [toServed(settings, at, network, entry)] : [];
  });
  if (own === undefined || listed.some((subnet) => subnet.network.cidr === own.cidr)) return listed;
  const short = { subnet: own.cidr, pool: settings.pool, gateway: settings.gateway, isRelayed: false };
  return [toServed(settings, at, own, short), ...listed];
}

function toServed(
  settings: DhcpInterfaceSettings,
  at: ServedInterface,
  network: Network,
  entry: SubnetSettings,
): ServedSubnet {
  const { gateway, exclude = [] } = entry;
  const range = entry.pool ?? upperHalf(network);
  return {
    network,
    ranges: range ? [range] : [],
    exclude: [...exclude, ...at.addresses.filter((ip) => isInNetwork(ip, network)), ...(gateway ? [gateway] : [])],
    ...(gateway && { gateway }),
    dns: settings.dns ?? [],
    ntp: settings.ntp ?? [],
    ...(settings.domain && { domain: settings.domain }),
    leaseSeconds: settings.leaseSeconds,
    isRelayed: entry.isRelayed,
  };
}

/** The default pool: people and routers number from below. Undefined where a subnet has no room (/31, /32). */
export function upperHalf(network: Network): AddressRange | undefined {
  const size = network.last - network.first + 1;
  if (size < 4) return undefined;
  return { first: numberToIpv4(network.first + size / 2), last: numberToIpv4(network.last - 1) };
}
