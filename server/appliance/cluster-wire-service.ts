// The networks that clusters live in, as DHCP serves them and as the wire answers: what server/cluster/run-endpoint.ts asks
// before an endpoint is taken. Edge: interfaces, ARP.
import { type Cidr, type Ipv4, isInNetwork, numberToIpv4 } from "../../inventory/address.ts";
import type { ServedInterface } from "../boot/served-interface.ts";
import type { Wire } from "../cluster/run-endpoint.ts";
import { openArpSocket } from "../dhcp/arp-socket.ts";
import { readDefaultGateway } from "../dhcp/read-neighbours.ts";
import type { InterfaceStatus } from "../dhcp/run-interface.ts";
import { type DhcpInterfaceSettings, servedSubnets } from "../dhcp/served-subnets.ts";
import type { ServedSubnet } from "../dhcp/subnet.ts";

/** An endpoint is taken once and for years: three times as long as RFC 5227's shortest wait between two probes. */
const PROBE_MS = 1500;

/** DHCP has not found out yet whether the addresses are its own to give out: ten seconds after a start. */
const UNDECIDED: ReadonlySet<string> = new Set(["starting", "looking"]);

export type WireParts = {
  interfaces: readonly DhcpInterfaceSettings[];
  /** As they are now. */
  observe: () => readonly ServedInterface[];
  dhcp: () => readonly InterfaceStatus[];
};

export function clusterWire({ interfaces, observe, dhcp }: WireParts): Wire {
  const subnets = () =>
    interfaces.flatMap((settings) => {
      const at = observe().find((one) => one.name === settings.name);
      return at === undefined ? [] : servedSubnets(settings, at).map((subnet) => ({ at, subnet }));
    });
  const served = () => {
    const statuses = dhcp();
    const stateOf = (name: string) => statuses.find((one) => one.name === name)?.state;
    // Addresses are ours to count with only where this appliance gives them out.
    const isServer = (name: string) => (statuses.find((one) => one.name === name)?.networks.length ?? 0) > 0;
    return subnets().map((one) => {
      const { name } = one.at;
      return { ...one, isServer: isServer(name), isUndecided: UNDECIDED.has(stateOf(name) ?? "starting") };
    });
  };
  let [listedFrom, networks]: [unknown, readonly Cidr[]] = [undefined, []];
  return {
    networks: () =>
      served().map(({ subnet, isServer, isUndecided }) => ({
        subnet: subnet.network.cidr,
        pool: isServer ? poolOf(subnet) : undefined,
        ...{ isRelayed: subnet.isRelayed, isUndecided },
      })),
    used: () => [
      ...observe().flatMap((one) => one.addresses.map((ip) => ({ ip, by: `this appliance (${one.name})` }))),
      ...served().flatMap(({ subnet, at }) => [
        ...[subnet.gateway, readDefaultGateway(at.name)].flatMap((ip) => (ip ? [{ ip, by: "the gateway" }] : [])),
        ...subnet.dns.map((ip) => ({ ip, by: "a DNS server (dns in slipway.yaml)" })),
        ...subnet.ntp.map((ip) => ({ ip, by: "a time server (ntp in slipway.yaml)" })),
        ...subnet.exclude.map((ip) => ({ ip, by: "excluded in slipway.yaml" })),
      ]),
    ],
    // Asked with each machine: listed anew when the interfaces were read anew.
    siteNetworks: () => {
      const all = observe();
      if (all === listedFrom) return networks;
      const own = all.flatMap((one) => one.network?.cidr ?? []);
      networks = [...new Set([...own, ...subnets().map(({ subnet }) => subnet.network.cidr)])];
      listedFrom = all;
      return networks;
    },
    async probe(ip) {
      const near = subnets().find(({ subnet, at }) => isInNetwork(ip, subnet.network) && at.network !== undefined);
      if (near === undefined) return undefined;
      const arp = openArpSocket(near.at);
      try {
        return await arp.probeAddress(ip, PROBE_MS);
      } finally {
        arp.close();
      }
    },
  };
}

/** From the first to the last address of all ranges; a network that gives out none has an empty one at its end. */
function poolOf({ ranges, network }: ServedSubnet): { first: Ipv4; last: Ipv4 } {
  const [first] = ranges;
  const last = ranges.at(-1);
  const end = numberToIpv4(network.last);
  return { first: first?.first ?? end, last: last?.last ?? end };
}
