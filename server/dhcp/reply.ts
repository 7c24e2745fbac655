// decideReply: the whole DHCP policy as one function of a packet and facts. No clock, no socket, no database: service.ts
// gathers the facts (facts.ts) and acts on the decision. Every way to no answer has its reason. Pure.
import { clientKey } from "./client.ts";
import { type Asker, decideDiscover } from "./decide-discover.ts";
import { decideDecline, decideInform, decideRelease } from "./decide-others.ts";
import { decideBootServer, decideProxy } from "./decide-proxy.ts";
import { decideRequest } from "./decide-request.ts";
import type { Decision, ReplyFacts } from "./facts.ts";
import { BOOT_REQUEST, type DhcpPacket, MESSAGE } from "./packet.ts";
import { ignore } from "./reply-packet.ts";

type Decide = (request: DhcpPacket, facts: ReplyFacts, asker: Asker) => Decision;

/** Message types that a full server acts on. LEASEQUERY and the like are nobody's business here (pxe.md 1.6). */
const DECIDE: Readonly<Record<number, Decide>> = {
  [MESSAGE.discover]: decideDiscover,
  [MESSAGE.request]: decideRequest,
  [MESSAGE.decline]: decideDecline,
  [MESSAGE.release]: decideRelease,
  [MESSAGE.inform]: decideInform,
};

/**
 * Decides what a request gets.
 *
 * @returns `reply` with the packet, its bytes and destination, what to change in the book and what to save before sending;
 *   or `ignore` with a reason, and perhaps changes too (RELEASE, DECLINE).
 * @throws DOES_NOT_FIT when the settings hold a value that no packet can carry; never for anything a client sends.
 */
export function decideReply(request: DhcpPacket, facts: ReplyFacts): Decision {
  const type = request.options.messageType;
  if (request.op !== BOOT_REQUEST) return ignore("it is a reply of another server");
  if (type === undefined) return ignore("it is BOOTP (no option 53), which is not served");
  if (facts.port === 4011) return decideBootServer(request, facts);
  if (facts.mode === "proxy") return decideProxy(request, facts);
  const decide = DECIDE[type];
  const key = clientKey(request);
  if (decide === undefined) return ignore(`message type ${type} is not served`);
  if (key === undefined) return ignore("it has neither a hardware address nor a client identifier");
  const { subnet } = facts;
  if (subnet === undefined) return ignore(`no subnet is configured for it (relay ${request.relayIp})`);
  return decide(request, facts, { key, subnet });
}
