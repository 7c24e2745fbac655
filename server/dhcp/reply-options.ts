// The options of a lease: what a client is told of its network, its timers, and what is echoed to it (pxe.md 1.7–1.9).
// Boot data is boot-options.ts's. Pure.
import type { Machine } from "../../inventory/machine.ts";
import type { DhcpOptions } from "./options.ts";
import type { DhcpPacket } from "./packet.ts";
import { isRelayed } from "./relay.ts";
import { FOREVER_SECONDS, type ServedSubnet } from "./subnet.ts";

/** What a client gets that asks for nothing: GRUB and the Pi's REQUEST have no option 55. */
const DEFAULT_CODES: readonly number[] = [1, 3, 6, 12, 15, 28];

/** Codes that the client asked for, in its order. Garbage among them is harmless: only what we have is sent. */
export const askedCodes = (request: DhcpPacket): readonly number[] => request.options.requestedCodes ?? DEFAULT_CODES;

/**
 * Netmask, routers and name servers always; the rest when asked for.
 *
 * @param machine its name is sent when it has a reservation; a name for anybody else would be a guess.
 */
export function networkOptions(request: DhcpPacket, subnet: ServedSubnet, machine?: Machine): DhcpOptions {
  const options: DhcpOptions = { subnetMask: subnet.network.netmask };
  const asked = new Set(askedCodes(request));
  if (subnet.gateway !== undefined) options.routers = [subnet.gateway];
  if (subnet.dns.length > 0) options.dnsServers = subnet.dns;
  if (asked.has(28)) options.broadcastIp = subnet.network.broadcast;
  if (asked.has(15) && subnet.domain !== undefined) options.domain = subnet.domain;
  if (asked.has(12) && hasReservedName(machine)) options.hostname = machine.name;
  if (asked.has(26) && subnet.mtu !== undefined) options.interfaceMtu = subnet.mtu;
  if (asked.has(42) && subnet.ntp.length > 0) options.ntpServers = subnet.ntp;
  if (asked.has(119) && subnet.domainSearch?.length) options.domainSearch = subnet.domainSearch;
  const routes = routesOf(subnet);
  if (asked.has(121) && routes.length > 0) options.routes = routes;
  if (asked.has(249) && routes.length > 0) options.microsoftRoutes = routes;
  return options;
}

/** Who takes 121 must ignore 3, so the default route is in it as well (RFC 3442). */
function routesOf({ routes = [], gateway }: ServedSubnet) {
  if (routes.length === 0 || gateway === undefined) return routes;
  return [...routes, { to: "0.0.0.0/0", via: gateway }];
}

function hasReservedName(machine: Machine | undefined): machine is Machine & { name: string } {
  const { name, address, lifecycle } = machine ?? {};
  return name !== undefined && address !== undefined && lifecycle !== "discovered" && lifecycle !== "retired";
}

/** Lease time with T1 and T2 at 0.5 and 0.875 of it (RFC 2131 §4.4.5); an endless lease has none (clients overflow). */
export function timerOptions(seconds: number): DhcpOptions {
  if (seconds === FOREVER_SECONDS) return { leaseSeconds: seconds };
  return {
    leaseSeconds: seconds,
    renewalSeconds: Math.floor(seconds * 0.5),
    rebindingSeconds: Math.floor(seconds * 0.875),
  };
}

/** What goes back as it came: option 61 always (RFC 6842), option 82 to a relay (RFC 3046 §2.2). */
export function echoedOptions(request: DhcpPacket): DhcpOptions {
  const { clientId, relayInfo } = request.options;
  return {
    ...(isSendable(clientId) && { clientId }),
    ...(isRelayed(request) && isSendable(relayInfo) && { relayInfo }),
  };
}

/** Empty options make EDK2 drop the packet; longer ones would have to be split, which firmware does not read. */
export const isSendable = (value: Uint8Array | undefined): value is Uint8Array =>
  value !== undefined && value.length >= 1 && value.length <= 255;
