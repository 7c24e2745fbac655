// All SQL about certificates that are no longer good. Called by store.ts.
import type { Database } from "better-sqlite3";

export function keyQueries(db: Database) {
  const insert = db.prepare<[string, string, string, string]>(
    `INSERT INTO revoked_keys (fingerprint, machine_id, reason, revoked_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (fingerprint) DO NOTHING`,
  );
  const one = db.prepare<[string]>("SELECT 1 FROM revoked_keys WHERE fingerprint = ?");
  return {
    /** The first reason stays: revoking twice changes nothing. */
    revoke: (fingerprint: string, machineId: string, reason: string, at: string) =>
      insert.run(fingerprint, machineId, reason, at),
    isRevoked: (fingerprint: string) => one.get(fingerprint) !== undefined,
  };
}
