// Machines' log lines: batched, without sync, bounded in memory and on disk, and never in the way of anything else. A
// damaged logs.db is moved aside: no appliance stays down for old log lines. Called by store.ts.
import { join } from "node:path";
import type { Database } from "better-sqlite3";
import { SlipwayError } from "../server/contract/errors.ts";
import { type DatabaseOptions, moveAside, openDatabase } from "./database.ts";
import { logLineQueries } from "./log-line-queries.ts";
import { logQueue } from "./log-queue.ts";
import type { LogLine } from "./port.ts";
import type { StoreLog } from "./store-log.ts";

const QUEUE_LINES = 20_000;
const BATCH_LINES = 2_000;
const BATCH_EVERY_MS = 100;
/** Between two events about dropped lines. */
const REPORT_EVERY_MS = 10_000;
/** A kernel line has at most 1 kB; a longer one is somebody's mistake and is cut. */
const LINE_CHARS = 4096;
/** Pages in the WAL before they go to the file: its share of the bound. */
const WAL_SHARE = 1 / 16;
const PAGE_BYTES = 4096;

export type LogLines = {
  append(lines: readonly LogLine[]): void;
  list(mac: string | undefined, limit: number): LogLine[];
  close(): void;
};
export type LogLineOptions = {
  dataDir: string;
  maxBytes: number;
  now: () => number;
  log: StoreLog;
  /** Called with the number of lines that were lost since it was called last. */
  onDropped: (lines: number) => void;
};

function openOrStartAnew(o: LogLineOptions): Database {
  const path = join(o.dataDir, "logs.db");
  const migrationsDir = join(import.meta.dirname, "log-migrations");
  const options: DatabaseOptions = { path, migrationsDir, synchronous: "OFF", essentialTables: ["log_lines"] };
  try {
    return openDatabase(options);
  } catch (cause) {
    const isExpendable = cause instanceof SlipwayError && /^DATABASE_/.test(cause.code);
    if (!isExpendable) throw cause;
    const aside = moveAside(path, o.now());
    o.log.warn(`${cause.message}: the machines' old log lines are in ${aside}; new ones start afresh`, { path, aside });
    return openDatabase(options);
  }
}

/** @throws what opening a database throws, but damage. */
export function openLogLines(o: LogLineOptions): LogLines {
  const db = openOrStartAnew(o);
  const walPages = Math.floor((o.maxBytes * WAL_SHARE) / PAGE_BYTES);
  db.pragma(`wal_autocheckpoint = ${Math.min(1000, Math.max(8, walPages))}`);
  db.pragma(`journal_size_limit = ${Math.ceil(o.maxBytes * WAL_SHARE)}`);
  const lines = logLineQueries(db);
  const queue = logQueue<LogLine>(QUEUE_LINES);
  const fileBytes = o.maxBytes * (1 - 2 * WAL_SHARE);
  const saveAll = db.transaction((batch: readonly LogLine[]) => lines.save(batch));
  let timer: NodeJS.Timeout | undefined;
  let reportTimer: NodeJS.Timeout | undefined;
  let isFailing = false;
  let reportedAt = Number.NEGATIVE_INFINITY;

  function keepBound(): void {
    if (lines.usedBytes() <= fileBytes) return;
    while (lines.usedBytes() > fileBytes && lines.pruneOldest() > 0);
    lines.shrink();
  }
  function writeBatch(): void {
    const batch = queue.take(BATCH_LINES);
    try {
      saveAll(batch);
      keepBound();
      isFailing = false;
    } catch (cause) {
      queue.countDropped(batch.length);
      // A full disk lasts: said once, not ten times a second.
      if (isFailing) return;
      isFailing = true;
      o.log.warn("log lines of machines cannot be written; they are dropped until it works again", { err: cause });
    }
  }
  function report(): void {
    const dropped = queue.takeDropped();
    if (dropped === 0) return;
    reportedAt = o.now();
    o.onDropped(dropped);
  }
  /** One event for all that was dropped, and the next not before ten seconds have passed. */
  function reportInTime(): void {
    const waitMs = Math.min(reportedAt + REPORT_EVERY_MS - o.now(), REPORT_EVERY_MS);
    if (waitMs <= 0) report();
    else if (queue.dropped > 0)
      reportTimer ??= setTimeout(() => {
        reportTimer = undefined;
        report();
      }, waitMs).unref();
  }
  function turn(): void {
    timer = undefined;
    writeBatch();
    if (queue.size > 0) schedule();
    else reportInTime();
  }
  function schedule(): void {
    timer ??= setTimeout(turn, BATCH_EVERY_MS).unref();
  }
  function drain(): void {
    while (queue.size > 0) writeBatch();
    report();
  }

  keepBound();
  return {
    append: (added) => {
      queue.add(added.map((l) => (l.text.length > LINE_CHARS ? { ...l, text: `${l.text.slice(0, LINE_CHARS)}…` } : l)));
      schedule();
    },
    list: (mac, limit) => {
      drain();
      return lines.list(mac, limit);
    },
    close: () => {
      clearTimeout(timer);
      clearTimeout(reportTimer);
      drain();
      db.close();
    },
  };
}
