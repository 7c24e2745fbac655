// Backups, retention and the bound of the log file.
import { existsSync, readdirSync, statSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { afterEach, expect, test, vi } from "vitest";
import { openDatabase } from "../../inventory/database.ts";
import { openLogLines } from "../../inventory/open-log-lines.ts";
import { backUp, findNewestBackup, runBackups } from "../../inventory/run-backup.ts";
import { recorder, silent } from "./quiet-log.ts";
import { tempInventory } from "./temp-inventory.ts";

afterEach(() => vi.useRealTimers());
const DAY = 86_400_000;
const NOW = Date.parse("2026-11-24T03:00:00Z");
const MAC = "52:54:00:00:00:01";
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
      await vi.waitFor(() => expect(readdirSync(t.path("backup")).some((n) => n.endsWith(".new"))).toBe(false));
    }
  };
  vi.advanceTimersByTime(30_000);
  await vi.waitFor(() => expect(copies()).toHaveLength(1));
  await hours(23);
  expect(copies()).toHaveLength(1);
  await hours(2);
  await vi.waitFor(() => expect(copies()).toHaveLength(2));
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
  await vi.waitFor(() => expect(readdirSync(t.path("backup"))).toEqual([]));
  expect(log.said).toEqual([]);
  await t.once(async (again) => expect(await again.readMark("n99")).toHaveLength(20_000));
});

test("an inventory prunes events and attempts that are older than the settings keep them", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
  const t = tempInventory();
  const inventory = await t.open({ now: () => NOW });
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
  await vi.waitFor(async () => expect(await inventory.listEvents({ limit: 10_000 })).toHaveLength(1));
  await vi.waitFor(async () => expect(await inventory.findAttempt("old")).toBeUndefined());
  expect(await inventory.findTicket("old")).toBeUndefined();
  expect(await inventory.findAttempt("young")).toBeDefined();
  await inventory.recordEvents([{ kind: "dhcp-ack", at: NOW }]);
  expect((await inventory.listEvents({})).at(-1)!.seq).toBe(4502);
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
