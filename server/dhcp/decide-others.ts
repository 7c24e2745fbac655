// DECLINE, RELEASE and INFORM (RFC 2131 §4.3.3–4.3.5, pxe.md 1.6). Called by reply.ts for mode `server`. Pure.
import { isInNetwork } from "../../inventory/address.ts";
import type { Lease } from "../../inventory/lease.ts";
import { bootPart } from "./boot-options.ts";
import type { Asker } from "./decide-discover.ts";
import type { Decision, ReplyFacts } from "./facts.ts";
import { QUARANTINE_SECONDS } from "./leases.ts";
import { type DhcpPacket, MESSAGE, NO_IP } from "./packet.ts";
import { networkOptions } from "./reply-options.ts";
import { eventOf, ignore, makeReply } from "./reply-packet.ts";
import { isOurServerId } from "./server-id.ts";
import { subnetKey } from "./subnet.ts";

/** Otherwise one machine could use the whole pool up. */
const MAX_DECLINED = 3;

/** The address is nobody's for a while. EDK2 declines an ACK without a netmask, too. */
export function decideDecline(request: DhcpPacket, facts: ReplyFacts, { key, subnet }: Asker): Decision {
  const { requestedIp, serverId } = request.options;
  const { book, now } = facts;
  const cidr = subnetKey(subnet);
  const lease = book.held(cidr, key)?.lease;
  if (!isOurServerId(request, facts, serverId)) return ignore("its DECLINE does not name this server");
  if (lease?.state !== "bound" || lease.address !== requestedIp) {
    return ignore(`its DECLINE names ${requestedIp ?? "no address"}, which is no lease of this machine`);
  }
  if (book.declinedCount(cidr, key, now) >= MAX_DECLINED) {
    return ignore(`it has declined ${MAX_DECLINED} addresses already, which are still set aside`);
  }
  const declined: Lease = { ...lease, state: "declined", startedAt: now, expiresAt: now + QUARANTINE_SECONDS };
  return ignore(`DECLINE has no answer; ${lease.address} is set aside`, {
    changes: [{ kind: "lease", lease: declined }],
    leases: [declined],
    events: [eventOf(request, "dhcp-declined", { address: lease.address, seconds: QUARANTINE_SECONDS })],
  });
}

/** The address is free, and the machine gets it again when it comes back in time. */
export function decideRelease(request: DhcpPacket, facts: ReplyFacts, { key, subnet }: Asker): Decision {
  const lease = facts.book.held(subnetKey(subnet), key)?.lease;
  if (!isOurServerId(request, facts, request.options.serverId)) return ignore("its RELEASE does not name this server");
  if (request.clientIp === NO_IP || facts.source.ip === NO_IP) return ignore("its RELEASE comes from no address");
  if (lease?.state !== "bound" || lease.address !== request.clientIp) {
    return ignore(`its RELEASE names ${request.clientIp}, which is no lease of this machine`);
  }
  const released: Lease = { ...lease, state: "released", expiresAt: facts.now };
  return ignore(`RELEASE has no answer; ${lease.address} is free`, {
    changes: [{ kind: "lease", lease: released }],
    leases: [released],
    events: [eventOf(request, "dhcp-released", { address: lease.address })],
  });
}

/** A client with an address of its own asks for the rest: no lease, no timers; boot data only for PXEClient. */
export function decideInform(request: DhcpPacket, facts: ReplyFacts, { subnet }: Asker): Decision {
  const from = request.clientIp === NO_IP ? facts.source.ip : request.clientIp;
  if (from !== NO_IP && !isInNetwork(from, subnet.network)) {
    return ignore(`its INFORM comes from ${from}, which is not in ${subnet.network.cidr}`);
  }
  const isPxe = request.options.vendorClass?.startsWith("PXEClient") ?? false;
  const boot = isPxe ? bootPart(request, facts, "server") : undefined;
  const fields = { ...(boot?.kind === "boot" && boot.fields), clientIp: request.clientIp };
  const options = {
    messageType: MESSAGE.ack,
    ...networkOptions(request, subnet, facts.machine),
    ...(boot?.kind === "boot" && boot.options),
  };
  return makeReply(request, facts, fields, options);
}
