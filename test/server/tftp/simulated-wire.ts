// A wire and a client for transfer.ts without sockets and without waiting: packets are events of a virtual clock, the
// loss comes from a seed. The client does what RFC 1350 and RFC 7440 ask of it, or what a named firmware does instead.
import {
  startTransfer,
  stepTransfer,
  type Transfer,
  type TransferAction,
  type TransferEvent,
  type TransferSpec,
} from "../../../server/tftp/transfer.ts";

export type Habit =
  /** Acknowledges in-order data, and the last good block for anything else (Pi, U-Boot, EDK2, RFC 7440). */
  | "re-acks"
  /** Acknowledges the last block again when it comes twice (RFC 1350), is silent on a gap: only its timer speaks. */
  | "silent";

export type SimulationOptions = {
  spec: TransferSpec;
  seed: number;
  /** Probability that a packet is lost, each way. */
  loss: number;
  oneWayMs: number;
  habit: Habit;
  clientTimeoutMs?: number;
};

export type SimulationResult = {
  end: "done" | "gave-up";
  reason: string;
  /** Blocks in the order in which the client took them. */
  received: number[];
  sentPackets: number;
  ms: number;
};

/** mulberry32: small, seeded, the same everywhere. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

type Job = { atMs: number; run: () => void };

/** Runs a whole transfer. The client times out like firmware: it repeats its last ACK. */
export function simulate(options: SimulationOptions): SimulationResult {
  const { spec, loss, oneWayMs, habit, clientTimeoutMs = 1000 } = options;
  const random = seeded(options.seed);
  const jobs: Job[] = [];
  let nowMs = 0;
  let result: Pick<SimulationResult, "end" | "reason"> | undefined;
  let sentPackets = 0;
  let expected = spec.hasOack ? 0 : 1;
  let inWindow = 0;
  let hasAll = false;
  let heardAtMs = 0;
  const received: number[] = [];
  let state: Transfer;

  const later = (ms: number, run: () => void) => void jobs.push({ atMs: nowMs + ms, run });
  const toServer = (event: TransferEvent) => {
    if (random() >= loss) later(oneWayMs, () => tell(event));
  };
  const ack = () => toServer({ kind: "ack", block: (expected - 1) & 0xffff });

  /** The client's side of one packet. */
  const onBlock = (block: number) => {
    heardAtMs = nowMs;
    if (block !== expected) {
      if (habit === "silent" && block !== expected - 1) return;
      inWindow = 0; // an ACK begins a new window (RFC 7440 §4; EDK2 AckedBlock = TotalBlock)
      return ack();
    }
    expected++;
    if (block > 0) received.push(block);
    inWindow = block === 0 ? 0 : inWindow + 1;
    hasAll = block === state.lastBlock;
    if (block === 0 || hasAll || inWindow >= spec.windowBlocks) {
      inWindow = 0;
      ack();
    }
  };
  const act = (action: TransferAction) => {
    if (action.kind === "done") result = { end: "done", reason: "" };
    if (action.kind === "give-up") result = { end: "gave-up", reason: action.reason };
    if (action.kind !== "send") return;
    for (let block = action.first; block <= action.last; block++) {
      sentPackets++;
      if (random() >= loss) later(oneWayMs, () => onBlock(block));
    }
  };
  const tell = (event: TransferEvent) => {
    if (result !== undefined) return;
    const [next, action] = stepTransfer(state, event, nowMs);
    state = next;
    act(action);
  };

  const [first, action] = startTransfer(spec, nowMs);
  state = first;
  act(action);
  while (result === undefined) {
    jobs.sort((a, b) => a.atMs - b.atMs);
    const next = jobs[0]?.atMs ?? Number.POSITIVE_INFINITY;
    const clientDue = hasAll ? Number.POSITIVE_INFINITY : heardAtMs + clientTimeoutMs;
    nowMs = Math.max(nowMs, Math.min(next, state.dueAtMs, clientDue));
    if (next <= nowMs) jobs.shift()!.run();
    else if (clientDue <= nowMs) {
      heardAtMs = nowMs;
      inWindow = 0;
      if (expected > (spec.hasOack ? 0 : 1)) ack();
    } else tell({ kind: "timeout" });
  }
  return { ...result, received, sentPackets, ms: nowMs };
}
