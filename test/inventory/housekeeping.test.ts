// Backups, retention and the bound of the log file.
import { existsSync, readdirSync, statSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { afterEach, expect, test, vi } from "vitest";
import { openDatabase } from "../../inventory/database.ts";
import { openLogLines } from "../../inventory/open-log-lines.ts";
import { backUp, findNewestBackup, runBackups } from "../../inventory/run-backup.ts";
import { BOUNDS } from "../../inventory/run-retention.ts";
import { MAX_UNTOUCHED } from "../../inventory/sight-machine.ts";
import { recorder, silent } from "./quiet-log.ts";
import { tempInventory } from "./temp-inventory.ts";

afterEach(() => vi.useRealTimers());
const DAY = 86_400_000;
const NOW = Date.parse("2026-11-24T03:00:00Z");
const MAC = "52:54:00:00:00:01";
/** Deleting goes in bites, between other writes, on machines that may be busy. */
const PATIENT = { timeout: 15_000 };
const openMain = (path: string) =>
  openDatabase({ path, migrationsDir: "inventory/migrations", synchronous: "FULL", essentialTables: [] });

test("backUp keeps the newest three whole copies, and writes go on meanwhile", async () => {
  const t = tempInventory();
  const db = openMain(t.path("inventory.db"));
  const insert = db.prepare("INSERT INTO marks VALUES (?, ?)");
  for (let n = 0; n < 500; n++) insert.run(`n${n}`, "x".repeat(4000));
  for (let day = 0; day < 5; day++) {
    const copying = backUp(db, t.dataDir, NOW + day * DAY);
    insert.run(`during ${day}`, "1");
    await copying;
  }
  expect(readdirSync(t.path("backup"))).toEqual([26, 27, 28].map((d) => `inventory-2026-11-${d}T03-00-00Z.db`));
  const copy = new Sqlite(findNewestBackup(t.dataDir)!, { readonly: true });
  expect(copy.pragma("integrity_check", { simple: true })).toBe("ok");
  expect(copy.prepare("SELECT count(*) AS n FROM marks").get()).toEqual({ n: 505 });
  copy.close();
  db.close();
});

test("runBackups copies half a minute after the start, then when the newest copy is a day old", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
  const t = tempInventory();
  const db = openMain(t.path("inventory.db"));
  let now = NOW;
  const log = recorder();
  const stop = runBackups(db, t.dataDir, () => now, log);
  expect(existsSync(t.path("backup"))).toBe(false);
  const copies = () =>
    existsSync(t.path("backup")) ? readdirSync(t.path("backup")).filter((n) => n.endsWith("Z.db")) : [];
  const hours = async (count: number) => {
    for (let h = 0; h < count; h++) {
      now += 3600_000;
      vi.advanceTimersByTime(3600_000);
      await vi.waitFor(
        () => expect(readdirSync(t.path("backup")).some((n) => n.endsWith(".new"))).toBe(false),
        PATIENT,
      );
    }
  };
  vi.advanceTimersByTime(30_000);
  await vi.waitFor(() => expect(copies()).toHaveLength(1), PATIENT);
  await hours(23);
  expect(copies()).toHaveLength(1);
  await hours(2);
  await vi.waitFor(() => expect(copies()).toHaveLength(2), PATIENT);
  stop();
  db.close();
  expect(log.said).toHaveLength(2);
});

test("closing in the middle of a copy leaves no half copy and says nothing", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
  const t = tempInventory();
  const log = recorder();
  const inventory = await t.open({ log });
  for (let n = 0; n < 100; n++) await inventory.writeMark(`n${n}`, "x".repeat(20_000));
  vi.advanceTimersByTime(30_000);
  await inventory.close();
  await vi.waitFor(() => expect(readdirSync(t.path("backup"))).toEqual([]), PATIENT);
  expect(log.said).toEqual([]);
  await t.once(async (again) => expect(await again.readMark("n99")).toHaveLength(20_000));
});

test("an inventory prunes events and attempts that are older than the settings keep them", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
  const t = tempInventory();
  const inventory = await t.open({ now: () => NOW, bounds: { ...BOUNDS, sparedEvents: 0 } });
  const machine = await inventory.sightMachine({ mac: MAC, at: NOW });
  const attempt = (id: string, startedAt: number) => ({
    id,
    machineId: machine.id,
    mac: MAC,
    startedAt,
    sourceIp: "192.0.2.1",
    decision: "os",
  });
  const ticket = { id: "old", machineId: machine.id, mac: MAC, sourceIp: "192.0.2.1", issuedAt: 1, expiresAt: 2 };
  await inventory.saveAttempt(attempt("old", NOW - 91 * DAY), ticket);
  await inventory.saveAttempt(attempt("young", NOW - 89 * DAY));
  const old = Array.from({ length: 4500 }, () => ({ kind: "dhcp-ack" as const, at: NOW - 91 * DAY, mac: MAC }));
  await inventory.recordEvents(old);
  // The first event is young, so the 4500 behind it would be hidden from a prune that stops at the first young one.
  vi.advanceTimersByTime(10_000);
  await vi.waitFor(async () => expect(await inventory.listEvents({ limit: 10_000 })).toHaveLength(1), PATIENT);
  await vi.waitFor(async () => expect(await inventory.findAttempt("old")).toBeUndefined(), PATIENT);
  expect(await inventory.findTicket("old")).toBeUndefined();
  expect(await inventory.findAttempt("young")).toBeDefined();
  await inventory.recordEvents([{ kind: "dhcp-ack", at: NOW }]);
  expect((await inventory.listEvents({})).at(-1)!.seq).toBe(4502);
});

test("an inventory whose clock is years ahead keeps the newest events", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
  const in2040 = Date.UTC(2040, 0, 1);
  const inventory = await tempInventory().open({ now: () => in2040, bounds: { ...BOUNDS, sparedEvents: 300 } });
  await inventory.recordEvents(Array.from({ length: 2500 }, () => ({ kind: "dhcp-ack" as const, at: NOW })));
  vi.advanceTimersByTime(10_000);
  await vi.waitFor(async () => expect(await inventory.listEvents({ limit: 10_000 })).toHaveLength(300), PATIENT);
  expect((await inventory.listEvents({})).at(-1)!.seq).toBe(2500);
});

test("an inventory keeps the newest events and attempts when there are more than any site makes", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
  const inventory = await tempInventory().open({ now: () => NOW, bounds: { ...BOUNDS, events: 3000, attempts: 2 } });
  const { id: machineId } = await inventory.sightMachine({ mac: MAC, at: NOW });
  for (const n of [1, 2, 3, 4]) {
    await inventory.saveAttempt({
      id: `a${n}`,
      machineId,
      mac: MAC,
      startedAt: n + NOW,
      sourceIp: "192.0.2.1",
      decision: "os",
    });
  }
  await inventory.recordEvents(Array.from({ length: 9000 }, () => ({ kind: "dhcp-ack" as const, at: NOW })));
  vi.advanceTimersByTime(10_000);
  await vi.waitFor(async () => expect(await inventory.listEvents({ limit: 10_000 })).toHaveLength(3000), PATIENT);
  expect((await inventory.listEvents({})).at(-1)!.seq).toBe(9001);
  await vi.waitFor(async () => expect(await inventory.findAttempt("a2")).toBeUndefined(), PATIENT);
  expect(await inventory.findAttempt("a3")).toBeDefined();
});

test("an inventory forgets machines that nobody touched and that stayed away, and tells those who watch", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
  const inventory = await tempInventory().open({ now: () => NOW });
  const OLD = NOW - 91 * DAY;
  const sight = (mac: string, at: number) => inventory.sightMachine({ mac, at });
  const gone = await sight("52:54:00:00:00:11", OLD);
  const young = await sight("52:54:00:00:00:12", NOW - 89 * DAY);
  const touched = await Promise.all(
    [{ name: "a" }, { role: "worker" as const }, { boot: "disk" as const }, { lifecycle: "approved" as const }].map(
      async (over, n) => {
        const { id } = await sight(`52:54:00:00:01:0${n}`, OLD);
        return (await inventory.changeMachines([], [{ id, ...over }], "anna"))[0]!;
      },
    ),
  );
  const [written] = await inventory.changeMachines([{ macs: ["52:54:00:00:00:13"] }], [], "anna");
  const deleted: string[] = [];
  inventory.watchMachines((_, ids) => deleted.push(...ids));
  vi.advanceTimersByTime(10_000);
  await vi.waitFor(() => expect(deleted).toEqual([gone.id]), PATIENT);
  const left = (await inventory.listMachines()).map((m) => m.id).sort();
  expect(left).toEqual([young, ...touched, written!].map((m) => m.id).sort());
});

test("an inventory holds a bounded number of machines that only the wire speaks of", async () => {
  const inventory = await tempInventory().open({ now: () => NOW, synchronous: "NORMAL" });
  const macOf = (n: number) =>
    `52:54:00:${[n >> 16, n >> 8, n].map((b) => (b & 255).toString(16).padStart(2, "0")).join(":")}`;
  const [kept] = await inventory.changeMachines([{ macs: [macOf(0)], role: "worker" }], [], "anna");
  await inventory.sightMachine({ mac: macOf(0), at: 0 });
  for (let n = 1; n <= MAX_UNTOUCHED + 300; n += 300) {
    await Promise.all(Array.from({ length: 300 }, (_, i) => inventory.sightMachine({ mac: macOf(n + i), at: n + i })));
  }
  const machines = await inventory.listMachines();
  expect(machines.length).toBeLessThanOrEqual(MAX_UNTOUCHED + 1);
  expect(machines.length).toBeGreaterThan(MAX_UNTOUCHED - 200);
  expect(machines.map((m) => m.id)).toContain(kept!.id);
  expect(await inventory.findMachineByMac(macOf(1))).toBeUndefined();
});

test("logs.db stays below its bound and keeps the newest lines", () => {
  const t = tempInventory();
  const maxBytes = 1024 * 1024;
  const lines = openLogLines({ dataDir: t.dataDir, maxBytes, now: () => NOW, log: silent, onDropped: () => {} });
  let biggest = 0;
  const size = () =>
    ["", "-wal"].reduce(
      (sum, s) => sum + (existsSync(t.path(`logs.db${s}`)) ? statSync(t.path(`logs.db${s}`)).size : 0),
      0,
    );
  for (let round = 0; round < 40; round++) {
    lines.append(
      Array.from({ length: 500 }, (_, n) => ({
        at: NOW,
        mac: MAC,
        source: "kernel" as const,
        text: `${round * 500 + n} ${"x".repeat(150)}`,
      })),
    );
    lines.list(undefined, 1);
    biggest = Math.max(biggest, size());
  }
  expect(biggest).toBeLessThan(maxBytes * 1.5);
  const kept = lines.list(MAC, 100_000);
  expect(kept.at(-1)!.text).toMatch(/^19999 /);
  expect(kept.length).toBeGreaterThan(2000);
  const numbers = kept.map((l) => Number.parseInt(l.text, 10));
  expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i));
  lines.close();
  const smaller = openLogLines({
    dataDir: t.dataDir,
    maxBytes: maxBytes / 4,
    now: () => NOW,
    log: silent,
    onDropped: () => {},
  });
  expect(size()).toBeLessThan(maxBytes / 2);
  smaller.close();
});

test("dropped lines are told at once, then at most every ten seconds, and none is left uncounted", () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const t = tempInventory();
  let now = NOW;
  const told: number[] = [];
  const onDropped = (lines: number) => void told.push(lines);
  const lines = openLogLines({
    dataDir: t.dataDir,
    maxBytes: 64 * 1024 * 1024,
    now: () => now,
    log: silent,
    onDropped,
  });
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      now += 100;
      vi.advanceTimersByTime(100);
    }
  };
  const flood = () =>
    lines.append(Array.from({ length: 21_000 }, () => ({ at: now, mac: MAC, source: "kernel" as const, text: "x" })));
  flood();
  pass(1500);
  expect(told).toEqual([1000]);
  flood();
  pass(1500);
  flood();
  pass(1500);
  expect(told).toEqual([1000]);
  pass(10_000);
  expect(told).toEqual([1000, 2000]);
  flood();
  lines.close();
  expect(told).toEqual([1000, 2000, 1000]);
});

test("a log line of a megabyte is cut", () => {
  const t = tempInventory();
  const lines = openLogLines({
    dataDir: t.dataDir,
    maxBytes: 1024 * 1024,
    now: () => NOW,
    log: silent,
    onDropped: () => {},
  });
  lines.append([{ at: NOW, mac: MAC, source: "agent", text: "y".repeat(1_000_000) }]);
  expect(lines.list(MAC, 1)[0]!.text).toHaveLength(4097);
  lines.close();
});
