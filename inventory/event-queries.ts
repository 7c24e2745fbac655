// All SQL about events. Called by store.ts, and inside transactions by whoever changes a machine.
import type { Database } from "better-sqlite3";
import type { EventRecord, NewEvent } from "./event.ts";
import type { EventQuery } from "./port.ts";

type Row = {
  seq: number;
  at: number;
  kind: NewEvent["kind"];
  mac: string | null;
  machine_id: string | null;
  attempt_id: string | null;
  detail: string;
};

const eventOf = (row: Row): EventRecord => ({
  seq: row.seq,
  at: row.at,
  kind: row.kind,
  ...(row.mac === null ? {} : { mac: row.mac }),
  ...(row.machine_id === null ? {} : { machineId: row.machine_id }),
  ...(row.attempt_id === null ? {} : { attemptId: row.attempt_id }),
  detail: JSON.parse(row.detail),
});

/** What a query asks for, as SQL with named parameters. A machine also owns what its MACs did before it was known. */
const WHERE = {
  mac: "mac = @mac",
  machineId:
    "(machine_id = @machineId OR (machine_id IS NULL AND mac IN (SELECT mac FROM macs WHERE machine_id = @machineId)))",
  afterSeq: "seq > @afterSeq",
} as const satisfies Partial<Record<keyof EventQuery, string>>;

/** Events of an answer when the query names no limit. */
export const DEFAULT_LIMIT = 1000;

export function eventQueries(db: Database) {
  const insert = db.prepare<unknown[], { seq: number; machine_id: string | null }>(
    `INSERT INTO events (at, kind, mac, machine_id, attempt_id, detail)
     VALUES (?, ?, ?, (SELECT machine_id FROM macs WHERE mac = ?), ?, ?) RETURNING seq, machine_id`,
  );
  const prune = db.prepare<[number, number]>(
    "DELETE FROM events WHERE at < ? AND seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?)",
  );
  const pruneOver = db.prepare<[number, number]>(
    "DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ? AND seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?)",
  );
  return {
    record: (event: NewEvent): EventRecord => {
      const detail = JSON.stringify(event.detail ?? {});
      const mac = event.mac ?? null;
      const row = insert.get(Math.floor(event.at), event.kind, mac, mac, event.attemptId ?? null, detail)!;
      return eventOf({ ...row, at: event.at, kind: event.kind, mac, attempt_id: event.attemptId ?? null, detail });
    },
    /** Oldest first: after `afterSeq` the first ones, else the newest ones. */
    list: (query: EventQuery): EventRecord[] => {
      const terms = Object.entries(WHERE).filter(([key]) => query[key as keyof EventQuery] !== undefined);
      const where = terms.length === 0 ? "" : `WHERE ${terms.map(([, sql]) => sql).join(" AND ")}`;
      const order = query.afterSeq === undefined ? "DESC" : "ASC";
      const sql = `SELECT * FROM events ${where} ORDER BY seq ${order} LIMIT @limit`;
      const rows = db.prepare<[object], Row>(sql).all({ ...query, limit: query.limit ?? DEFAULT_LIMIT });
      return (order === "DESC" ? rows.reverse() : rows).map(eventOf);
    },
    /** Deletes, among the `limit` oldest, those before `before` (ms); says how many. */
    prune: (before: number, limit: number) => prune.run(before, limit).changes,
    /** Deletes, among the `limit` oldest, those that are not of the newest `keep`; says how many. */
    pruneOver: (keep: number, limit: number) => pruneOver.run(keep, limit).changes,
  };
}
