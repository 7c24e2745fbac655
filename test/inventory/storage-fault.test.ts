// What SQLite's and the kernel's error codes become.
import { expect, test } from "vitest";
import { storageFault } from "../../inventory/storage-fault.ts";
import { SlipwayError } from "../../server/contract/errors.ts";

const CODES = [
  { code: "SQLITE_FULL", becomes: "DISK_FULL", says: /file system is full/ },
  { code: "ENOSPC", becomes: "DISK_FULL", says: /file system is full/ },
  { code: "SQLITE_CORRUPT_INDEX", becomes: "DATABASE_DAMAGED", says: /is damaged/ },
  { code: "SQLITE_NOTADB", becomes: "DATABASE_DAMAGED", says: /no?t an SQLite database/ },
  { code: "SQLITE_IOERR_SHMSIZE", becomes: "DISK_FULL", says: /file system is full/ },
  { code: "SQLITE_IOERR_FSYNC", becomes: "DISK_FAILED", says: /input\/output error/ },
  { code: "EIO", becomes: "DISK_FAILED", says: /input\/output error/ },
  { code: "SQLITE_READONLY_DBMOVED", becomes: "NO_PERMISSION", says: /read-only/ },
  { code: "EROFS", becomes: "NO_PERMISSION", says: /read-only/ },
  { code: "SQLITE_CANTOPEN", becomes: "NO_PERMISSION", says: /by this user/ },
  { code: "EACCES", becomes: "NO_PERMISSION", says: /by this user/ },
  { code: "ENOTDIR", becomes: "NO_PERMISSION", says: /a part of the path is a file/ },
  { code: "SQLITE_BUSY_SNAPSHOT", becomes: "DATA_DIR_IN_USE", says: /another program/ },
];
for (const { code, becomes, says } of CODES) {
  test(`${code} becomes ${becomes}, names the file and keeps the cause`, () => {
    const cause = Object.assign(new Error("x"), { code });
    const fault = storageFault(cause, "/data/inventory.db");
    expect(fault).toMatchObject({ code: becomes, cause, message: expect.stringMatching(says) });
    expect((fault as Error).message).toContain("/data/inventory.db");
  });
}
const AS_THEY_ARE = [
  { name: "a SlipwayError", value: new SlipwayError("CONFLICT", "x") },
  { name: "a bug", value: new TypeError("x") },
  { name: "an unknown code", value: Object.assign(new Error("x"), { code: "SQLITE_MISUSE" }) },
  { name: "a code that is no text", value: Object.assign(new Error("x"), { code: 5 }) },
  { name: "no error", value: "text" },
];
for (const { name, value } of AS_THEY_ARE)
  test(`${name} stays as it is`, () => expect(storageFault(value, "p")).toBe(value));
