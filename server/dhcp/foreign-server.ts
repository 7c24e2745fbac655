// Whether a message that was overheard proves that another DHCP server leases addresses on this wire. Pure; run-mode.ts asks
// for what comes to port 68, run-answer.ts for what comes to port 67.
import type { Ipv4 } from "../../inventory/address.ts";
import { BOOT_REPLY, type DhcpPacket, MESSAGE, NO_IP } from "./packet.ts";

/**
 * @param ownIps all addresses of this box: our own offers come back to us by loopback.
 * @param sourceIp where the datagram came from; used when the message names no server.
 * @returns the other server's address; undefined when the message proves nothing. A proxy's offer (no address in it) is
 *   no proof, because a proxy leases nothing. A relay's address does not matter: its server is named in option 54.
 */
export function foreignServerOf(packet: DhcpPacket, sourceIp: Ipv4, ownIps: readonly Ipv4[]): Ipv4 | undefined {
  const { messageType, serverId, requestedIp } = packet.options;
  const foreign = (ip: Ipv4 | undefined) => (ip === undefined || ip === NO_IP || ownIps.includes(ip) ? undefined : ip);
  if (packet.op === BOOT_REPLY) {
    const leases = messageType === MESSAGE.offer || messageType === MESSAGE.ack;
    return leases && packet.yourIp !== NO_IP ? foreign(serverId ?? sourceIp) : undefined;
  }
  // A client that names a server and an address took that server's offer (RFC 2131 §4.3.2, SELECTING). One that came
  // by a relay speaks of another wire.
  const isSelecting = messageType === MESSAGE.request && requestedIp !== undefined && packet.relayIp === NO_IP;
  return isSelecting ? foreign(serverId) : undefined;
}
