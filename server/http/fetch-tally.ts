// How much of a file a machine has, over several requests: firmware resumes after a break, sanboot reads in pieces of 512
// bytes. The timeline wants one "has it" for all of them. Called by image-routes.ts with the time. Pure.

type Sum = { bytes: number; firstAtMs: number; lastAtMs: number };

/** So much of a file counts as all of it: block readers leave out what they know already. */
const NEARLY_ALL = 0.99;
const FORGET_MS = 10 * 60_000;
const MAX_SUMS = 4096;

export class FetchTally {
  readonly #sums = new Map<string, Sum>();

  /**
   * Adds the bytes of one request that did not bring the whole file.
   * @param key names client and file.
   * @param beganAtMs when the request began, `nowMs` when it ended; milliseconds of one clock.
   * @returns the sum once it is nearly the whole file; then it starts again from nothing.
   */
  add(key: string, bytes: number, totalBytes: number, beganAtMs: number, nowMs: number) {
    const old = this.#sums.get(key);
    const isFresh = old !== undefined && nowMs - old.lastAtMs < FORGET_MS;
    const sum = {
      bytes: bytes + (isFresh ? old.bytes : 0),
      firstAtMs: isFresh ? old.firstAtMs : beganAtMs,
      lastAtMs: nowMs,
    };
    this.#sums.delete(key);
    if (sum.bytes >= totalBytes * NEARLY_ALL)
      return { bytes: Math.min(sum.bytes, totalBytes), ms: nowMs - sum.firstAtMs };
    if (this.#sums.size >= MAX_SUMS) this.#sums.delete(this.#sums.keys().next().value!);
    this.#sums.set(key, sum);
    return undefined;
  }

  /** The client has the file, or starts it anew. */
  forget(key: string): void {
    this.#sums.delete(key);
  }
}
