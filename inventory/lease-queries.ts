// All SQL about leases. Called by store.ts; which address goes to whom is DHCP's business.
import type { Database } from "better-sqlite3";
import type { Lease } from "./lease.ts";

type Row = {
  subnet: string;
  address: string;
  mac: string;
  client_id: string | null;
  hostname: string | null;
  state: Lease["state"];
  started_at: number;
  expires_at: number;
};

const leaseOf = (row: Row): Lease => ({
  subnet: row.subnet,
  address: row.address,
  mac: row.mac,
  ...(row.client_id === null ? {} : { clientId: row.client_id }),
  ...(row.hostname === null ? {} : { hostname: row.hostname }),
  state: row.state,
  startedAt: row.started_at,
  expiresAt: row.expires_at,
});

export function leaseQueries(db: Database) {
  const all = db.prepare<[], Row>("SELECT * FROM leases");
  const upsert = db.prepare(
    `INSERT INTO leases (subnet, address, mac, client_id, hostname, state, started_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (subnet, address) DO UPDATE SET mac = excluded.mac, client_id = excluded.client_id,
       hostname = excluded.hostname, state = excluded.state, started_at = excluded.started_at,
       expires_at = excluded.expires_at`,
  );
  return {
    list: () => all.all().map(leaseOf),
    save: (l: Lease) =>
      upsert.run(
        l.subnet,
        l.address,
        l.mac,
        l.clientId ?? null,
        l.hostname ?? null,
        l.state,
        Math.floor(l.startedAt),
        Math.floor(l.expiresAt),
      ),
  };
}
