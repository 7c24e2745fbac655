// What an error of SQLite or of the file system means to the person who runs the appliance. Called by every edge of
// this room, and by nobody else. Source: https://www.sqlite.org/rescode.html. Pure.
import { type ErrorCode, SlipwayError } from "../server/contract/errors.ts";

type Row = { code: ErrorCode; say: (path: string) => string };

const FULL: Row = { code: "DISK_FULL", say: (path) => `${path} cannot be written: the file system is full` };
const DENIED: Row = {
  code: "NO_PERMISSION",
  say: (path) => `${path} cannot be read and written by this user; both are needed`,
};
const READ_ONLY: Row = { code: "NO_PERMISSION", say: (path) => `${path} is on a read-only file system, or protected` };
const FAILING: Row = { code: "DISK_FAILED", say: (path) => `${path}: the disk answered with an input/output error` };
const NOT_A_DIRECTORY: Row = {
  code: "NO_PERMISSION",
  say: (path) => `${path} cannot be made: a part of the path is a file, and a directory is needed`,
};

/** The first row whose key begins the error's code wins. */
const ROWS: Record<string, Row> = {
  SQLITE_FULL: FULL,
  ENOSPC: FULL,
  EDQUOT: FULL,
  SQLITE_CORRUPT: { code: "DATABASE_DAMAGED", say: (path) => `${path} is damaged` },
  SQLITE_NOTADB: { code: "DATABASE_DAMAGED", say: (path) => `${path} is not an SQLite database` },
  // The first page of shared memory beside a WAL finds no room; SQLite has no better word for it.
  SQLITE_IOERR_SHMSIZE: FULL,
  SQLITE_IOERR: FAILING,
  EIO: FAILING,
  SQLITE_READONLY: READ_ONLY,
  EROFS: READ_ONLY,
  SQLITE_CANTOPEN: DENIED,
  SQLITE_PERM: DENIED,
  EACCES: DENIED,
  EPERM: DENIED,
  ENOTDIR: NOT_A_DIRECTORY,
  EEXIST: NOT_A_DIRECTORY,
  SQLITE_BUSY: {
    code: "DATA_DIR_IN_USE",
    say: (path) => `${path} is being written by another program, and it did not finish in time`,
  },
};

const codeOf = (cause: unknown): string | undefined => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? code : undefined;
};

/**
 * Turns what SQLite or `node:fs` threw into a fault that names the file.
 * @returns the same value when it is a SlipwayError already, or no storage error at all (a bug must stay visible).
 */
export function storageFault(cause: unknown, path: string): unknown {
  const code = codeOf(cause);
  if (cause instanceof SlipwayError || code === undefined) return cause;
  const row = Object.entries(ROWS).find(([prefix]) => code.startsWith(prefix))?.[1];
  return row ? new SlipwayError(row.code, row.say(path), { cause }) : cause;
}
