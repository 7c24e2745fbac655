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
  const ownerOf = db.prepare<[string], { machine_id: string }>("SELECT machine_id FROM macs WHERE mac = ?");
  const insert = db.prepare<unknown[]>(
    "INSERT INTO events (at, kind, mac, machine_id, attempt_id, detail) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const prune = db.prepare<[number, number, number]>(
    "DELETE FROM events WHERE at < ? AND seq <= (SELECT max(seq) FROM events) - ? AND seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?)",
  );
  const pruneOver = db.prepare<[number, number]>(
    "DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ? AND seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?)",
  );
  return {
    record: (event: NewEvent): EventRecord => {
      const { at, kind, mac, attemptId, detail = {} } = event;
      const machineId = mac === undefined ? undefined : ownerOf.get(mac)?.machine_id;
      const text = JSON.stringify(detail);
      // RETURNING would say both, and costs a quarter more than the look-up beside a plain insert.
      const written = insert.run(Math.floor(at), kind, mac ?? null, machineId ?? null, attemptId ?? null, text);
      return { ...event, seq: Number(written.lastInsertRowid), ...(machineId !== undefined && { machineId }), detail };
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
    prune: (before: number, spared: number, limit: number) => prune.run(before, spared, limit).changes,
    /** Deletes, among the `limit` oldest, those that are not of the newest `keep`; says how many. */
    pruneOver: (keep: number, limit: number) => pruneOver.run(keep, limit).changes,
  };
}
