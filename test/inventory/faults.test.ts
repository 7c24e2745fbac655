// What goes wrong with files: each a fault that names the file, the loss and the remedy, and nothing silently lost.
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { recorder } from "./quiet-log.ts";
import { RETENTION, tempInventory } from "./temp-inventory.ts";

const MAC = "52:54:00:00:00:01";
const sight = (i: { sightMachine: (s: { mac: string; at: number }) => Promise<unknown> }) =>
  i.sightMachine({ mac: MAC, at: 1 });
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe("a damaged inventory.db is refused and left as it is", () => {
  const DAMAGE = [
    {
      name: "cut in half",
      act: (path: string) => truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096),
      says: /inventory.db is damaged/,
    },
    {
      name: "cut inside its header",
      act: (path: string) => truncateSync(path, 50),
      says: /inventory.db is cut to 50 bytes/,
    },
    {
      name: "cut to 0 bytes",
      act: (path: string) => truncateSync(path, 0),
      says: /inventory.db is cut to 0 bytes/,
    },
    {
      name: "garbage",
      act: (path: string) => writeFileSync(path, "not a database ".repeat(1000)),
      says: /inventory.db is not an SQLite database/,
    },
    {
      name: "another program's",
      act: (path: string) => {
        rmSync(path);
        new Sqlite(path).exec("CREATE TABLE t (a)").close();
      },
      says: /is no database of Slipway/,
    },
    {
      name: "overwritten in the middle",
      act: (path: string) => {
        const bytes = readFileSync(path);
        writeFileSync(path, bytes.fill(0x55, 8192, 20_480));
      },
      says: /inventory.db is damaged/,
    },
  ];
  for (const { name, act, says } of DAMAGE) {
    test(name, async () => {
      const t = tempInventory();
      await t.once(sight);
      act(t.path("inventory.db"));
      const before = readFileSync(t.path("inventory.db"));
      await expect(t.open()).rejects.toMatchObject({ code: "DATABASE_DAMAGED", message: expect.stringMatching(says) });
      await expect(t.open()).rejects.toMatchObject({
        message: expect.stringMatching(/machines with their roles.*There is no copy in .*backup/),
      });
      expect(readFileSync(t.path("inventory.db"))).toEqual(before);
    });
  }
  test("and the newest copy is named", async () => {
    const t = tempInventory();
    await t.once(sight);
    truncateSync(t.path("inventory.db"), 0);
    const { mkdirSync } = await import("node:fs");
    mkdirSync(t.path("backup"));
    for (const day of ["22", "23"]) writeFileSync(t.path("backup", `inventory-2026-11-${day}T03-00-00Z.db`), "");
    await expect(t.open()).rejects.toMatchObject({
      message: expect.stringContaining(`The newest copy is ${t.path("backup", "inventory-2026-11-23T03-00-00Z.db")}`),
      remedy: expect.stringContaining(`move ${t.path("inventory.db")}`),
    });
  });
});

test("a newer schema is refused with both versions, and not touched", async () => {
  const t = tempInventory();
  await t.once(sight);
  t.tamper("PRAGMA user_version = 99");
  await expect(t.open()).rejects.toMatchObject({
    code: "DATABASE_NEWER",
    message: expect.stringMatching(/has schema 99, this version of Slipway knows schemas up to 2/),
  });
  t.tamper("PRAGMA user_version = 2");
  await t.once(async (i) => expect(await i.findMachineByMac(MAC)).toBeDefined());
});

test("files are 0600 whatever a copy made of them, and a dataDir for everybody is refused", async () => {
  const t = tempInventory();
  await t.once(sight);
  expect([mode(t.path("inventory.db")), mode(t.path("logs.db")), mode(t.path("lock"))]).toEqual(["600", "600", "600"]);
  chmodSync(t.path("inventory.db"), 0o644);
  await t.once(sight);
  expect(mode(t.path("inventory.db"))).toBe("600");
  chmodSync(t.dataDir, 0o1777);
  await expect(t.open()).rejects.toMatchObject({
    code: "NO_PERMISSION",
    message: expect.stringContaining("mode 1777"),
  });
  chmodSync(t.dataDir, 0o775);
  const log = recorder();
  await t.once(sight, { log });
  expect(mode(t.dataDir)).toBe("755");
  expect(log.said.join()).toContain("writable by its group");
});

test("a fresh dataDir can be passed through by the admin group, under any umask", async () => {
  const t = tempInventory();
  const umask = process.umask(0o077);
  await t.once(sight, { dataDir: t.path("new", "data") });
  process.umask(umask);
  expect(mode(t.path("new", "data"))).toBe("711");
});

test("a dataDir that leads through a file is named", async () => {
  const t = tempInventory();
  writeFileSync(t.path("file"), "");
  await expect(t.open({ dataDir: t.path("file", "data") })).rejects.toMatchObject({
    code: "NO_PERMISSION",
    message: expect.stringContaining("file/data"),
  });
});

test("a damaged logs.db is moved aside and said, and the inventory opens", async () => {
  const t = tempInventory();
  await t.once(sight);
  writeFileSync(t.path("logs.db"), "garbage ".repeat(1000));
  const log = recorder();
  await t.once(
    async (i) => {
      i.appendLogLines([{ at: 1, mac: MAC, source: "kernel", text: "hello" }]);
      expect(await i.listLogLines({})).toHaveLength(1);
    },
    { log },
  );
  expect(log.said.join()).toMatch(/logs.db is not an SQLite database.*logs.db.damaged-\d+/);
  expect(readdirSync(t.dataDir).filter((n) => n.startsWith("logs.db.damaged"))).toHaveLength(1);
});

test("a WAL without its database is set aside, not replayed into the new one", async () => {
  const t = tempInventory();
  const first = await t.open();
  await sight(first);
  const wal = readFileSync(t.path("inventory.db-wal"));
  await first.close();
  rmSync(t.path("inventory.db"));
  writeFileSync(t.path("inventory.db-wal"), wal);
  await t.once(async (i) => expect(await i.listMachines()).toEqual([]));
  expect(existsSync(t.path("inventory.db-wal.orphan"))).toBe(true);
});

describe("one appliance per dataDir", () => {
  test("a second one is refused with the first one's process, and may come when it has gone", async () => {
    const t = tempInventory();
    const first = await t.open();
    await expect(t.open()).rejects.toMatchObject({
      code: "DATA_DIR_IN_USE",
      message: expect.stringContaining(`process ${process.pid}, since 20`),
    });
    await first.close();
    await t.once(sight);
  });
  test("a lock file that a power loss cut does not keep the appliance down", async () => {
    const t = tempInventory();
    writeFileSync(t.path("lock"), "garbage ".repeat(1000));
    await t.once(sight);
  });
});

/** Opens the inventory in another process and acknowledges each lease on its standard output. */
function leaseWriter(dataDir: string) {
  const script = `
    import { openInventory } from ${JSON.stringify(join(process.cwd(), "inventory/store.ts"))};
    const log = { info() {}, warn() {}, error() {} };
    const inventory = await openInventory({ dataDir: ${JSON.stringify(dataDir)}, retention: ${JSON.stringify(RETENTION)}, log });
    for (let i = 0; ; i++) {
      const batch = [0, 1, 2, 3].map((n) => i * 4 + n);
      await Promise.all(batch.map((n) => inventory.saveLeases([{
        subnet: "10.0.0.0/8", address: "10." + [n >> 16, (n >> 8) & 255, n & 255].join("."), mac: "52:54:00:00:00:01",
        state: "bound", startedAt: 1, expiresAt: 2 }]).then(() => process.stdout.write(n + "\\n"))));
    }`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
}

test("after kill -9 in full flight every acknowledged lease is there, and the lock is free", async () => {
  const t = tempInventory();
  const child = leaseWriter(t.dataDir);
  let heard = "";
  await new Promise<void>((done) => {
    child.stdout!.on("data", (chunk) => {
      heard += chunk;
      if (heard.split("\n").length > 400 && !child.killed) child.kill("SIGKILL");
    });
    child.on("close", () => done());
  });
  const acknowledged = heard.split("\n").slice(0, -1).map(Number);
  expect(acknowledged.length).toBeGreaterThan(300);
  await t.once(async (inventory) => {
    const kept = new Set((await inventory.listLeases()).map((l) => l.address));
    const lost = acknowledged.filter((n) => !kept.has(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`));
    expect(lost).toEqual([]);
  });
});

describe("the audit chain", () => {
  const TAMPERING = [
    { name: "an edited detail", sql: "UPDATE audit SET detail = 'nothing' WHERE seq = 3", at: 3 },
    { name: "an edited actor, hash left", sql: "UPDATE audit SET actor = 'slipway' WHERE seq = 4", at: 4 },
    { name: "a removed entry", sql: "DELETE FROM audit WHERE seq = 2", at: 2 },
    { name: "a removed end", sql: "DELETE FROM audit WHERE seq >= 5", at: 5 },
    {
      name: "two exchanged entries",
      sql: "UPDATE audit SET seq = -1 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = -1",
      at: 2,
    },
    { name: "an emptied log", sql: "DELETE FROM audit", at: 1 },
  ];
  for (const { name, sql, at } of TAMPERING) {
    test(`shows ${name}`, async () => {
      const t = tempInventory();
      await t.once(async (i) => {
        const machine = await i.sightMachine({ mac: MAC, at: 1 });
        for (let n = 0; n < 5; n++) await i.changeMachines([], [{ id: machine.id, name: `n${n}` }], "uid 1000 (anna)");
        expect(await i.checkAudit()).toBeUndefined();
      });
      expect(() => t.tamper(sql)).toThrow(/append-only/);
      t.tamper(`DROP TRIGGER audit_is_append_only_update; DROP TRIGGER audit_is_append_only_delete; ${sql}`);
      await t.once(async (i) => expect(await i.checkAudit()).toBe(at));
    });
  }
  test("holds over more entries than one stretch of the check", async () => {
    const t = tempInventory();
    await t.once(async (i) => {
      const creations = Array.from({ length: 2500 }, (_, n) => ({
        macs: [`52:54:00:00:${(n >> 8).toString(16).padStart(2, "0")}:${(n & 255).toString(16).padStart(2, "0")}`],
      }));
      await i.changeMachines(creations, [], "uid 0 (root)");
      expect(await i.checkAudit()).toBeUndefined();
    });
    t.tamper("DROP TRIGGER audit_is_append_only_update; UPDATE audit SET target = 'x' WHERE seq = 2100");
    await t.once(async (i) => expect(await i.checkAudit()).toBe(2100));
  });
});

test("a copy put back as the remedy says holds what was there", async () => {
  const t = tempInventory();
  const { openDatabase } = await import("../../inventory/database.ts");
  const { backUp } = await import("../../inventory/run-backup.ts");
  await t.once(sight);
  const db = openDatabase({
    path: t.path("inventory.db"),
    migrationsDir: "inventory/migrations",
    synchronous: "FULL",
    essentialTables: [],
  });
  const copy = await backUp(db, t.dataDir, Date.parse("2026-11-24T03:00:00Z"));
  db.close();
  expect(mode(copy)).toBe("600");
  truncateSync(t.path("inventory.db"), 4096);
  for (const suffix of ["", "-wal", "-shm"])
    if (existsSync(t.path(`inventory.db${suffix}`)))
      renameSync(t.path(`inventory.db${suffix}`), t.path(`old${suffix}`));
  writeFileSync(t.path("inventory.db"), readFileSync(copy));
  await t.once(async (i) => expect(await i.findMachineByMac(MAC)).toBeDefined());
});
