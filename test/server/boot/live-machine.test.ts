import { expect, test } from "vitest";
import { describeStep, type StepProgress, secondsLeft } from "../../../server/boot/live-machine.ts";

const STEP: StepProgress = { number: 3, of: 9, text: "writes the image", bytesDone: 0, bytesTotal: 0, elapsedMs: 0 };
const ROWS: [string, Partial<StepProgress>, string, number | undefined][] = [
  ["no bytes", { elapsedMs: 90_000 }, "step 3 of 9: writes the image", undefined],
  [
    ...(["bytes and their rate", { bytesDone: 120e6, bytesTotal: 205e6, elapsedMs: 12_000 }] as const),
    ...(["step 3 of 9: writes the image, 120 of 205 MB, 9 s left", 9] as const),
  ],
  [
    ...(["too early for a rate", { bytesDone: 1e6, bytesTotal: 205e6, elapsedMs: 500 }] as const),
    ...(["step 3 of 9: writes the image, 1 of 205 MB", undefined] as const),
  ],
  [
    ...(["a slow one, in minutes", { bytesDone: 10e6, bytesTotal: 205e6, elapsedMs: 30_000 }] as const),
    ...(["step 3 of 9: writes the image, 10 of 205 MB, 10 min left", 585] as const),
  ],
  [
    ...(["all bytes", { bytesDone: 5000, bytesTotal: 5000, elapsedMs: 30_000 }] as const),
    ...(["step 3 of 9: writes the image, 5 of 5 kB", undefined] as const),
  ],
];
for (const [name, over, words, left] of ROWS) {
  test(`describeStep of a step with ${name}`, () => {
    expect(describeStep({ ...STEP, ...over })).toBe(words);
    expect(secondsLeft({ ...STEP, ...over })).toBe(left);
  });
}
