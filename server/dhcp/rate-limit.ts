// Two brakes against one client's flood: answers per MAC and second, and log lines per cause. Pure: time is an argument.
// Called by run-answer.ts.

/** No firmware asks more often; each answered retransmission below that is cheap (pxe.md 1.4). */
export const MAX_PER_SECOND = 20;
/** Keys remembered at once; beyond it the table starts anew, so that a flood of invented MACs takes no memory. */
const MAX_KEYS = 4096;

/** Counts per key and second. */
export class RateLimit {
  #second = 0;
  readonly #counts = new Map<string, number>();

  /** @returns whether this one is within the limit. @param nowMs milliseconds of any clock that does not go back. */
  allow(key: string, nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second || this.#counts.size >= MAX_KEYS) {
      this.#second = second;
      this.#counts.clear();
    }
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count <= MAX_PER_SECOND;
  }
}

/** Lets one line per cause and minute through and says how many were kept back since the last one. */
export class LogSample {
  readonly #seen = new Map<string, { at: number; kept: number }>();
  readonly #everyMs: number;
  constructor(everyMs = 60_000) {
    this.#everyMs = everyMs;
  }

  /** @returns undefined: say nothing; else the number of like lines that were kept back before this one. */
  take(cause: string, nowMs: number): number | undefined {
    const seen = this.#seen.get(cause);
    if (seen !== undefined && nowMs - seen.at < this.#everyMs) {
      seen.kept++;
      return undefined;
    }
    if (this.#seen.size >= MAX_KEYS) this.#seen.clear();
    this.#seen.set(cause, { at: nowMs, kept: 0 });
    return seen?.kept ?? 0;
  }
}
