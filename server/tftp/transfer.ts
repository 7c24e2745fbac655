// One TFTP read transfer as a value: (state, event) → [state, action]. No socket, no timer, no bytes of the file: block
// numbers only. run-transfer.ts drives it. Blocks are counted without wrapping here (block 0 is the OACK); the sixteen
// bits of the wire are brought back to the block nearest to what was acknowledged, which is the rollover 65535 → 0.
// Sources: RFC 1350 §2, RFC 1123 §4.2.3.1, RFC 7440 §4, pxe.md 4.2.
import { addSample, NO_ROUND_TRIP, type RoundTrip, resendAfterMs } from "./round-trip.ts";

export type TransferSpec = {
  sizeBytes: number;
  blockBytes: number;
  /** Blocks that are sent before an ACK is awaited; 1 is lock-step. */
  windowBlocks: number;
  /** An OACK goes first and is acknowledged as block 0. */
  hasOack: boolean;
  /** The client's negotiated timer; it overrides the measured one (RFC 2349). */
  timeoutMs?: number;
};

export type Transfer = Readonly<{
  spec: TransferSpec;
  /** The block that is shorter than a whole one, possibly empty. */
  lastBlock: number;
  /** Highest acknowledged block; −1 while the OACK is not. */
  acked: number;
  /** Highest block of the flight that is on its way. */
  sent: number;
  sentAtMs: number;
  /** Part of the flight was sent before: its round trip says nothing (Karn). */
  isResent: boolean;
  resentAtMs: number;
  /** What was acknowledged when the flight was sent again. */
  resentFrom: number;
  hasFirstAck: boolean;
  progressAtMs: number;
  trip: RoundTrip;
  doublings: number;
  /** When the caller must send a `timeout` event. */
  dueAtMs: number;
  /** `dueAtMs` is soon because the client hinted at a loss, not because it is silent. */
  isHinted: boolean;
}>;

export type TransferEvent =
  | { kind: "ack"; block: number }
  | { kind: "error"; code: number; message: string }
  | { kind: "timeout" }
  /** The same request came again: the client did not see our first packet. */
  | { kind: "asked-again" }
  /** ICMP said that nobody listens on the client's port any more. */
  | { kind: "unreachable" };

export type TransferAction =
  | { kind: "none" }
  /** Send these blocks; block 0 is the OACK. */
  | { kind: "send"; first: number; last: number }
  | { kind: "done" }
  /** `isQuiet`: firmware ends its size probes so; nobody needs to hear of it. */
  | { kind: "give-up"; reason: string; isQuiet: boolean };

type Step = [Transfer, TransferAction];

/** Without any answer: an RRQ from a forged address must not hold a socket long. Old Pis need 30 s (pxe.md 3.3). */
const GIVE_UP_FIRST_MS = 30_000;
const GIVE_UP_MS = 60_000;
/** A repeated ACK in lock-step is the echo of a repeated DATA unless the block has been on its way for this long. */
const LOCKSTEP_QUIET_MS = 200;
/** With windows, one resend in this time from the same block, whatever the client says. */
const WINDOW_QUIET_MS = 50;
/** A hint is waited out at least so long; the timers of both sides have about this grain. */
const HINT_FLOOR_MS = 3;
/** ERROR codes with which clients end a probe: 0 (Pi "Early terminate", iPXE, GRUB), 8 (EDK2). */
const PROBE_ENDS: ReadonlySet<number> = new Set([0, 8]);

/** Begins a transfer: the OACK, or the first window. */
export function startTransfer(spec: TransferSpec, nowMs: number): Step {
  const acked = spec.hasOack ? -1 : 0;
  const start: Transfer = {
    spec,
    lastBlock: Math.floor(spec.sizeBytes / spec.blockBytes) + 1,
    acked,
    sent: acked,
    sentAtMs: nowMs,
    isResent: false,
    resentAtMs: Number.NEGATIVE_INFINITY,
    resentFrom: Number.NEGATIVE_INFINITY,
    hasFirstAck: false,
    progressAtMs: nowMs,
    trip: NO_ROUND_TRIP,
    doublings: 0,
    dueAtMs: nowMs,
    isHinted: false,
  };
  return sendWindow(start, nowMs);
}

/** What follows from an event. The state that is returned replaces the given one. */
export function stepTransfer(t: Transfer, event: TransferEvent, nowMs: number): Step {
  switch (event.kind) {
    case "ack":
      return onAck(t, event.block, nowMs);
    case "timeout":
      return onTimeout(t, nowMs);
    case "asked-again":
      return t.hasFirstAck ? nothing(t) : sendAgain(t, t.doublings, nowMs);
    case "error":
      return giveUp(
        t,
        `the client says: ${event.message || "no reason"} (code ${event.code})`,
        PROBE_ENDS.has(event.code),
      );
    case "unreachable":
      // The last ACK can be lost; a client that has its file closes its port and never answers again.
      if (t.hasFirstAck && t.sent === t.lastBlock) return [t, { kind: "done" }];
      return giveUp(t, "the client closed its port", !t.hasFirstAck);
  }
}

function onAck(t: Transfer, block: number, nowMs: number): Step {
  const ahead = (block - t.acked) & 0xffff;
  if (t.acked < 0 && block !== 0) return nothing(t);
  if (ahead === 0) return onRepeatedAck(t, nowMs);
  // Older than what we know, or of a block that was never sent: GRUB and old Pis do that (firmware #1631).
  if (ahead > t.sent - t.acked) return nothing(t);
  const trip = t.isResent ? t.trip : addSample(t.trip, nowMs - t.sentAtMs);
  const next: Transfer = { ...t, acked: t.acked + ahead, trip, hasFirstAck: true, progressAtMs: nowMs, doublings: 0 };
  if (next.acked === t.lastBlock) return [next, { kind: "done" }];
  return next.acked === t.sent ? sendWindow(next, nowMs) : slideWindow(next, nowMs);
}

/** The next flight: the OACK alone, or a window of new blocks. */
function sendWindow(t: Transfer, nowMs: number): Step {
  const sent = t.acked < 0 ? 0 : Math.min(t.acked + t.spec.windowBlocks, t.lastBlock);
  const next = { ...t, sent, sentAtMs: nowMs, isResent: false, isHinted: false };
  return [
    { ...next, dueAtMs: dueAt(next, nowMs) },
    { kind: "send", first: t.acked + 1, last: sent },
  ];
}

/**
 * An ACK inside the window (RFC 7440 §4): the next block was lost, or the client answers a block that it had already.
 * EDK2 sends the same ACK for both. Sending again at once would be wrong in the second case, and would go on for ever:
 * each repeated block brings another such ACK. So the window only slides, which gives the client a whole window from its
 * ACK on; if the rest is really lost, it stays silent or says so again, and the hint's short timer sends it.
 */
function slideWindow(t: Transfer, nowMs: number): Step {
  const sent = Math.min(t.acked + t.spec.windowBlocks, t.lastBlock);
  const next = hinted({ ...t, sent, isResent: true, dueAtMs: nowMs + waitMs(t, 0) }, nowMs);
  return sent > t.sent ? [next, { kind: "send", first: t.sent + 1, last: sent }] : nothing(next);
}

/** An ACK of the block that was acknowledged last. Answering each would double every later packet (RFC 1123 §4.2.3.1). */
function onRepeatedAck(t: Transfer, nowMs: number): Step {
  if (t.spec.windowBlocks > 1) return nothing(hinted(t, nowMs));
  const isLong = nowMs - t.sentAtMs > LOCKSTEP_QUIET_MS && nowMs - t.resentAtMs >= waitMs(t, 0);
  return isLong ? sendAgain(t, t.doublings, nowMs) : nothing(t);
}

/** The client hinted at a loss: unless it goes on within about a round trip, its window is sent again. */
function hinted(t: Transfer, nowMs: number): Transfer {
  const { samples, smoothedMs, variationMs } = t.trip;
  const soonMs = samples === 0 ? WINDOW_QUIET_MS : Math.max(HINT_FLOOR_MS, 2 * smoothedMs + 4 * variationMs);
  const earliestMs = t.resentFrom === t.acked ? t.resentAtMs + WINDOW_QUIET_MS : nowMs;
  const dueAtMs = Math.max(nowMs + soonMs, earliestMs);
  return dueAtMs < t.dueAtMs ? { ...t, dueAtMs, isHinted: true } : t;
}

function onTimeout(t: Transfer, nowMs: number): Step {
  if (nowMs < t.dueAtMs) return nothing(t);
  // The same sum as in dueAt: a difference could round to just under the limit, and the timer would ring for ever.
  if (nowMs >= t.progressAtMs + giveUpMs(t)) {
    const quietMs = nowMs - t.progressAtMs;
    const what = t.sent === 0 ? "the OACK" : `block ${t.acked + 1}`;
    return giveUp(t, `no answer to ${what} for ${Math.round(quietMs / 1000)} s`, false);
  }
  return sendAgain(t, t.isHinted ? t.doublings : t.doublings + 1, nowMs);
}

function sendAgain(t: Transfer, doublings: number, nowMs: number): Step {
  const again = { sentAtMs: nowMs, isResent: true, resentAtMs: nowMs, resentFrom: t.acked, doublings, isHinted: false };
  const next = { ...t, ...again };
  return [
    { ...next, dueAtMs: dueAt(next, nowMs) },
    { kind: "send", first: t.acked + 1, last: t.sent },
  ];
}

const giveUpMs = (t: Transfer): number => (t.hasFirstAck ? GIVE_UP_MS : GIVE_UP_FIRST_MS);
const waitMs = (t: Transfer, doublings: number): number => t.spec.timeoutMs ?? resendAfterMs(t.trip, doublings);
const dueAt = (t: Transfer, nowMs: number): number =>
  Math.min(nowMs + waitMs(t, t.doublings), Math.max(nowMs, t.progressAtMs + giveUpMs(t)));

const nothing = (t: Transfer): Step => [t, { kind: "none" }];
const giveUp = (t: Transfer, reason: string, isQuiet: boolean): Step => [t, { kind: "give-up", reason, isQuiet }];
