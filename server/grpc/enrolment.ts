// Who may enrol and who may renew (design §6, docs/enrolment.md). Pure: the ticket, the machine and the time come in, a
// decision with its reason goes out. enrolment-service.ts gathers, writes and answers.
import type { Mac } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Ticket } from "../../inventory/ticket.ts";

export type EnrolmentFacts = {
  /** The ticket that the token's hash led to; undefined when there is none. */
  ticket: Ticket | undefined;
  /** The ticket's machine; undefined when somebody removed it since. */
  machine: Machine | undefined;
  /** SHA-256 of the CSR's public key (SPKI DER), hex. */
  keyFingerprint: string;
  isKeyRevoked: boolean;
  /** The MACs that the machine says it has, in the inside form. */
  macs: readonly Mac[];
  /** Milliseconds since 1970. */
  now: number;
};

export type EnrolmentDecision =
  | {
      kind: "accept";
      /** The ticket as it must be stored before the answer leaves; the same object when it is bound to this key already. */
      ticket: Ticket;
      /** The machine's earlier key, which this one replaces. */
      revokes?: string;
    }
  | { kind: "refuse"; reason: string };

/** Each rule that stands between a token and a certificate, in the order in which people are told. */
const RULES: readonly ((f: EnrolmentFacts) => string | undefined)[] = [
  ({ ticket }) =>
    ticket === undefined ? "the token is unknown: no boot was given it, or a later one replaced it" : undefined,
  ({ ticket, now }) => (ticket !== undefined && now >= ticket.expiresAt ? tooLate(ticket, now) : undefined),
  ({ ticket, keyFingerprint }) =>
    ticket?.keyFingerprint !== undefined && ticket.keyFingerprint !== keyFingerprint
      ? "the token was used before, by another key"
      : undefined,
  ({ isKeyRevoked }) => (isKeyRevoked ? "its key was revoked" : undefined),
  ({ machine }) =>
    machine === undefined ? "the machine was removed from the inventory after it had booted" : undefined,
  ({ machine }) => (machine?.lifecycle === "retired" ? "the machine is retired" : undefined),
  ({ ticket, macs }) =>
    ticket !== undefined && !macs.includes(ticket.mac)
      ? `the token was given to ${ticket.mac}, and this machine has ${macs.join(", ") || "no network card"}`
      : undefined,
];

/**
 * Decides on one request to enrol.
 *
 * A ticket binds to the first key that it is shown with: that key may ask again while the ticket is valid, because an answer
 * can be lost on its way; any other key is refused. Only a ticket that is spent, not one that was fetched, replaces the
 * machine's earlier key.
 */
export function decideEnrolment(facts: EnrolmentFacts): EnrolmentDecision {
  for (const rule of RULES) {
    const reason = rule(facts);
    if (reason !== undefined) return { kind: "refuse", reason };
  }
  const { ticket, machine, keyFingerprint, now } = facts as EnrolmentFacts & { ticket: Ticket; machine: Machine };
  const earlier = machine.keyFingerprint;
  return {
    kind: "accept",
    ticket: ticket.keyFingerprint === undefined ? { ...ticket, keyFingerprint, spentAt: now } : ticket,
    ...(earlier !== undefined && earlier !== keyFingerprint && { revokes: earlier }),
  };
}

const tooLate = (ticket: Ticket, now: number): string =>
  `the ticket ran out ${Math.ceil((now - ticket.expiresAt) / 1000)} s ago; it was valid for ` +
  `${Math.round((ticket.expiresAt - ticket.issuedAt) / 60_000)} minutes`;

export type RenewalDecision = { kind: "renew" } | { kind: "refuse"; reason: string };

/**
 * Decides who may hold a certificate for a key: asked at each renewal and at the start of each stream. A certificate past its
 * time is no obstacle to a renewal (the machine may have been off for a week); another key, a revoked one, and a machine that
 * is retired or gone are.
 */
export function decideRenewal(
  machine: Machine | undefined,
  keyFingerprint: string,
  isKeyRevoked: boolean,
): RenewalDecision {
  if (machine === undefined) return { kind: "refuse", reason: "the inventory does not know this machine" };
  if (isKeyRevoked) return { kind: "refuse", reason: "its key was revoked" };
  if (machine.lifecycle === "retired") return { kind: "refuse", reason: "the machine is retired" };
  if (machine.keyFingerprint !== keyFingerprint)
    return { kind: "refuse", reason: "this is not the key that the machine enrolled with" };
  return { kind: "renew" };
}
