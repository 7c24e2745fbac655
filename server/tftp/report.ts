// What the TFTP server tells: events on the machine's timeline, sampled log lines, counters. Called by server.ts.
import type { Ipv4, Mac } from "../../inventory/address.ts";
import type { EventKind } from "../../inventory/event.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { Sampler, TokenBuckets } from "./flood.ts";
import { printableName } from "./names.ts";
import type { TransferEnd } from "./run-transfer.ts";

/** Missing files and refusals that become events; a flood of them is only counted. */
const TROUBLE_EVENTS = { burst: 60, perSecond: 1, maxKeys: 4096 };
const LOG_EVERY_MS = 10_000;

export type ReportDeps = {
  log: Log;
  record: RecordEvent;
  macOf: (ip: Ipv4) => Mac | undefined;
  onDone?: ((name: string, clientIp: Ipv4) => void) | undefined;
};

export class Report {
  readonly #deps: ReportDeps;
  readonly #troubles = new TokenBuckets(TROUBLE_EVENTS);
  readonly #sampler = new Sampler(LOG_EVERY_MS);
  readonly counts = { requests: 0, done: 0, missing: 0, failed: 0, dropped: 0 };

  constructor(deps: ReportDeps) {
    this.#deps = deps;
  }

  /** A datagram that gets no answer: one counter, and one log line in ten seconds per kind. */
  dropped(
    kind: "malformed" | "flood" | "full" | "stray" | "ports",
    from: { address: string; port: number },
    why: string,
  ): void {
    this.counts.dropped++;
    const times = this.#sampler.note(kind, performance.now());
    if (times === undefined) return;
    const others = times === 1 ? "" : ` (${times} such since the last line)`;
    this.#deps.log.warn(`TFTP: a datagram of ${from.address}:${from.port} was dropped: ${why}${others}.`);
  }

  started(name: string, clientIp: Ipv4, bytes: number): void {
    this.#record("tftp-start", clientIp, { file: printableName(name), bytes });
  }

  missing(name: string, clientIp: Ipv4): void {
    this.counts.missing++;
    this.#trouble("tftp-missing", clientIp, { file: printableName(name) });
  }

  refused(name: string, clientIp: Ipv4, reason: string): void {
    this.counts.failed++;
    this.#trouble("tftp-failed", clientIp, { file: printableName(name), reason });
  }

  /** A file that could not be opened: the machine's timeline says why, the log has the cause. */
  fault(name: string, clientIp: Ipv4, cause: Error): void {
    this.refused(name, clientIp, cause.message);
    const times = this.#sampler.note("fault", performance.now());
    if (times !== undefined)
      this.#deps.log.error(`TFTP: ${printableName(name)} could not be served.`, { cause, times });
  }

  ended(name: string, clientIp: Ipv4, bytes: number, end: TransferEnd, wasStarted: boolean): void {
    const file = printableName(name);
    const ms = Math.round(end.ms);
    if (end.kind === "done") {
      this.counts.done++;
      this.#record("tftp-done", clientIp, { file, bytes, ms });
      this.#deps.onDone?.(name, clientIp);
    } else if (!end.isQuiet) {
      this.counts.failed++;
      this.#trouble("tftp-failed", clientIp, { file, bytes: end.sentBytes, ms, reason: end.reason });
    } else if (wasStarted) {
      this.#trouble("tftp-stopped", clientIp, { file, bytes: end.sentBytes, ms });
    } else {
      this.#deps.log.debug(`TFTP: ${clientIp} asked for the size of ${file} (${bytes} bytes).`);
    }
  }

  #trouble(kind: EventKind, clientIp: Ipv4, detail: Record<string, string | number>): void {
    if (this.#troubles.take(clientIp, performance.now())) this.#record(kind, clientIp, detail);
  }

  /** Events without a known machine carry the address, so that nothing goes unseen. */
  #record(kind: EventKind, clientIp: Ipv4, detail: Record<string, string | number>): void {
    const mac = this.#deps.macOf(clientIp);
    this.#deps.record({ kind, ...(mac !== undefined && { mac }), detail: { ...detail, ip: clientIp } });
  }
}
