// Syncs SQLite's write-ahead log from outside SQLite, in libuv's threads, so that the event loop goes on meanwhile. Opened by
// store.ts for group-commit.ts. What SQLite itself does with synchronous=FULL: sync the log after each commit; the rest
// (the log's header, both files at a checkpoint) it does with NORMAL as well (https://www.sqlite.org/wal.html).
import { closeSync, fdatasync, openSync } from "node:fs";
import type { Database } from "better-sqlite3";
import { SlipwayError } from "../server/contract/errors.ts";
import type { Durability } from "./group-commit.ts";

/** @param db in WAL mode, with synchronous=NORMAL; its log is there as soon as something was committed. */
export function openLogSync(db: Database): Durability & { close(): void } {
  let fd: number | undefined;
  return {
    sync: () =>
      new Promise((resolve, reject) => {
        // SQLite's locks are on the other files: closing a descriptor of this one drops none of them.
        fd ??= openSync(`${db.name}-wal`, "r");
        fdatasync(fd, (cause) => (cause ? reject(cause) : resolve()));
      }),
    recover() {
      const [result] = db.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
      if (result?.busy !== 0) {
        throw new SlipwayError("DISK_FAILED", `${db.name}: a sync failed, and the log could not be emptied since`);
      }
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}
