// The clock of a node: never before it last ran, saved only when somebody confirmed it, and set by whom the config names.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLog } from "../../../node-agent/log.ts";
import { type NodeStore, openNodeStore } from "../../../node-agent/node/open-state.ts";
import { type ClockKeeper, keepClock } from "../../../node-agent/node/run-clock.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const HOUR = 3_600_000;
let root: string;
let store: NodeStore;
let stop: AbortController;
let time: { nowMs: number; uptimeMs: number; canSet: boolean };
let said: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slipway-clock-"));
  store = openNodeStore(join(root, "state"), () => {});
  stop = new AbortController();
  time = { nowMs: NOW, uptimeMs: 1000, canSet: true };
  said = [];
});
afterEach(() => {
  stop.abort();
  rmSync(root, { recursive: true });
});
const keep = (isContainer = false, withStore = true): ClockKeeper =>
  keepClock(
    {
      clock: {
        now: () => time.nowMs,
        uptimeMs: () => time.uptimeMs,
        set: (toMs) => {
          if (!time.canSet) throw new Error("CAP_SYS_TIME is needed");
          time.nowMs = toMs;
        },
      },
      machine: { root },
      store: withStore ? store : undefined,
      ...{
        isContainer,
        log: openLog(
          () => 0,
          (text) => void said.push(text),
        ),
      },
      wait: (_ms, signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
    },
    stop.signal,
  );
const BY_APPLIANCE = { disabled: false, servers: [], bootTimeoutMs: undefined };
const BY_NTP = { ...BY_APPLIANCE, servers: ["192.0.2.123"] };

test("a clock of 1970 starts at the last time that the node ran, and goes on from there", () => {
  store.saveTime(NOW);
  time.nowMs = 10_000;
  const keeper = keep();
  expect(time.nowMs).toBe(NOW);
  expect(said.join()).toContain("The clock said 1970-01-01T00:00:10.000Z; it was set to 2026-11-24T12:00:00.000Z");
  expect(keeper.isSet()).toBe(true);
  time.nowMs += HOUR;
  keeper.save();
  expect(store.readTime()).toBe(NOW + HOUR);
});

test("a time that nobody confirmed is not saved, so that 2040 does not last", () => {
  store.saveTime(NOW);
  time.nowMs = Date.parse("2040-01-01T00:00:00Z");
  const keeper = keep();
  keeper.save();
  expect(store.readTime()).toBe(NOW);
  expect(keeper.rules()).toEqual({ floorMs: NOW, isOthers: false });
  time.nowMs = NOW + HOUR;
  keeper.confirmed();
  expect(store.readTime()).toBe(NOW + HOUR);
});

test("NTP servers of the config set the clock once one has answered; before that the appliance may", () => {
  const keeper = keep();
  keeper.configure(BY_NTP);
  expect([keeper.rules().isOthers, keeper.isSet()]).toEqual([false, false]);
  mkdirSync(join(root, "run/systemd/timesync"), { recursive: true });
  writeFileSync(join(root, "run/systemd/timesync/synchronized"), "");
  expect([keeper.rules().isOthers, keeper.isSet()]).toEqual([true, true]);
  keeper.configure(BY_APPLIANCE);
  expect(keeper.rules().isOthers).toBe(false);
});

test("a node without any time waits, but no longer than the config says", () => {
  const keeper = keep();
  keeper.configure({ ...BY_NTP, bootTimeoutMs: 60_000 });
  expect(keeper.isSet()).toBe(false);
  time.uptimeMs = 60_001;
  expect(keeper.isSet()).toBe(true);
  keeper.configure({ ...BY_APPLIANCE, disabled: true });
  expect([keeper.isSet(), keeper.rules().isOthers]).toEqual([true, true]);
});

test("a container's clock is the host's: it is not set, not saved, and counts as set", () => {
  store.saveTime(NOW);
  time.nowMs = 10_000;
  const keeper = keep(true);
  keeper.confirmed();
  expect([time.nowMs, store.readTime(), keeper.isSet()]).toEqual([10_000, NOW, true]);
  expect(keeper.rules()).toEqual({ floorMs: 0, isOthers: true });
});

test("a clock that cannot be set forward is told", () => {
  store.saveTime(NOW);
  Object.assign(time, { nowMs: 10_000, canSet: false });
  keep();
  expect(said.join()).toContain("could not be set forward: CAP_SYS_TIME is needed");
});

test("a netbooted machine keeps no time, and the last is saved when the agent ends", async () => {
  keep(false, false).confirmed();
  expect(store.readTime()).toBeUndefined();
  const keeper = keep();
  keeper.confirmed();
  time.nowMs += HOUR;
  stop.abort();
  await keeper.ended;
  expect(store.readTime()).toBe(NOW + HOUR);
});
