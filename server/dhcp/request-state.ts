// In which state a client is that sends a DHCPREQUEST (RFC 2131 §4.3.2), and which address it asks for. Pure.
import type { Ipv4 } from "../../inventory/address.ts";
import { type DhcpPacket, NO_IP } from "./packet.ts";
import { isRelayed } from "./relay.ts";

export type RequestState =
  | { kind: "selecting"; address: Ipv4; serverId: Ipv4 }
  | { kind: "init-reboot"; address: Ipv4 }
  /** Sent to our unicast address. */
  | { kind: "renewing"; address: Ipv4 }
  /** Broadcast, or through a relay. */
  | { kind: "rebinding"; address: Ipv4 }
  /** Names no address: npm's dhcp client, for one, sends neither 50 nor 54. */
  | { kind: "unclear"; serverId?: Ipv4 };

/**
 * Reads the state off options 54 and 50 and ciaddr, as RFC 2131 §4.3.2 has it. Where a client fills in 50 as well as ciaddr,
 * ciaddr counts.
 *
 * @param isUnicast the request was sent to one of our addresses.
 */
export function requestState(request: DhcpPacket, isUnicast: boolean): RequestState {
  const { serverId, requestedIp } = request.options;
  const asked = requestedIp === NO_IP ? undefined : requestedIp;
  const has = request.clientIp === NO_IP ? undefined : request.clientIp;
  if (serverId !== undefined) {
    const address = asked ?? has;
    return address === undefined ? { kind: "unclear", serverId } : { kind: "selecting", address, serverId };
  }
  if (has !== undefined) return { kind: isUnicast && !isRelayed(request) ? "renewing" : "rebinding", address: has };
  return asked === undefined ? { kind: "unclear" } : { kind: "init-reboot", address: asked };
}
