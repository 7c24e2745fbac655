// A network that Slipway gives addresses in, and the choice of it for a request. service.ts makes the list from slipway.yaml
// and the interfaces. Pure.
import { type Cidr, type Ipv4, isInNetwork, type Network } from "../../inventory/address.ts";
import type { Route } from "./option-codecs.ts";
import { type DhcpPacket, MESSAGE, NO_IP } from "./packet.ts";
import { linkSelection } from "./relay.ts";

/** Two addresses, both included. */
export type AddressRange = { first: Ipv4; last: Ipv4 };

/** One network with what its machines are told. */
export type ServedSubnet = {
  network: Network;
  /** Addresses for machines without a reservation, all of them inside `network`; may be empty. */
  ranges: readonly AddressRange[];
  /** Never given out, not even as a reservation. */
  exclude: readonly Ipv4[];
  gateway?: Ipv4;
  dns: readonly Ipv4[];
  ntp: readonly Ipv4[];
  domain?: string;
  domainSearch?: readonly string[];
  routes?: readonly Route[];
  /** Option 26; undefined says nothing, and clients use 1500. */
  mtu?: number;
  /** At least 120 (pxe.md 1.9); {@link FOREVER_SECONDS} never ends. */
  leaseSeconds: number;
  /** Reached through a relay only; otherwise it is on an interface's own wire. */
  isRelayed: boolean;
};

/** `ffffffff` in option 51: no end (RFC 2132 §9.2). */
export const FOREVER_SECONDS = 0xffffffff;

/** The key of a subnet in the lease book and the inventory. */
export const subnetKey = (subnet: ServedSubnet): Cidr => subnet.network.cidr;

/**
 * The subnet that a request belongs to: the relay's link selection (RFC 3527), else the relay's own address, else, for
 * a client that already has an address and reaches us by unicast or asks by INFORM, that address (a relayed client
 * renews past its relay), else the interface's own network.
 *
 * @param subnets all served ones; not changed.
 * @param own network of the interface that the request came in by; undefined when it has no address.
 * @param isUnicast the datagram was sent to one of our addresses.
 * @returns undefined when no served subnet fits; the request is then ignored.
 */
export function chooseSubnet(
  request: DhcpPacket,
  subnets: readonly ServedSubnet[],
  own: Network | undefined,
  isUnicast: boolean,
): ServedSubnet | undefined {
  const containing = (ip: Ipv4) => subnets.find((subnet) => isInNetwork(ip, subnet.network));
  if (request.relayIp !== NO_IP) return containing(linkSelection(request) ?? request.relayIp);
  const asksWithAddress = isUnicast || request.options.messageType === MESSAGE.inform;
  const ofClient = asksWithAddress && request.clientIp !== NO_IP ? containing(request.clientIp) : undefined;
  if (ofClient !== undefined) return ofClient;
  const onWire = subnets.filter((subnet) => !subnet.isRelayed);
  return own && onWire.find((subnet) => subnet.network.cidr === own.cidr);
}
