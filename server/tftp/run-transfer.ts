// Drives one transfer: gives the pure state machine its events, and does what it answers. Owns the transfer's timer and
// nothing else; the sockets are given by server.ts as a channel.

import type { Negotiated } from "./options.ts";
import { encodeDataHeader, encodePacket, type TftpPacket } from "./packet.ts";
import { startTransfer, stepTransfer, type Transfer, type TransferAction, type TransferEvent } from "./transfer.ts";

export type TransferEnd =
  | { kind: "done"; ms: number }
  /** `sentBytes`: what the client acknowledged. */
  | { kind: "failed"; reason: string; isQuiet: boolean; ms: number; sentBytes: number };

export type RunOptions = {
  bytes: Uint8Array;
  negotiated: Negotiated;
  send(parts: readonly Uint8Array[]): void;
  /** The first ACK: the client really reads, it does not only ask for the size. */
  onFirstAck(): void;
  /** Called once, unless `stop` came first. */
  onEnd(end: TransferEnd): void;
};

export class RunningTransfer {
  readonly #options: RunOptions;
  readonly #startedAtMs = performance.now();
  #state: Transfer;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isOver = false;

  constructor(options: RunOptions) {
    this.#options = options;
    const { blockBytes, windowBlocks, timeoutMs, granted } = options.negotiated;
    const spec = {
      sizeBytes: options.bytes.length,
      blockBytes,
      windowBlocks,
      hasOack: granted.length > 0,
      ...(timeoutMs !== undefined && { timeoutMs }),
    };
    const [state, action] = startTransfer(spec, this.#startedAtMs);
    this.#state = state;
    this.#act(action);
  }

  get hasFirstAck(): boolean {
    return this.#state.hasFirstAck;
  }

  /** A packet of the client on this transfer's port. Only ACK and ERROR mean something; the rest is ignored. */
  receive(packet: TftpPacket): void {
    if (packet.kind === "ack" || packet.kind === "error") this.tell(packet);
  }

  tell(event: TransferEvent): void {
    if (this.#isOver) return;
    const had = this.#state.hasFirstAck;
    const [state, action] = stepTransfer(this.#state, event, performance.now());
    this.#state = state;
    if (!had && state.hasFirstAck) this.#options.onFirstAck();
    this.#act(action);
  }

  /** Ends it without a word to anybody. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #act(action: TransferAction): void {
    if (action.kind === "send") this.#send(action.first, action.last);
    if (action.kind === "done" || action.kind === "give-up") this.#end(action);
    else this.#arm();
  }

  #send(first: number, last: number): void {
    for (let block = first; block <= last; block++) this.#options.send(this.#packet(block));
  }

  /** Block 0 is the OACK. The data goes out as a slice of the file beside its header: nothing is copied. */
  #packet(block: number): Uint8Array[] {
    const { bytes, negotiated } = this.#options;
    if (block === 0) return [encodePacket({ kind: "oack", options: negotiated.granted })];
    const start = (block - 1) * negotiated.blockBytes;
    return [encodeDataHeader(block), bytes.subarray(start, start + negotiated.blockBytes)];
  }

  /** One timer, moved only when it would ring too late: per packet this costs a comparison. */
  #arm(): void {
    const { dueAtMs } = this.#state;
    if (this.#timerAtMs <= dueAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = dueAtMs;
    this.#timer = setTimeout(() => this.#ring(), Math.max(1, dueAtMs - performance.now()));
  }

  /** After a stall of the event loop timers come first: the ACK that waits in the socket is given its turn before. */
  #ring(): void {
    setImmediate(() => {
      if (this.#isOver) return;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      if (performance.now() >= this.#state.dueAtMs) this.tell({ kind: "timeout" });
      else this.#arm();
    });
  }

  #end(action: Extract<TransferAction, { kind: "done" | "give-up" }>) {
    this.stop();
    const ms = performance.now() - this.#startedAtMs;
    if (action.kind === "done") return this.#options.onEnd({ kind: "done", ms });
    const { acked, spec } = this.#state;
    const sentBytes = Math.min(Math.max(acked, 0) * spec.blockBytes, spec.sizeBytes);
    this.#options.onEnd({ kind: "failed", reason: action.reason, isQuiet: action.isQuiet, ms, sentBytes });
  }
}
