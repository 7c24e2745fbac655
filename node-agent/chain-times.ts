// Whether certificates are in time, once the clock can be believed (clock.ts). Pure.
import type { X509Certificate } from "node:crypto";
import { CLOCK_TOLERANCE_MS } from "./clock.ts";

/**
 * Judges every certificate of a chain by time.
 * @param nowMs milliseconds since 1970.
 * @returns what is wrong, or undefined.
 */
export function judgeTimes(
  chain: readonly Pick<X509Certificate, "subject" | "validFromDate" | "validToDate">[],
  nowMs: number,
): string | undefined {
  for (const { subject, validFromDate, validToDate } of chain) {
    if (nowMs > validToDate.getTime()) return `the certificate "${subject}" ran out on ${validToDate.toISOString()}`;
    if (nowMs + CLOCK_TOLERANCE_MS < validFromDate.getTime())
      return `the certificate "${subject}" is not valid before ${validFromDate.toISOString()}`;
  }
  return undefined;
}
