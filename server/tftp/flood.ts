// How much one address may ask: token buckets with a bounded memory, so that a flood from one client, or from forged
// addresses, costs counters and not the process. Called by server.ts with the time. Pure.

type Bucket = { tokens: number; atMs: number };

/** `burst` at once, then `perSecond`; the address that was quiet longest is forgotten first when `maxKeys` is reached. */
export type BucketRule = { burst: number; perSecond: number; maxKeys: number };

export class TokenBuckets {
  readonly #rule: BucketRule;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rule: BucketRule) {
    this.#rule = rule;
  }

  /** Takes one token. @returns false when there is none. */
  take(key: string, nowMs: number): boolean {
    const { burst, perSecond, maxKeys } = this.#rule;
    const old = this.#buckets.get(key);
    const tokens = old === undefined ? burst : Math.min(burst, old.tokens + ((nowMs - old.atMs) / 1000) * perSecond);
    const isAllowed = tokens >= 1;
    this.#buckets.delete(key);
    if (this.#buckets.size >= maxKeys) this.#buckets.delete(this.#buckets.keys().next().value!);
    this.#buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, atMs: nowMs });
    return isAllowed;
  }
}

/** Lets one line in `everyMs` through per kind of trouble, and says how many it stands for. */
export class Sampler {
  readonly #everyMs: number;
  readonly #kinds = new Map<string, { count: number; atMs: number }>();

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** @returns how often it happened since the last line, this time included; undefined while it is too early for one. */
  note(kind: string, nowMs: number): number | undefined {
    const old = this.#kinds.get(kind) ?? { count: 0, atMs: Number.NEGATIVE_INFINITY };
    const count = old.count + 1;
    const isDue = nowMs - old.atMs >= this.#everyMs;
    this.#kinds.set(kind, isDue ? { count: 0, atMs: nowMs } : { count, atMs: old.atMs });
    return isDue ? count : undefined;
  }
}
