// Opens one SQLite file: creates it whole or not at all, checks it, brings its schema up to date. Called by store.ts for
// inventory.db and by open-log-lines.ts for logs.db. Knows no table. Source: https://www.sqlite.org/pragma.html.
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import Sqlite, { type Database } from "better-sqlite3";
import { SlipwayError } from "../server/contract/errors.ts";
import { storageFault } from "./storage-fault.ts";

/** "SLPW": tells our file from another program's. */
const APPLICATION_ID = 0x534c5057;
/** A whole check of a file up to this size costs less than 0.2 s; of a larger one only `essentialTables` are checked. */
const WHOLE_CHECK_BYTES = 32 * 1024 * 1024;
/** https://www.sqlite.org/fileformat.html#the_database_header */
const HEADER_BYTES = 100;
const BUSY_MS = 1000;

export type DatabaseOptions = {
  path: string;
  /** Holds `NNNN-name.sql`; NNNN becomes `PRAGMA user_version`. */
  migrationsDir: string;
  /** FULL: a commit is on disk when it returns. NORMAL: a power cut may take the last commits. OFF: and may damage it. */
  synchronous: "FULL" | "NORMAL" | "OFF";
  essentialTables: readonly string[];
  /** Called with the open database of an older schema before it is changed. */
  beforeMigration?: (db: Database, fromVersion: number) => void;
};

type Migration = { version: number; path: string };

function listMigrations(dir: string): Migration[] {
  return readdirSync(dir)
    .filter((name) => /^\d{4}-.*\.sql$/.test(name))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 4)), path: join(dir, name) }));
}

function migrate(db: Database, options: DatabaseOptions): void {
  const migrations = listMigrations(options.migrationsDir);
  const newest = migrations.at(-1)?.version ?? 0;
  const version = Number(db.pragma("user_version", { simple: true }));
  if (version > newest) {
    throw new SlipwayError(
      "DATABASE_NEWER",
      `${options.path} has schema ${version}, this version of Slipway knows schemas up to ${newest}; nothing was changed`,
    );
  }
  if (version > 0 && version < newest) options.beforeMigration?.(db, version);
  for (const migration of migrations.filter((m) => m.version > version)) {
    db.transaction(() => {
      db.exec(readFileSync(migration.path, "utf8"));
      db.pragma(`user_version = ${migration.version}`);
    }).exclusive();
  }
}

function connect(path: string, options: DatabaseOptions): Database {
  const db = new Sqlite(path, { timeout: BUSY_MS });
  try {
    // Before any pragma that writes: another program's file is not ours to turn to WAL.
    const id = Number(db.pragma("application_id", { simple: true }));
    if (id !== APPLICATION_ID) throw damaged(path, "is no database of Slipway (its application id is another)");
    db.pragma("journal_mode = WAL");
    db.pragma(`synchronous = ${options.synchronous}`);
    db.pragma("foreign_keys = ON");
    db.pragma("trusted_schema = OFF");
    // 16 MiB between checkpoints: under load each page is copied into the database once for many changes of it. The file keeps
    // that size, because a log that grows again costs a sync of its metadata with every commit.
    db.pragma("wal_autocheckpoint = 4096");
    db.pragma("journal_size_limit = 25165824");
    return db;
  } catch (cause) {
    db.close();
    throw cause;
  }
}

/** Waits until the directory's entries themselves are on disk: a rename alone is lost by a power cut. */
export function syncDirectory(dir: string): void {
  const fd = openSync(dir, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Under another name first, so that a file of no bytes under the real name is always damage and never a beginning. */
function createDatabase(options: DatabaseOptions): void {
  const path = `${options.path}.new`;
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
  closeSync(openSync(path, "wx", 0o600));
  const db = new Sqlite(path);
  try {
    db.pragma("auto_vacuum = INCREMENTAL");
    db.pragma("journal_mode = WAL");
    // One sync at the end, before the rename, is all that a new file needs.
    db.pragma("synchronous = OFF");
    db.pragma(`application_id = ${APPLICATION_ID}`);
    migrate(db, options);
  } finally {
    db.close();
  }
  // A WAL that an earlier file of this name left behind would be replayed into the new one.
  for (const suffix of ["-wal", "-shm"]) {
    if (existsSync(options.path + suffix)) renameSync(options.path + suffix, `${options.path}${suffix}.orphan`);
  }
  const fd = openSync(path, "r");
  fsyncSync(fd);
  closeSync(fd);
  renameSync(path, options.path);
  syncDirectory(dirname(options.path));
}

function damaged(path: string, how: string, cause?: unknown): SlipwayError {
  return new SlipwayError("DATABASE_DAMAGED", `${path} ${how}`, { cause });
}

/** A table that a later schema brings is not there before the migration, which comes after the check. */
function presentTables(db: Database, { essentialTables }: DatabaseOptions): string[] {
  const isPresent = db.prepare<[string]>("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
  return essentialTables.filter((table) => isPresent.get(table) !== undefined);
}

function check(db: Database, options: DatabaseOptions): void {
  const isSmall = statSync(options.path).size <= WHOLE_CHECK_BYTES;
  const checks = isSmall ? ["quick_check(1)"] : presentTables(db, options).map((table) => `quick_check(${table})`);
  for (const pragma of checks) {
    const answer = String(db.pragma(pragma, { simple: true }));
    if (answer !== "ok") throw damaged(options.path, `is damaged: ${answer.replaceAll("\n", "; ")}`);
  }
}

/** 0600 whatever the umask or a copying admin made of it; SQLite gives -wal and -shm the same mode. */
function tightenMode(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    if (existsSync(file) && (statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
  }
}

/**
 * Opens the database at `path`, creating it when there is none.
 * @returns a connection in WAL mode whose schema is the newest.
 * @throws DATABASE_DAMAGED (truncated, garbage, of another program), DATABASE_NEWER, DISK_FULL, NO_PERMISSION, DISK_FAILED.
 *   The file is never replaced or repaired here.
 */
export function openDatabase(options: DatabaseOptions): Database {
  let db: Database | undefined;
  try {
    if (!existsSync(options.path)) createDatabase(options);
    tightenMode(options.path);
    const { size } = statSync(options.path);
    if (size < HEADER_BYTES)
      throw damaged(options.path, `is cut to ${size} bytes; the header alone has ${HEADER_BYTES}`);
    db = connect(options.path, options);
    check(db, options);
    migrate(db, options);
    return db;
  } catch (cause) {
    db?.close();
    throw storageFault(cause, options.path);
  }
}

/** The name that a damaged file is moved to: `logs.db.damaged-1767225600000`. */
export function moveAside(path: string, now: number): string {
  const aside = `${path}.damaged-${now}`;
  for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
  renameSync(path, aside);
  return basename(aside);
}
