// Copies of inventory.db in dataDir/backup: soon after the start and then daily, a few pages per turn of the event loop,
// so that no packet waits for it. Also the copy that is made before a migration, and the answer to "which copy is there
// to restore". Called by store.ts.
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "better-sqlite3";
import { syncDirectory } from "./database.ts";
import { storageFault } from "./storage-fault.ts";
import type { StoreLog } from "./store-log.ts";

const KEPT = 3;
const EVERY_MS = 24 * 3600 * 1000;
/** The start has better things to do; an hourly look also serves a machine that slept. */
const FIRST_LOOK_MS = 30_000;
const LOOK_EVERY_MS = 3600 * 1000;
const PAGES_PER_TURN = 64;
const NAME = /^inventory-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)Z\.db$/;

export const backupDir = (dataDir: string): string => join(dataDir, "backup");

const stamp = (now: number): string => `${new Date(now).toISOString().slice(0, 19).replaceAll(":", "-")}Z`;
const timeOf = (name: string): number => {
  const [, text] = NAME.exec(name)!;
  return Date.parse(`${text!.slice(0, 11)}${text!.slice(11).replaceAll("-", ":")}Z`);
};

function listCopies(dataDir: string): string[] {
  try {
    return readdirSync(backupDir(dataDir))
      .filter((name) => NAME.test(name))
      .sort();
  } catch {
    return [];
  }
}

/** The newest copy's path, for messages; undefined when there is none. */
export function findNewestBackup(dataDir: string): string | undefined {
  const name = listCopies(dataDir).at(-1);
  return name === undefined ? undefined : join(backupDir(dataDir), name);
}

function settle(from: string, to: string, dir: string): void {
  chmodSync(from, 0o600);
  const fd = openSync(from, "r");
  fsyncSync(fd);
  closeSync(fd);
  renameSync(from, to);
  syncDirectory(dir);
}

/** Copies the database whole before its schema changes; the start waits for it, because there is no way back. */
export function backUpBeforeMigration(db: Database, dataDir: string, version: number): void {
  const dir = backupDir(dataDir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `before-schema-${version + 1}.db`);
  rmSync(`${path}.new`, { force: true });
  db.prepare("VACUUM INTO ?").run(`${path}.new`);
  settle(`${path}.new`, path, dir);
}

/**
 * Copies the database once and keeps the newest three copies.
 * @param now milliseconds since 1970; becomes the copy's name.
 * @returns the copy's path.
 * @throws DISK_FULL and the like; a copy is there whole or not at all.
 */
export async function backUp(db: Database, dataDir: string, now: number): Promise<string> {
  const dir = backupDir(dataDir);
  const path = join(dir, `inventory-${stamp(now)}.db`);
  const partial = `${path}.new`;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(dir).filter((n) => n.endsWith(".new"))) rmSync(join(dir, name));
    closeSync(openSync(partial, "wx", 0o600));
    await db.backup(partial, { progress: () => PAGES_PER_TURN });
    settle(partial, path, dir);
  } catch (cause) {
    rmSync(partial, { force: true });
    throw storageFault(cause, path);
  }
  for (const old of listCopies(dataDir).slice(0, -KEPT)) rmSync(join(dir, old));
  return path;
}

/** Backs up whenever the newest copy is a day old. Returns the way to stop. */
export function runBackups(db: Database, dataDir: string, now: () => number, log: StoreLog): () => void {
  let isRunning = false;
  let isStopped = false;
  async function look(): Promise<void> {
    const newest = listCopies(dataDir).at(-1);
    if (isRunning || (newest !== undefined && now() - timeOf(newest) < EVERY_MS)) return;
    isRunning = true;
    try {
      const path = await backUp(db, dataDir, now());
      log.info(`the inventory was copied to ${path}`, { path });
    } catch (cause) {
      // A copy that the closing cut off is no news: its partial file goes, and the next start makes another.
      if (!isStopped) log.warn("the inventory could not be copied; the next try is in an hour", { err: cause });
    } finally {
      isRunning = false;
    }
  }
  const first = setTimeout(look, FIRST_LOOK_MS).unref();
  const rest = setInterval(look, LOOK_EVERY_MS).unref();
  return () => {
    isStopped = true;
    clearTimeout(first);
    clearInterval(rest);
  };
}
