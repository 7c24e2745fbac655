// Who may fetch a boot attempt's ticket (design §6.1). Pure.
import type { Ticket } from "../../inventory/ticket.ts";

export type TicketFetch = { kind: "give" } | { kind: "refuse"; reason: string };

/**
 * A ticket may be fetched by the address that asked for the script, while it is valid and until a key is bound to it:
 * a broken download may be repeated, and each fetch makes the token before it worthless.
 *
 * @param now milliseconds since 1970.
 */
export function decideTicketFetch(ticket: Ticket | undefined, remoteIp: string, now: number): TicketFetch {
  if (ticket === undefined) return refuse("there is no such ticket");
  if (ticket.sourceIp !== remoteIp) return refuse(`it belongs to ${ticket.sourceIp}, not to ${remoteIp}`);
  if (now >= ticket.expiresAt) return refuse("it is too late: the ticket has run out");
  if (ticket.keyFingerprint !== undefined) return refuse("it was used already");
  return { kind: "give" };
}

const refuse = (reason: string): TicketFetch => ({ kind: "refuse", reason });
