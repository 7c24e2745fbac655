// The streams that are open now, one per machine, found by machine and by key. Pure bookkeeping: node-service.ts opens and
// closes them.

import type { LiveMachine } from "../boot/live-machine.ts";
import { type Twins, TwinWatch } from "./twin-watch.ts";

export type Session = {
  machineId: string;
  /** SHA-256 of the key behind the client certificate, hex. */
  keyFingerprint: string;
  /** What it says of itself now. */
  live: LiveMachine;
  /** Where it comes from; empty when that cannot be known. */
  remoteIp: string;
  /** Tells the machine how it is seen now. */
  refresh(): void;
  /** Ends the stream; the reason goes to the machine. */
  end(reason: string): void;
};

/** Which machines are in touch. */
export class Sessions {
  readonly #byMachine = new Map<string, Session>();
  readonly #twins = new TwinWatch();

  /**
   * A machine has one stream: the older one is half-open (its switch lost power) or its agent was restarted.
   *
   * @param now milliseconds since 1970.
   * @returns the addresses of two that use one key, when a person has to be told.
   */
  add(session: Session, now: number): Twins | undefined {
    const older = this.#byMachine.get(session.machineId);
    this.#byMachine.set(session.machineId, session);
    older?.end("the machine opened another stream");
    return this.#twins.note(session.machineId, session.remoteIp, now);
  }

  /** @returns whether it was still the machine's stream: only then is the machine out of touch. */
  remove(session: Session): boolean {
    if (this.#byMachine.get(session.machineId) !== session) return false;
    return this.#byMachine.delete(session.machineId);
  }

  /** undefined: the machine is not in touch. */
  find(machineId: string): Session | undefined {
    return this.#byMachine.get(machineId);
  }

  refresh(machineId: string): void {
    this.#byMachine.get(machineId)?.refresh();
  }

  refreshAll(): void {
    for (const session of this.#byMachine.values()) session.refresh();
  }

  endMachine(machineId: string, reason: string): void {
    this.#twins.forget(machineId);
    this.#byMachine.get(machineId)?.end(reason);
  }

  endKey(keyFingerprint: string, reason: string): void {
    for (const session of this.#byMachine.values()) if (session.keyFingerprint === keyFingerprint) session.end(reason);
  }

  endAll(reason: string): void {
    for (const session of this.#byMachine.values()) session.end(reason);
  }

  get size(): number {
    return this.#byMachine.size;
  }
}
