// Whether a client means us with option 54. Pure.
import type { Ipv4 } from "../../inventory/address.ts";
import type { ReplyFacts } from "./facts.ts";
import type { DhcpPacket } from "./packet.ts";
import { serverIdOverride } from "./relay.ts";

/** Every address of this box is us, and so is the name that a relay gave us (RFC 5107). */
export function isOurServerId(request: DhcpPacket, facts: ReplyFacts, serverId: Ipv4 | undefined): boolean {
  if (serverId === undefined) return false;
  return facts.ownIps.includes(serverId) || serverId === facts.serverIp || serverId === serverIdOverride(request);
}
