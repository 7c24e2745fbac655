// The words of events: every kind says something, with all of its detail and with none.
import { expect, test } from "vitest";
import { type Detail, describeEvent, EVENTS, type EventKind } from "../../inventory/event.ts";

/** Numbers where rows count or measure, text for all else: a row may ask for any field, also one that comes later. */
const NUMBERS: Record<string, number> = {
  bytes: 1_234_567,
  ms: 1500,
  kernelMs: 4200,
  seconds: 3600,
  count: 5,
  lines: 9,
};
const FULL = new Proxy({} as Detail, { get: (_, key) => NUMBERS[String(key)] ?? `some-${String(key)}` });

for (const kind of Object.keys(EVENTS) as EventKind[]) {
  test(`${kind} is said in plain words`, () => {
    const words = describeEvent({ kind, detail: FULL });
    expect(words).toMatch(/\S/);
    expect(words).not.toMatch(/undefined|NaN|\[object|null/);
    expect(() => describeEvent({ kind })).not.toThrow();
  });
}
const SIZES = [
  { bytes: 900, ms: 5, says: "900 bytes in 0.01 s, 0.2 MB/s" },
  { bytes: 1_234_567, ms: 1500, says: "1235 kB in 1.50 s, 0.8 MB/s" },
  { bytes: 160_000_000, ms: 12_000, says: "160.0 MB in 12.0 s, 13.3 MB/s" },
  { bytes: undefined, ms: undefined, says: "? in ?" },
];
for (const { says, ...detail } of SIZES) {
  test(`image-done says "${says}"`, () => {
    expect(describeEvent({ kind: "image-done", detail: { file: "initrd", ...detail } })).toBe(`has initrd: ${says}`);
  });
}
