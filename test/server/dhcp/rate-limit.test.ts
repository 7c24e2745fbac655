// The brakes: 20 answers a second for a MAC, one log line a minute for a cause, and neither grows without bound.
import { expect, test } from "vitest";
import { PROBE_CACHE_MS, ProbedAddresses } from "../../../server/dhcp/probed-addresses.ts";
import { LogSample, MAX_PER_SECOND, RateLimit } from "../../../server/dhcp/rate-limit.ts";

test("RateLimit lets 20 of a key through per second, and starts anew with the next", () => {
  const limit = new RateLimit();
  const within = (nowMs: number) => Array.from({ length: 30 }, () => limit.allow("a", nowMs)).filter(Boolean).length;
  expect(within(5000)).toBe(MAX_PER_SECOND);
  expect(limit.allow("b", 5999)).toBe(true);
  expect(limit.allow("a", 5999)).toBe(false);
  expect(within(6000)).toBe(MAX_PER_SECOND);
});

test("RateLimit forgets when keys are invented, rather than grow", () => {
  const limit = new RateLimit();
  for (let i = 0; i < MAX_PER_SECOND; i++) limit.allow("a", 0);
  expect(limit.allow("a", 0)).toBe(false);
  for (let i = 0; i < 5000; i++) limit.allow(`invented ${i}`, 0);
  expect(limit.allow("a", 0)).toBe(true);
});

test("LogSample lets one line per cause and minute through and counts the rest", () => {
  const sample = new LogSample();
  expect([0, 1, 59_999].map((at) => sample.take("a", at))).toEqual([0, undefined, undefined]);
  expect(sample.take("b", 10)).toBe(0);
  expect(sample.take("a", 60_000)).toBe(2);
  for (let i = 0; i < 5000; i++) sample.take(`invented ${i}`, 60_001);
  expect(sample.take("a", 60_002)).toBe(0);
});

test("ProbedAddresses believes silence for 30 s, per interface", () => {
  const probed = new ProbedAddresses();
  probed.markFree("eth0", "192.0.2.128", 1000);
  expect(probed.isFree("eth0", "192.0.2.128", 1000 + PROBE_CACHE_MS - 1)).toBe(true);
  expect(probed.isFree("eth0", "192.0.2.128", 1000 + PROBE_CACHE_MS)).toBe(false);
  expect(probed.isFree("eth1", "192.0.2.128", 1001)).toBe(false);
  for (let i = 0; i < 5000; i++) probed.markFree("eth0", `invented ${i}`, 1001);
  expect(probed.isFree("eth0", "192.0.2.128", 1002)).toBe(false);
});
