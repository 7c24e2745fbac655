// Lengths of time as people type them: 90s, 10m, 8h, 30d.
import { SlipwayError } from "../contract/errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @returns milliseconds. @throws BAD_REQUEST that names the option. */
export function parseTime(option: string, text: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined && Number(count) > 0) return Number(count) * UNIT_MS[unit]!;
  throw new SlipwayError("BAD_REQUEST", `${option}: must be a time such as 90s, 10m, 8h or 30d, found "${text}"`);
}
