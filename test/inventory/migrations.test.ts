// The schema: its CHECKs are the tables of machine.ts, lease.ts and ticket.ts, its migrations are whole or not at all.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterAll, describe, expect, test } from "vitest";
import { openDatabase } from "../../inventory/database.ts";
import { ACTIVITY, BOOT_CHOICES, LIFECYCLE } from "../../inventory/machine.ts";
import { backUpBeforeMigration } from "../../inventory/run-backup.ts";

const dir = mkdtempSync(join(tmpdir(), "slipway-migrations-"));
afterAll(() => rmSync(dir, { recursive: true }));

const schema = readdirSync("inventory/migrations")
  .sort()
  .map((f) => readFileSync(join("inventory/migrations", f), "utf8"))
  .join("\n");
const checkOf = (column: string): string[] => {
  const [, list] = new RegExp(`CHECK \\(${column} IN \\(([^)]*)\\)\\)`).exec(schema)!;
  return [...list!.matchAll(/'([^']*)'/g)].map((m) => m[1]!);
};

const CHECKS = [
  { column: "lifecycle", values: Object.keys(LIFECYCLE) },
  { column: "activity", values: Object.keys(ACTIVITY) },
  { column: "boot", values: [...BOOT_CHOICES] },
  { column: "state", values: ["bound", "released", "declined"] },
];
for (const { column, values } of CHECKS) {
  test(`the CHECK of ${column} lists what the code knows`, () => expect(checkOf(column)).toEqual(values));
}

test("LIFECYCLE and ACTIVITY name only states that exist", () => {
  for (const [table, next] of [
    [LIFECYCLE, Object.values(LIFECYCLE)],
    [ACTIVITY, Object.values(ACTIVITY)],
  ] as const) {
    expect(Object.keys(table)).toEqual(expect.arrayContaining(next.flat()));
  }
});

test("docs/schema.md has a heading for each table, docs/lifecycle.md a row for each state", () => {
  const tables = [...schema.matchAll(/CREATE TABLE (\w+)/g)].map((m) => m[1]);
  const headings = [...readFileSync("docs/schema.md", "utf8").matchAll(/^### `(\w+)`/gm)].map((m) => m[1]);
  expect(headings).toEqual(expect.arrayContaining(tables));
  const rows = (title: string) => {
    const section = readFileSync("docs/lifecycle.md", "utf8")
      .split(/^## /m)
      .find((s) => s.startsWith(title))!;
    return Object.fromEntries(
      [...section.matchAll(/^\| `([a-z-]+)` \| [^|]+ \| ([^|]*) \|/gm)].map((m) => [
        m[1],
        [...m[2]!.matchAll(/`([a-z-]+)`/g)].map((n) => n[1]),
      ]),
    );
  };
  expect(rows("Lifecycle")).toEqual(LIFECYCLE);
  expect(rows("Activity")).toEqual(ACTIVITY);
});

test("a database of schema 1 keeps its machines, and takes roles that a file defines", () => {
  const migrationsDir = join(dir, "to-2");
  mkdirSync(migrationsDir);
  const copy = (name: string) => writeFileSync(join(migrationsDir, name), readFileSync(`inventory/migrations/${name}`));
  copy("0001-inventory.sql");
  const o = { path: join(dir, "to-2.db"), migrationsDir, synchronous: "FULL" as const, essentialTables: ["machines"] };
  const old = openDatabase(o);
  const insert =
    "INSERT INTO machines (id, name, role, lifecycle, activity, created_at) VALUES (?, ?, ?, 'approved', 'off', 't')";
  old.prepare(insert).run("m1", "one", "worker");
  old.prepare(insert).run("m2", null, null);
  old.prepare("INSERT INTO macs VALUES ('52:54:00:00:00:0a', 'm1', 0)").run();
  old.close();
  copy("0002-clusters.sql");
  const db = openDatabase({ ...o, essentialTables: ["machines", "clusters"] });
  expect(db.prepare("SELECT id, name, role, cluster, disk_boots FROM machines ORDER BY id").all()).toEqual([
    { id: "m1", name: "one", role: "worker", cluster: null, disk_boots: null },
    { id: "m2", name: null, role: null, cluster: null, disk_boots: null },
  ]);
  expect(db.prepare("SELECT machine_id FROM macs").pluck().all()).toEqual(["m1"]);
  db.prepare(insert).run("m3", "three", "storage");
  expect(() => db.prepare(insert).run("m4", "three", "storage")).toThrow(/UNIQUE/);
  expect(() => db.prepare("UPDATE machines SET install = 'no json'").run()).toThrow(/CHECK/);
  expect(db.pragma("foreign_key_check")).toEqual([]);
  db.close();
});

describe("openDatabase", () => {
  const options = (name: string, migrations: Record<string, string>) => {
    const migrationsDir = join(dir, name, "migrations");
    mkdirSync(migrationsDir, { recursive: true });
    for (const [file, sql] of Object.entries(migrations)) writeFileSync(join(migrationsDir, file), sql);
    return { path: join(dir, name, "x.db"), migrationsDir, synchronous: "FULL" as const, essentialTables: [] };
  };
  const ONE = { "0001-a.sql": "CREATE TABLE a (x TEXT); INSERT INTO a VALUES ('kept')" };

  test("brings an older schema up to date after a copy was made", () => {
    const o = options("upgrade", ONE);
    openDatabase(o).close();
    options("upgrade", { "0002-b.sql": "ALTER TABLE a ADD COLUMN y TEXT DEFAULT 'new'" });
    const dataDir = join(dir, "upgrade");
    const db = openDatabase({ ...o, beforeMigration: (old, version) => backUpBeforeMigration(old, dataDir, version) });
    expect(db.prepare("SELECT * FROM a").get()).toEqual({ x: "kept", y: "new" });
    expect(db.pragma("user_version", { simple: true })).toBe(2);
    db.close();
    const copy = new Sqlite(join(dataDir, "backup", "before-schema-2.db"));
    expect(copy.prepare("SELECT * FROM a").get()).toEqual({ x: "kept" });
    copy.close();
  });
  test("leaves the old schema whole when a migration fails half-way", () => {
    const o = options("failing", ONE);
    openDatabase(o).close();
    options("failing", { "0002-b.sql": "ALTER TABLE a ADD COLUMN y TEXT; SELECT * FROM nowhere" });
    expect(() => openDatabase(o)).toThrow(/nowhere/);
    const db = new Sqlite(o.path);
    expect(db.prepare("SELECT * FROM a").get()).toEqual({ x: "kept" });
    expect(db.pragma("user_version", { simple: true })).toBe(1);
    db.close();
  });
  test("leaves no database behind when the first migration fails", () => {
    const o = options("first", { "0001-a.sql": "CREATE TABLE a (x); SELECT * FROM nowhere" });
    expect(() => openDatabase(o)).toThrow(/nowhere/);
    expect(readdirSync(join(dir, "first"))).not.toContain("x.db");
  });
  test("sets what durability needs", () => {
    const db = openDatabase(options("pragmas", ONE));
    const said = ["journal_mode", "synchronous", "foreign_keys"].map((p) => db.pragma(p, { simple: true }));
    expect(said).toEqual(["wal", 2, 1]);
    db.close();
  });
});
