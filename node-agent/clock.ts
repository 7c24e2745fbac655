// Whether this machine's clock can be believed. Pure.

/** Further off than this, certificates would be judged wrongly: five minutes, as Kerberos has it. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

export type ClockChoice = { kind: "keep" } | { kind: "set"; toMs: number; wasMs: number };

/**
 * Compares the machine's clock with the appliance's.
 * @param localMs milliseconds since 1970, as the machine believes.
 * @param applianceMs the same as the appliance says, over a channel whose CA is pinned.
 */
export function decideClock(localMs: number, applianceMs: number): ClockChoice {
  if (Math.abs(localMs - applianceMs) <= CLOCK_TOLERANCE_MS) return { kind: "keep" };
  return { kind: "set", toMs: applianceMs, wasMs: localMs };
}
