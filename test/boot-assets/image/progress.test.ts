import { expect, test } from "vitest";
import { progressLine } from "../../../boot-assets/image/progress.ts";

const MIB = 1048576;
const CASES = [
  { name: "half way", args: [20 * MIB, 40 * MIB, 2000], want: "Fetching: 20 MiB of 40 MiB, 10 MiB/s, 2 s left" },
  { name: "at the start", args: [0, 40 * MIB, 0], want: "Fetching: 0.0 MiB of 40 MiB, 0.0 MiB/s" },
  { name: "at the end", args: [40 * MIB, 40 * MIB, 8000], want: "Fetching: 40 MiB of 40 MiB, 5.0 MiB/s" },
] as const;
for (const {
  name,
  args: [done, total, elapsedMs],
  want,
} of CASES)
  test(`progressLine ${name}`, () => expect(progressLine("Fetching", done, total, elapsedMs)).toBe(want));
