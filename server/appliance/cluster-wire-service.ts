// The networks that clusters live in, as DHCP serves them and as the wire answers: what server/cluster/run-endpoint.ts asks
// before an endpoint is taken. Edge: interfaces, ARP.
import { type Ipv4, isInNetwork, numberToIpv4 } from "../../inventory/address.ts";
import type { ServedInterface } from "../boot/served-interface.ts";
import type { Wire } from "../cluster/run-endpoint.ts";
import { openArpSocket } from "../dhcp/arp-socket.ts";
import { readDefaultGateway } from "../dhcp/read-neighbours.ts";
import type { InterfaceStatus } from "../dhcp/run-interface.ts";
import { type DhcpInterfaceSettings, servedSubnets } from "../dhcp/served-subnets.ts";
import type { ServedSubnet } from "../dhcp/subnet.ts";

/** An endpoint is taken once and for years: three times as long as RFC 5227's shortest wait between two probes. */
const PROBE_MS = 1500;

export type WireParts = {
  interfaces: readonly DhcpInterfaceSettings[];
  /** As they are now. */
  observe: () => readonly ServedInterface[];
  dhcp: () => readonly InterfaceStatus[];
};

export function clusterWire({ interfaces, observe, dhcp }: WireParts): Wire {
  const served = () =>
    interfaces.flatMap((settings) => {
      const at = observe().find((one) => one.name === settings.name);
      // Addresses are ours to count with only where this appliance gives them out.
      const isServer = (dhcp().find((one) => one.name === settings.name)?.networks.length ?? 0) > 0;
      return at === undefined ? [] : servedSubnets(settings, at).map((subnet) => ({ at, subnet, isServer }));
    });
  return {
    networks: () =>
      served().map(({ subnet, isServer }) => ({
        subnet: subnet.network.cidr,
        pool: isServer ? poolOf(subnet) : undefined,
        isRelayed: subnet.isRelayed,
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
    siteNetworks: () => [
      ...new Set([
        ...observe().flatMap((one) => one.network?.cidr ?? []),
        ...served().map(({ subnet }) => subnet.network.cidr),
      ]),
    ],
    async probe(ip) {
      const near = served().find(({ subnet, at }) => isInNetwork(ip, subnet.network) && at.network !== undefined);
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
