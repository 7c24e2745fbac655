// When a network card has no address although it could: the last lease is used, after a probe. Pure: what is known of one card
// in, what to do out. run-addresses.ts does it. "A running node never drops its address for want of a server" is networkd's
// part (KeepConfiguration= in the .network files); this is what remains: a start without a server.
import type { Lease } from "./lease.ts";

/** From carrier on: a server that is there answers well within it. */
export const WAIT_FOR_DHCP_MS = 10_000;
/** After somebody else was seen with the address. */
export const PROBE_AGAIN_MS = 30_000;
/** DHCP's routes have 1024: theirs win as soon as they come. */
export const FALLBACK_METRIC = 2048;

export type CardState = {
  hasCarrier: boolean;
  /** Milliseconds of uptime at which carrier was seen first; undefined without. */
  carrierSinceMs: number | undefined;
  /** IPv4 addresses of the card, without the endpoint and without what the agent set itself. */
  addresses: readonly string[];
  /** What networkd holds now. */
  lease: Lease | undefined;
  saved: Lease | undefined;
  /** What the agent set from `saved`, if it did. */
  used: Lease | undefined;
  /** When the last probe found the address taken. */
  takenAtMs: number | undefined;
};

export type CardAction =
  | { kind: "none" }
  /** Ask by ARP whether `lease` is free, then use it. */
  | { kind: "use"; lease: Lease }
  /** Another one came: take what was used back. `keepsAddress`: the server gave the same address again. */
  | { kind: "drop"; lease: Lease; keepsAddress: boolean };

export function decideCard(card: CardState, nowMs: number): CardAction {
  const { used, lease, saved } = card;
  if (used !== undefined) {
    if (lease !== undefined) return { kind: "drop", lease: used, keepsAddress: lease.address === used.address };
    const isGone = !card.addresses.includes(used.address);
    return isGone && card.hasCarrier ? { kind: "use", lease: used } : { kind: "none" };
  }
  if (saved === undefined || lease !== undefined || card.addresses.length > 0) return { kind: "none" };
  if (!card.hasCarrier || card.carrierSinceMs === undefined) return { kind: "none" };
  if (nowMs - card.carrierSinceMs < WAIT_FOR_DHCP_MS) return { kind: "none" };
  if (card.takenAtMs !== undefined && nowMs - card.takenAtMs < PROBE_AGAIN_MS) return { kind: "none" };
  return { kind: "use", lease: saved };
}
