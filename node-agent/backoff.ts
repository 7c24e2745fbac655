// How long to wait before the next try: doubling from a second to half a minute, with jitter, so that a rack which lost its
// appliance at one moment does not come back at one moment. Pure.

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/**
 * Milliseconds to wait after `failures` tries in a row that failed.
 * @param failures 1 or more.
 * @param chance from 0 to 1: spreads the wait over its upper half.
 */
export function backoffMs(failures: number, chance: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16));
  return Math.round(full / 2 + (full / 2) * chance);
}
