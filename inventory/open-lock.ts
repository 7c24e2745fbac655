// One appliance per dataDir. The lock is SQLite's own on a file of its own: it needs no native call, dies with the
// process whatever ends it, and still lets the second one read who holds it. Called by store.ts.
import { closeSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import Sqlite, { type Database } from "better-sqlite3";
import { SlipwayError } from "../server/contract/errors.ts";
import { storageFault } from "./storage-fault.ts";

const isBusy = (cause: unknown) => cause instanceof Sqlite.SqliteError && cause.code.startsWith("SQLITE_BUSY");

function readHolder(db: Database): string {
  try {
    const row = db.prepare("SELECT pid, since FROM holder").get() as { pid: number; since: string } | undefined;
    return row ? `process ${row.pid}, since ${row.since}` : "another process";
  } catch {
    return "another process";
  }
}

function take(path: string, now: number): Database {
  closeSync(openSync(path, "a", 0o600));
  const db = new Sqlite(path, { timeout: 0 });
  try {
    // Rollback journal in memory: readers may look while the RESERVED lock is held, and no second file appears.
    db.pragma("journal_mode = MEMORY");
    db.pragma("synchronous = OFF");
    db.exec("BEGIN IMMEDIATE");
    db.exec("CREATE TABLE IF NOT EXISTS holder (pid INTEGER, since TEXT); DELETE FROM holder");
    db.prepare("INSERT INTO holder VALUES (?, ?)").run(process.pid, new Date(now).toISOString());
    db.exec("COMMIT; BEGIN IMMEDIATE");
    return db;
  } catch (cause) {
    const holder = isBusy(cause) ? readHolder(db) : "";
    db.close();
    if (!isBusy(cause)) throw cause;
    throw new SlipwayError("DATA_DIR_IN_USE", `${path} is held by another appliance (${holder})`, { cause });
  }
}

/**
 * Takes the lock of a dataDir.
 * @param now milliseconds since 1970.
 * @returns the way to give it back.
 * @throws DATA_DIR_IN_USE naming the process that has it; NO_PERMISSION, DISK_FULL.
 */
export function openLock(dataDir: string, now: number): () => void {
  const path = join(dataDir, "lock");
  let db: Database;
  try {
    db = take(path, now);
  } catch (cause) {
    // What the lock holds is worth nothing: a file cut by a power loss is simply made again.
    if (!(cause instanceof Sqlite.SqliteError) || !/^SQLITE_(NOTADB|CORRUPT)/.test(cause.code)) {
      throw storageFault(cause, path);
    }
    rmSync(path);
    db = take(path, now);
  }
  return () => db.close();
}
