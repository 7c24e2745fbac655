// A rate with room for bursts: log lines, refused strangers. Used at both ends of slipway.v1. Pure: time is an argument.

export type Rate = {
  /** How many may come at once after a quiet time. */
  burst: number;
  perSecond: number;
};

/** Counts what may pass and what was refused. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #atMs: number;
  #refused = 0;

  /** @param nowMs milliseconds on any clock that only goes forward. */
  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#atMs = nowMs;
  }

  /** Whether one more may pass now; a refusal is counted. A clock that went back gives nothing and takes nothing. */
  take(nowMs: number): boolean {
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (passedMs / 1000) * this.#rate.perSecond);
    this.#atMs = nowMs;
    if (this.#tokens < 1) {
      this.#refused++;
      return false;
    }
    this.#tokens--;
    return true;
  }

  /** Refusals since the last call, and forgets them. */
  takeRefused(): number {
    const refused = this.#refused;
    this.#refused = 0;
    return refused;
  }
}
