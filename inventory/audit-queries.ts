// The append-only audit log: each entry's hash covers the one before it, so that whoever edits a row must rewrite all
// that follow (design §6.6). Called inside the transaction of the change that it tells of, and by store.ts for reading.
import { createHash } from "node:crypto";
import type { Database } from "better-sqlite3";
import type { AuditEntry } from "./port.ts";

/** The hash before the first entry. */
export const FIRST_HASH = "0".repeat(64);
const CHECK_ROWS = 1000;

/** SHA-256 over the previous hash and the entry as a JSON array, hex. docs/schema.md states the same for outside checkers. */
export function auditHash(previous: string, entry: Omit<AuditEntry, "hash">): string {
  const { seq, at, actor, action, target, detail } = entry;
  return createHash("sha256")
    .update(`${previous}\n${JSON.stringify([seq, at, actor, action, target, detail])}`)
    .digest("hex");
}

export function auditQueries(db: Database) {
  const last = db.prepare<[], { seq: number; hash: string }>("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1");
  const given = db.prepare<[], { seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'audit'");
  const insert = db.prepare("INSERT INTO audit VALUES (@seq, @at, @actor, @action, @target, @detail, @hash)");
  const after = db.prepare<[number, number], AuditEntry>("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?");
  const newest = db.prepare<[number], AuditEntry>("SELECT * FROM audit ORDER BY seq DESC LIMIT ?");

  return {
    append: (entry: Omit<AuditEntry, "seq" | "hash">): void => {
      const previous = last.get() ?? { seq: 0, hash: FIRST_HASH };
      const next = { ...entry, seq: previous.seq + 1 };
      insert.run({ ...next, hash: auditHash(previous.hash, next) });
    },
    /** Oldest first: after `afterSeq` the first ones, else the newest ones. */
    list: (afterSeq: number | undefined, limit: number): AuditEntry[] =>
      afterSeq === undefined ? newest.all(limit).reverse() : after.all(afterSeq, limit),
    /**
     * Checks one stretch of the chain.
     * @returns the first entry that does not fit, or where to go on; `end` when the chain holds to its end. An entry cut
     *   off the end is found because SQLite remembers the highest number it gave.
     */
    check: (seq: number, hash: string): { broken: number } | { seq: number; hash: string } | "end" => {
      const rows = after.all(seq, CHECK_ROWS);
      let at = { seq, hash };
      for (const row of rows) {
        if (row.seq !== at.seq + 1 || row.hash !== auditHash(at.hash, row)) return { broken: at.seq + 1 };
        at = { seq: row.seq, hash: row.hash };
      }
      if (rows.length === CHECK_ROWS) return at;
      return (given.get()?.seq ?? 0) > at.seq ? { broken: at.seq + 1 } : "end";
    },
  };
}
