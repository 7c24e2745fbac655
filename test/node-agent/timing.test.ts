// The agent's small rules about time: backoff, the clock, renewal, certificates' times.
import { expect, test } from "vitest";
import { backoffMs } from "../../node-agent/backoff.ts";
import { judgeTimes } from "../../node-agent/chain-times.ts";
import { CLOCK_TOLERANCE_MS, decideClock, NO_RULES, startTimeMs } from "../../node-agent/clock.ts";
import { shouldRenew } from "../../node-agent/renewal.ts";

test("backoffMs doubles from a second to half a minute, spread over its upper half", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 1000].map((n) => backoffMs(n, 1))).toEqual([
    1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
  ]);
  expect([1, 6].map((n) => backoffMs(n, 0))).toEqual([500, 15_000]);
});

test("decideClock keeps what is five minutes off and sets what is more", () => {
  const now = Date.parse("2026-11-24T12:00:00Z");
  for (const sign of [1, -1]) {
    expect(decideClock(now + sign * CLOCK_TOLERANCE_MS, now, NO_RULES)).toEqual({ kind: "keep" });
    const off = now + sign * (CLOCK_TOLERANCE_MS + 1);
    expect(decideClock(off, now, NO_RULES)).toEqual({ kind: "set", toMs: now, wasMs: off });
  }
  expect(decideClock(0, now, NO_RULES)).toMatchObject({ kind: "set", wasMs: 0 });
});

test("decideClock never goes before the time that a node ran already, nor against another source", () => {
  const now = Date.parse("2026-11-24T12:00:00Z");
  const hour = 3_600_000;
  const rules = { floorMs: now, isOthers: false };
  expect(decideClock(now + hour, now - hour, rules)).toMatchObject({
    kind: "refuse",
    reason: expect.stringContaining("before 2026-11-24T12:00:00.000Z, when this node ran already"),
  });
  // A little before the last saved time is the appliance's own inaccuracy.
  expect(decideClock(now + hour, now - 60_000, rules)).toEqual({ kind: "set", toMs: now, wasMs: now + hour });
  expect(decideClock(now + hour, now + 2 * hour, rules)).toMatchObject({ kind: "set", toMs: now + 2 * hour });
  expect(decideClock(now, now + hour, { floorMs: 0, isOthers: true })).toMatchObject({ kind: "refuse" });
  expect(decideClock(now, now, { floorMs: now + hour, isOthers: true })).toEqual({ kind: "keep" });
});

test("startTimeMs sets a clock forward to the time that was saved, and never back", () => {
  expect([startTimeMs(0, 100), startTimeMs(100, 100), startTimeMs(200, 100), startTimeMs(0, undefined)]).toEqual([
    100,
    undefined,
    undefined,
    undefined,
  ]);
});

test("shouldRenew begins at two thirds of a certificate's life", () => {
  expect([59, 60, 61, 200].map((now) => shouldRenew(0, 90, now))).toEqual([false, true, true, true]);
});

test("judgeTimes names the certificate that ran out or has not begun", () => {
  const from = new Date("2026-01-01T00:00:00Z");
  const to = new Date("2027-01-01T00:00:00Z");
  const chain = [{ subject: "CN=appliance", validFromDate: from, validToDate: to }];
  expect(judgeTimes(chain, from.getTime())).toBeUndefined();
  expect(judgeTimes(chain, to.getTime())).toBeUndefined();
  expect(judgeTimes(chain, from.getTime() - CLOCK_TOLERANCE_MS)).toBeUndefined();
  expect(judgeTimes(chain, 0)).toContain('"CN=appliance" is not valid before 2026-01-01');
  expect(judgeTimes(chain, to.getTime() + 1)).toContain('"CN=appliance" ran out on 2027-01-01');
});
