// A rate with room for bursts.
import { expect, test } from "vitest";
import { TokenBucket } from "../../../server/contract/token-bucket.ts";

const passed = (bucket: TokenBucket, tries: number, nowMs: number) =>
  Array.from({ length: tries }, () => bucket.take(nowMs)).filter((ok) => ok).length;

test("TokenBucket lets a burst pass, then the rate, and counts the rest", () => {
  const bucket = new TokenBucket({ burst: 10, perSecond: 2 }, 0);
  expect(passed(bucket, 15, 0)).toBe(10);
  expect(bucket.takeRefused()).toBe(5);
  expect(bucket.takeRefused()).toBe(0);
  expect(passed(bucket, 15, 3000)).toBe(6);
  expect(passed(bucket, 15, 3_600_000)).toBe(10);
});

test("TokenBucket is not fooled by a clock that goes back", () => {
  const bucket = new TokenBucket({ burst: 1, perSecond: 1 }, 1_000_000);
  expect(bucket.take(0)).toBe(true);
  expect(bucket.take(0)).toBe(false);
  expect(bucket.take(1000)).toBe(true);
});
