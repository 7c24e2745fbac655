// Whether this machine's clock can be believed, and what it may be set to. Pure.

/** Further off than this, certificates would be judged wrongly: five minutes, as Kerberos has it. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

export type ClockRules = {
  /** The last time that was saved on STATE, milliseconds since 1970: never before it. 0 without one. */
  floorMs: number;
  /** Another source sets the clock (NTP servers of the config, the host of a container): the appliance only compares. */
  isOthers: boolean;
};

export const NO_RULES: ClockRules = { floorMs: 0, isOthers: false };

export type ClockChoice =
  | { kind: "keep" }
  | { kind: "set"; toMs: number; wasMs: number }
  /** The appliance is not to be followed: `reason` in words. */
  | { kind: "refuse"; reason: string };

/**
 * Compares the machine's clock with the appliance's.
 * @param localMs milliseconds since 1970, as the machine believes.
 * @param applianceMs the same as the appliance says, over a channel whose CA is pinned.
 */
export function decideClock(localMs: number, applianceMs: number, { floorMs, isOthers }: ClockRules): ClockChoice {
  if (Math.abs(localMs - applianceMs) <= CLOCK_TOLERANCE_MS) return { kind: "keep" };
  if (isOthers)
    return { kind: "refuse", reason: `${differs(localMs, applianceMs)}; the clock is not the appliance's to set` };
  if (applianceMs < floorMs - CLOCK_TOLERANCE_MS) {
    const floor = new Date(floorMs).toISOString();
    return {
      kind: "refuse",
      reason: `${differs(localMs, applianceMs)}, which is before ${floor}, when this node ran already`,
    };
  }
  return { kind: "set", toMs: Math.max(applianceMs, floorMs), wasMs: localMs };
}

const differs = (localMs: number, applianceMs: number): string =>
  `the clock says ${new Date(localMs).toISOString()}, the appliance ${new Date(applianceMs).toISOString()}`;

/** Where the clock is set at a node's start, before anybody can be asked; undefined when it stays. */
export const startTimeMs = (localMs: number, savedMs: number | undefined): number | undefined =>
  savedMs !== undefined && localMs < savedMs ? savedMs : undefined;
