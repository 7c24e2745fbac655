// All SQL about log lines, in logs.db. Called by open-log-lines.ts.
import type { Database } from "better-sqlite3";
import type { LogLine } from "./port.ts";

/** Share of the lines that goes when the file is full: few large deletions, not one with every line. */
const PRUNE_SHARE = 0.1;

export function logLineQueries(db: Database) {
  const insert = db.prepare("INSERT INTO log_lines (at, mac, source, text) VALUES (?, ?, ?, ?)");
  const newest = db.prepare<[number], LogLine>("SELECT at, mac, source, text FROM log_lines ORDER BY seq DESC LIMIT ?");
  const newestOf = db.prepare<[string, number], LogLine>(
    "SELECT at, mac, source, text FROM log_lines WHERE mac = ? ORDER BY seq DESC LIMIT ?",
  );
  const prune = db.prepare<[number]>(
    "DELETE FROM log_lines WHERE seq <= (SELECT min(seq) + (max(seq) - min(seq)) * ? FROM log_lines)",
  );
  const pragma = (name: string) => Number(db.pragma(name, { simple: true }));
  return {
    save: (lines: readonly LogLine[]) => {
      for (const { at, mac, source, text } of lines) insert.run(Math.floor(at), mac, source, text);
    },
    /** The newest lines, oldest first. */
    list: (mac: string | undefined, limit: number): LogLine[] =>
      (mac === undefined ? newest.all(limit) : newestOf.all(mac, limit)).reverse(),
    pruneOldest: () => prune.run(PRUNE_SHARE).changes,
    /** Bytes of the file that hold something. */
    usedBytes: () => (pragma("page_count") - pragma("freelist_count")) * pragma("page_size"),
    /** Gives free pages back to the file system. */
    shrink: () => db.pragma("incremental_vacuum"),
  };
}
