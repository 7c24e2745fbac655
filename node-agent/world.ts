// All that the agent's loops touch, as one argument: main.ts fills it from the machine, a test from what it wants to see.
// Pure: types only.
import type { Facts } from "../server/contract/generated/agent.ts";
import type { Clock } from "./clock-service.ts";
import type { AgentLog } from "./log.ts";
import type { Notify } from "./notify-socket.ts";
import type { KernelLog } from "./read-kmsg.ts";
import type { ScreenStatus } from "./screen.ts";
import type { Store } from "./store.ts";

/** How often a session looks, in milliseconds. */
export type Pace = {
  /** For new log lines. */
  linesMs: number;
  /** For facts that changed, and for a certificate that has lived two thirds of its time. */
  factsMs: number;
};

export type World = {
  store: Store;
  clock: Clock;
  log: AgentLog;
  notify: Notify;
  version: string;
  bootId: string;
  /** The agent's own start, milliseconds since the kernel's. */
  startedMs: number;
  observe(): Facts;
  /** Own addresses, as one text: it differs when one came or went. Cheap, asked four times a second while waiting. */
  addresses(): string;
  show(status: ScreenStatus): void;
  openKernelLog(afterSeq: number): KernelLog | undefined;
  /** Resolves after `ms`, or at once when the signal says stop. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** From 0 to 1. */
  chance(): number;
  pace: Pace;
};
