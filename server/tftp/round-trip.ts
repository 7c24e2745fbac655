// When to send again: the retransmission timer from measured round trips (RFC 6298, with floors for a LAN). Under loss
// this timer decides the speed: 1 s, as other servers have it, gives a tenth of the rate (performance.md §2). Pure.

/** What is known of one client's round trip. */
export type RoundTrip = { samples: number; smoothedMs: number; variationMs: number };

export const NO_ROUND_TRIP: RoundTrip = { samples: 0, smoothedMs: 0, variationMs: 0 };

const FIRST_MS = 1000;
const MOST_MS = 4000;
const FLOOR_MS = 200;
/** With this many samples the floor may be lower: the client has shown that it answers evenly. */
const SURE_SAMPLES = 8;
const SURE_FLOOR_MS = 50;

/** Takes in one measured round trip (RFC 6298 §2). Retransmitted packets must not be measured (Karn). */
export function addSample(trip: RoundTrip, ms: number): RoundTrip {
  if (trip.samples === 0) return { samples: 1, smoothedMs: ms, variationMs: ms / 2 };
  const variationMs = trip.variationMs * 0.75 + Math.abs(trip.smoothedMs - ms) * 0.25;
  return { samples: trip.samples + 1, smoothedMs: trip.smoothedMs * 0.875 + ms * 0.125, variationMs };
}

/**
 * Milliseconds until a packet is sent again.
 * @param doublings how often it was sent again without an answer.
 */
export function resendAfterMs(trip: RoundTrip, doublings: number): number {
  const floor = trip.samples >= SURE_SAMPLES ? SURE_FLOOR_MS : FLOOR_MS;
  const base = trip.samples === 0 ? FIRST_MS : Math.max(floor, trip.smoothedMs + 4 * trip.variationMs);
  return Math.min(MOST_MS, base * 2 ** Math.min(doublings, 10));
}
