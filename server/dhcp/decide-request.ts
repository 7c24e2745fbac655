// REQUEST → ACK, NAK or silence (RFC 2131 §4.3.2, pxe.md 1.5). Called by reply.ts for mode `server`. Pure.
import type { Ipv4 } from "../../inventory/address.ts";
import { BOOTING_KINDS } from "../boot/client.ts";
import { bootPart } from "./boot-options.ts";
import { type Asker, bootFields } from "./decide-discover.ts";
import { nakCopy } from "./destination.ts";
import type { Decision, ReplyFacts } from "./facts.ts";
import { grantLease } from "./grant.ts";
import type { Verdict } from "./leases.ts";
import { BROADCAST_FLAG, type DhcpPacket, MESSAGE } from "./packet.ts";
import { isRelayed } from "./relay.ts";
import { networkOptions, timerOptions } from "./reply-options.ts";
import { eventOf, ignore, makeReply } from "./reply-packet.ts";
import { type RequestState, requestState } from "./request-state.ts";
import { isOurServerId } from "./server-id.ts";
import { subnetKey } from "./subnet.ts";

/** What the book says of the machine and the address that it asks for. */
type Case =
  | "own"
  | "known free"
  | "known taken"
  | "known wrong-network"
  | "unknown free"
  | "unknown taken"
  | "unknown outside-pool"
  | "unknown wrong-network";
type Answer = "ack" | "nak" | "silence" | "ack if authoritative" | "nak if authoritative";
type Asking = Exclude<RequestState, { kind: "unclear" }>;

/**
 * pxe.md 1.5 as a table. `selecting` is the one with our server identifier. An RFC-pure server stays silent to strangers so
 * that several servers can share a wire; `authoritative` says that this wire is ours.
 */
const ANSWERS: Record<Asking["kind"], Record<Case, Answer>> = {
  selecting: {
    own: "ack",
    "known free": "nak",
    "known taken": "nak",
    "known wrong-network": "nak",
    // A restart forgot the offer; the address is still free.
    "unknown free": "ack",
    "unknown taken": "nak",
    "unknown outside-pool": "nak",
    "unknown wrong-network": "nak",
  },
  "init-reboot": {
    own: "ack",
    "known free": "nak",
    "known taken": "nak",
    "known wrong-network": "nak if authoritative",
    "unknown free": "ack if authoritative",
    "unknown taken": "nak if authoritative",
    "unknown outside-pool": "silence",
    "unknown wrong-network": "nak if authoritative",
  },
  renewing: {
    own: "ack",
    "known free": "nak",
    "known taken": "nak",
    "known wrong-network": "nak",
    "unknown free": "nak if authoritative",
    "unknown taken": "nak if authoritative",
    "unknown outside-pool": "nak if authoritative",
    "unknown wrong-network": "nak if authoritative",
  },
  rebinding: {
    own: "ack",
    "known free": "nak if authoritative",
    "known taken": "nak if authoritative",
    "known wrong-network": "nak if authoritative",
    "unknown free": "nak if authoritative",
    "unknown taken": "nak if authoritative",
    "unknown outside-pool": "nak if authoritative",
    "unknown wrong-network": "nak if authoritative",
  },
};

export function decideRequest(request: DhcpPacket, facts: ReplyFacts, asker: Asker): Decision {
  const state = requestState(request, facts.isUnicast);
  if ("serverId" in state && !isOurServerId(request, facts, state.serverId)) {
    return tookOther(request, facts, asker, state.serverId);
  }
  if (state.kind === "unclear") return ignore("its REQUEST names no address (neither option 50 nor ciaddr)");
  const verdict = verdictFor(state, facts, asker);
  const isRunning = verdict.kind === "own" && verdict.isActive;
  if (!facts.opensLeases && !isRunning) {
    return ignore("another DHCP server answers here, so only leases that exist are renewed");
  }
  const answer = ANSWERS[state.kind][caseOf(verdict, facts, asker)];
  const isAck = answer === "ack" || (answer === "ack if authoritative" && facts.authoritative);
  if (isAck) return acknowledge(request, facts, asker, state);
  const reason = "reason" in verdict ? verdict.reason : "is not the address of this machine";
  const isNak = answer === "nak" || (answer === "nak if authoritative" && facts.authoritative);
  if (isNak) return refuse(request, facts, state, reason);
  return ignore(`${state.address} ${reason}, and whose client it is is not known (${state.kind})`);
}

/**
 * The book's verdict. A machine that starts again with its old address although another one has been reserved for it is
 * sent to the new one; one that renews keeps what it runs with until then.
 */
function verdictFor(state: Asking, { book, now }: ReplyFacts, { key, subnet }: Asker): Verdict {
  const cidr = subnetKey(subnet);
  const verdict = book.judge(cidr, key, state.address, now);
  if (state.kind !== "init-reboot" || verdict.kind !== "own") return verdict;
  const choice = book.choose(cidr, key, undefined, now);
  const isMoved = choice.kind === "address" && choice.origin === "reservation" && choice.address !== state.address;
  return isMoved
    ? { kind: "taken", reason: `is no longer its address: ${choice.address} is reserved for it` }
    : verdict;
}

function caseOf(verdict: Verdict, { book, now }: ReplyFacts, { key, subnet }: Asker): Case {
  if (verdict.kind === "own") return "own";
  if (!book.isKnown(subnetKey(subnet), key, now)) return `unknown ${verdict.kind}`;
  return verdict.kind === "outside-pool" ? "known taken" : `known ${verdict.kind}`;
}

/** It chose another server's offer: ours is free again, an old lease of it is not touched (RFC 2131 §4.3.2). */
function tookOther(request: DhcpPacket, facts: ReplyFacts, { key, subnet }: Asker, server: Ipv4): Decision {
  const cidr = subnetKey(subnet);
  const hadOffer = facts.book.offer(cidr, key, facts.now) !== undefined;
  const concernsUs = hadOffer || facts.machine !== undefined || BOOTING_KINDS.has(facts.client.kind);
  return ignore(`it took the offer of another server, ${server}`, {
    changes: hadOffer ? [{ kind: "drop-offer", subnet: cidr, key }] : [],
    events: concernsUs ? [eventOf(request, "dhcp-other-server", { server })] : [],
  });
}

/** The ACK repeats all boot data: EDK2, shim and the Pi read it again there (pxe.md 1.5). */
function acknowledge(request: DhcpPacket, facts: ReplyFacts, asker: Asker, state: Asking): Decision {
  const { address } = state;
  const grant = grantLease(request, facts, { ...asker, address, seconds: asker.subnet.leaseSeconds });
  const boot = bootPart(request, facts, "server");
  const fields = { ...bootFields(boot, facts), yourIp: address, clientIp: request.clientIp };
  const options = {
    messageType: MESSAGE.ack,
    ...timerOptions(grant.toldSeconds),
    ...networkOptions(request, asker.subnet, facts.machine),
    ...(boot.kind === "boot" && boot.options),
  };
  const isRenewal = state.kind === "renewing" || state.kind === "rebinding";
  const event = isRenewal
    ? eventOf(request, "dhcp-renewed", { address })
    : eventOf(request, "dhcp-ack", { address, seconds: grant.toldSeconds });
  return makeReply(request, facts, fields, options, {
    changes: grant.changes,
    leases: grant.leases,
    events: [event],
  });
}

/** NAK: nothing but 53, 54, 56 and the echoes, all addresses zero (pxe.md 1.5). */
function refuse(request: DhcpPacket, facts: ReplyFacts, state: Asking, reason: string): Decision {
  // A relay can only reach a client without an address by broadcast.
  const fields = isRelayed(request) ? { flags: request.flags | BROADCAST_FLAG } : {};
  const options = { messageType: MESSAGE.nak, message: `${state.address} ${reason}` };
  return makeReply(request, facts, fields, options, {
    events: [eventOf(request, "dhcp-nak", { address: state.address, reason: `it ${reason}` })],
    ...(state.kind === "renewing" && { copyTo: nakCopy(request) }),
  });
}
