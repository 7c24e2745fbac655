// Where a reply goes: the cases of RFC 2131 §4.1 in the order of pxe.md 1.3, first match wins. Pure.
import type { Ipv4 } from "../../inventory/address.ts";
import { clientMac } from "./client.ts";
import type { Destination, ReplyFacts } from "./facts.ts";
import { BROADCAST_FLAG, type DhcpPacket, MESSAGE, NO_IP } from "./packet.ts";
import { isRelayed } from "./relay.ts";

const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const EVERYONE: Ipv4 = "255.255.255.255";

/**
 * @returns undefined when there is no way back (INFORM without any address). `mac` is set when RFC 2131 wants unicast to a
 *   client that does not answer ARP yet; who cannot teach the kernel that MAC broadcasts, which all known clients take.
 */
export function replyDestination(
  request: DhcpPacket,
  reply: DhcpPacket,
  from: Pick<ReplyFacts, "port" | "source">,
): Destination | undefined {
  if (from.port === 4011) return { ip: from.source.ip, port: from.source.port };
  if (isRelayed(request)) return { ip: request.relayIp, port: SERVER_PORT };
  if (request.options.messageType === MESSAGE.inform) {
    const ip = request.clientIp === NO_IP ? from.source.ip : request.clientIp;
    return ip === NO_IP ? undefined : { ip, port: CLIENT_PORT };
  }
  if (reply.options.messageType === MESSAGE.nak) return { ip: EVERYONE, port: CLIENT_PORT };
  if (request.clientIp !== NO_IP) return { ip: request.clientIp, port: CLIENT_PORT };
  const mac = clientMac(request);
  const canUnicast = (request.flags & BROADCAST_FLAG) === 0 && reply.yourIp !== NO_IP && mac !== undefined;
  return canUnicast ? { ip: reply.yourIp, port: CLIENT_PORT, mac } : { ip: EVERYONE, port: CLIENT_PORT };
}

/** A NAK to a client that renewed by unicast goes to its address as well: systemd hears no broadcast there (pxe.md 1.3). */
export const nakCopy = (request: DhcpPacket): Destination => ({ ip: request.clientIp, port: CLIENT_PORT });
