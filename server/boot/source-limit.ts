// How often one address may ask for what costs a write: scripts, tickets, firmware's loaders. Nobody must log in to ask, so
// without this a laptop on the wire could fill the disk. Called by service.ts. Pure: time is an argument.
import { TokenBucket } from "../contract/token-bucket.ts";

/** iPXE asks again after 5 to 30 seconds; behind one address translation stand some dozens of machines that start at once. */
const RATE = { burst: 120, perSecond: 1 };
/** Addresses remembered; the one that has not asked for longest is forgotten first. */
const MAX_SOURCES = 4096;

export class SourceLimit {
  readonly #buckets = new Map<string, TokenBucket>();

  /** Whether `ip` may ask now. @param nowMs milliseconds on any clock that only goes forward. */
  take(ip: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(ip) ?? new TokenBucket(RATE, nowMs);
    this.#buckets.delete(ip);
    this.#buckets.set(ip, bucket);
    if (this.#buckets.size > MAX_SOURCES) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket.take(nowMs);
  }
}
