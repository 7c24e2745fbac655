// Files that must be there whole or not at all, and that must never replace another. Used by open-identity.ts and store.ts.
import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { SlipwayError } from "../contract/errors.ts";

/** Waits until the directory's entries are on disk. */
export function syncDirectory(dir: string): void {
  const fd = openSync(dir, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes and syncs a file that must not exist yet. @param mode whatever the umask is. */
export function writeSynced(path: string, text: string | Uint8Array, mode: number): void {
  const fd = openSync(path, "wx", mode);
  try {
    writeSync(fd, typeof text === "string" ? Buffer.from(text) : text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Puts a whole file at `path` in one step. When two processes do it at once, one wins and both find the same file.
 * @returns whether this call made it.
 */
export function createFile(path: string, text: string | Uint8Array, mode: number): boolean {
  const partial = `${path}.${process.pid}.new`;
  rmSync(partial, { force: true });
  writeSynced(partial, text, mode);
  try {
    // Unlike a rename, a link never replaces what is there.
    linkSync(partial, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw cause;
  } finally {
    rmSync(partial, { force: true });
    syncDirectory(dirname(path));
  }
}

const MEANINGS = {
  ENOSPC: { code: "DISK_FULL", why: "the file system is full" },
  EDQUOT: { code: "DISK_FULL", why: "the quota is used up" },
  EACCES: { code: "NO_PERMISSION", why: "this user may not" },
  EPERM: { code: "NO_PERMISSION", why: "this user may not" },
  EROFS: { code: "NO_PERMISSION", why: "the file system is read-only" },
  ENOTDIR: { code: "NO_PERMISSION", why: "a part of the path is a file" },
  EIO: { code: "DISK_FAILED", why: "the disk answered with an input/output error" },
} as const;

/** What an error of `node:fs` means to the person who runs the appliance; other errors stay as they are. */
export function fileFault(cause: unknown, path: string, deed: string): unknown {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const meaning = (MEANINGS as Record<string, (typeof MEANINGS)[keyof typeof MEANINGS]>)[code];
  return meaning ? new SlipwayError(meaning.code, `${path} cannot be ${deed}: ${meaning.why}`, { cause }) : cause;
}
