// Who holds the cluster's endpoint, seen from one control plane node. Pure: what is, and what was seen, in; what to do, out.
// run-vip.ts does it. The kernel is the safety net: the address is given for five seconds at a time, so that a node whose
// agent died loses it by itself.

/** Longest that the kernel keeps the address without word from the agent. It goes after 6 to 7 s: measured. */
export const VALID_SECONDS = 5;
/** How often the agent looks, and gives the address its time again. */
export const TICK_MS = 1500;
/** Caches that missed the first announcement hear a later one. */
export const ANNOUNCE_EVERY_MS = 10_000;
/** A busy API server misses a probe now and then; one that is gone misses all. */
export const MOST_MISSES = 4;
/** After somebody else was seen with the address; up to twice that, by chance, so that two who took it at once do not again. */
export const KEEP_OFF_MS = 3000;

export type VipState =
  | { kind: "away"; notBeforeMs: number; rival?: string }
  | { kind: "held"; announcedMs: number; misses: number };

export type VipEvent =
  /** The time is up to look again. `isReady`: the API server of this node answers. */
  | { kind: "tick"; isReady: boolean; nowMs: number }
  /** The probe's result: the MAC of whoever answered. */
  | { kind: "probed"; rival: string | undefined; nowMs: number; chance: number }
  /** Somebody else announced the address while it was held. */
  | { kind: "rival"; mac: string; nowMs: number; chance: number };

/** `take` sets and announces; `renew` only sets. */
export type VipAction = "none" | "probe" | "take" | "renew" | "announce" | "release";

export const AWAY: VipState = { kind: "away", notBeforeMs: 0 };

/** One step. `take` and `announce` both set the address and announce it. */
export function stepVip(state: VipState, event: VipEvent): [VipState, VipAction] {
  if (state.kind === "away") return stepAway(state, event);
  if (event.kind === "rival") return [keepOff(event, event.mac), "release"];
  if (event.kind === "probed") return [state, "none"];
  const misses = event.isReady ? 0 : state.misses + 1;
  if (misses > MOST_MISSES) return [{ kind: "away", notBeforeMs: event.nowMs }, "release"];
  const isDue = event.nowMs - state.announcedMs >= ANNOUNCE_EVERY_MS;
  return [{ ...state, misses, announcedMs: isDue ? event.nowMs : state.announcedMs }, isDue ? "announce" : "renew"];
}

function stepAway(state: Extract<VipState, { kind: "away" }>, event: VipEvent): [VipState, VipAction] {
  if (event.kind === "tick") return [state, event.isReady && event.nowMs >= state.notBeforeMs ? "probe" : "none"];
  if (event.kind === "rival") return [state, "none"];
  if (event.rival === undefined) return [{ kind: "held", announcedMs: event.nowMs, misses: 0 }, "take"];
  return [keepOff(event, event.rival), "none"];
}

const keepOff = ({ nowMs, chance }: { nowMs: number; chance: number }, rival: string): VipState => ({
  kind: "away",
  notBeforeMs: nowMs + KEEP_OFF_MS * (1 + chance),
  rival,
});
