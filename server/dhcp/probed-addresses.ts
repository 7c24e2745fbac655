// Which addresses were asked for on the wire a moment ago, so that a client's retries and the next machine do not wait for
// the same silence twice (pxe.md 1.12). Pure: time is an argument. Called by run-answer.ts.
import type { Ipv4 } from "../../inventory/address.ts";

/** How long silence counts as free. */
export const PROBE_CACHE_MS = 30_000;
const MAX_ENTRIES = 4096;

export class ProbedAddresses {
  readonly #silentSince = new Map<string, number>();

  /** Whether nobody answered for the address on this interface within the last 30 s. */
  isFree(interfaceName: string, ip: Ipv4, nowMs: number): boolean {
    const at = this.#silentSince.get(`${interfaceName} ${ip}`);
    return at !== undefined && nowMs - at < PROBE_CACHE_MS;
  }
  markFree(interfaceName: string, ip: Ipv4, nowMs: number): void {
    // In order of insertion: the oldest goes first.
    if (this.#silentSince.size >= MAX_ENTRIES) this.#silentSince.delete(this.#silentSince.keys().next().value!);
    this.#silentSince.delete(`${interfaceName} ${ip}`);
    this.#silentSince.set(`${interfaceName} ${ip}`, nowMs);
  }
}
