// All SQL about boot attempts. Called by store.ts.
import type { Database } from "better-sqlite3";
import type { BootAttempt } from "./ticket.ts";

type Row = {
  id: string;
  machine_id: string;
  mac: string;
  started_at: number;
  source_ip: string;
  platform: string | null;
  arch: string | null;
  decision: string;
};

const attemptOf = (row: Row): BootAttempt => ({
  id: row.id,
  machineId: row.machine_id,
  mac: row.mac,
  startedAt: row.started_at,
  sourceIp: row.source_ip,
  ...(row.platform === null ? {} : { platform: row.platform }),
  ...(row.arch === null ? {} : { arch: row.arch }),
  decision: row.decision,
});

export function attemptQueries(db: Database) {
  const byId = db.prepare<[string], Row>("SELECT * FROM boot_attempts WHERE id = ?");
  const upsert = db.prepare(
    `INSERT INTO boot_attempts (id, machine_id, mac, started_at, source_ip, platform, arch, decision)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET source_ip = excluded.source_ip, platform = excluded.platform, arch = excluded.arch,
       decision = excluded.decision`,
  );
  const prune = db.prepare<[number, number]>(
    "DELETE FROM boot_attempts WHERE id IN (SELECT id FROM boot_attempts WHERE started_at < ? LIMIT ?)",
  );
  const pruneOver = db.prepare<[number, number]>(
    "DELETE FROM boot_attempts WHERE id IN (SELECT id FROM boot_attempts ORDER BY started_at DESC LIMIT ? OFFSET ?)",
  );
  return {
    find: (id: string) => {
      const row = byId.get(id);
      return row && attemptOf(row);
    },
    save: (a: BootAttempt) =>
      upsert.run(a.id, a.machineId, a.mac, a.startedAt, a.sourceIp, a.platform ?? null, a.arch ?? null, a.decision),
    /** Deletes up to `limit` attempts that began before `before` (ms), with their tickets; says how many. */
    prune: (before: number, limit: number) => prune.run(before, limit).changes,
    /** Deletes up to `limit` attempts that are not of the newest `keep`; says how many. */
    pruneOver: (keep: number, limit: number) => pruneOver.run(limit, keep).changes,
  };
}
