import { expect, test } from "vitest";
import { Sampler, TokenBuckets } from "../../../server/tftp/flood.ts";
import { LocalPorts } from "../../../server/tftp/local-ports.ts";
import { addSample, NO_ROUND_TRIP, resendAfterMs } from "../../../server/tftp/round-trip.ts";
import { type Entry, TransferBook } from "../../../server/tftp/transfer-book.ts";

test("TokenBuckets lets a burst through, then so many per second, each address for itself", () => {
  const buckets = new TokenBuckets({ burst: 3, perSecond: 2, maxKeys: 10 });
  const takes = (key: string, ms: number, n: number) => Array.from({ length: n }, () => buckets.take(key, ms));
  expect(takes("a", 0, 4)).toEqual([true, true, true, false]);
  expect(takes("b", 0, 1)).toEqual([true]);
  expect(takes("a", 1000, 3)).toEqual([true, true, false]);
  expect(takes("a", 1e9, 4)).toEqual([true, true, true, false]);
});

test("TokenBuckets remembers a bounded number of addresses, the latest ones", () => {
  const buckets = new TokenBuckets({ burst: 1, perSecond: 0.001, maxKeys: 2 });
  for (const key of ["a", "b", "c"]) expect(buckets.take(key, 0)).toBe(true);
  expect(buckets.take("c", 0)).toBe(false);
  expect(buckets.take("a", 0)).toBe(true);
});

test("Sampler lets one line through and counts the rest", () => {
  const sampler = new Sampler(10);
  expect([0, 1, 9, 10, 11, 25].map((ms) => sampler.note("x", ms))).toEqual([1, undefined, undefined, 3, undefined, 2]);
  expect(sampler.note("y", 11)).toBe(1);
});

test("LocalPorts goes round and gives no port twice", () => {
  const ports = new LocalPorts({ first: 100, last: 102 }, 7);
  expect([ports.take(), ports.take(), ports.take(), ports.take()]).toEqual([101, 102, 100, undefined]);
  ports.free(102);
  expect(ports.take()).toBe(102);
});

test("resendAfterMs: 1 s unmeasured, floors of 200 and 50 ms, at most 4 s", () => {
  expect([0, 1, 2, 9].map((doublings) => resendAfterMs(NO_ROUND_TRIP, doublings))).toEqual([1000, 2000, 4000, 4000]);
  let trip = NO_ROUND_TRIP;
  for (let i = 0; i < 7; i++) trip = addSample(trip, 0.3);
  expect(resendAfterMs(trip, 0)).toBe(200);
  trip = addSample(trip, 0.3);
  expect(resendAfterMs(trip, 0)).toBe(50);
  for (let i = 0; i < 50; i++) trip = addSample(trip, 400);
  expect(resendAfterMs(trip, 0)).toBeGreaterThan(390);
});

type Fake = { hasFirstAck: boolean; stop(): void };
const entry = (clientIp: string, startedAtMs: number, hasFirstAck: boolean, log: string[] = []): Entry<Fake> => ({
  name: "f",
  clientIp,
  startedAtMs,
  transfer: { hasFirstAck, stop: () => void log.push("stop") },
  release: () => void log.push("release"),
});

test("TransferBook bounds transfers per client and forgets them when they end", () => {
  const book = new TransferBook<Fake>({ perClient: 2, total: 10 });
  const log: string[] = [];
  const one = entry("a", 0, true, log);
  book.add("1", one);
  book.add("2", entry("a", 0, true));
  expect(book.makeRoom("a", 5000)).toBe(false);
  expect(book.makeRoom("b", 5000)).toBe(true);
  book.end("1", one);
  book.end("1", one);
  expect(log).toEqual(["stop", "release"]);
  expect(book.makeRoom("a", 5000)).toBe(true);
});

test("TransferBook makes room by ending the oldest that was never answered, but not a young one", () => {
  const book = new TransferBook<Fake>({ perClient: 9, total: 2 });
  const log: string[] = [];
  book.add("1", entry("a", 0, true));
  book.add("2", entry("b", 100, false, log));
  expect(book.makeRoom("c", 1000)).toBe(false);
  expect(book.makeRoom("c", 1100)).toBe(true);
  expect(log).toEqual(["stop", "release"]);
  book.add("3", entry("c", 1100, true));
  expect(book.makeRoom("d", 9000)).toBe(false);
  book.endAll(() => true);
  expect(book.size).toBe(0);
});
