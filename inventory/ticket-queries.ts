// All SQL about tickets. Called by store.ts. Only hashes of tokens come here.
import type { Database } from "better-sqlite3";
import type { Ticket } from "./ticket.ts";

/** Column → field, in the order of every statement below. */
const FIELDS = {
  id: "id",
  machine_id: "machineId",
  mac: "mac",
  source_ip: "sourceIp",
  issued_at: "issuedAt",
  expires_at: "expiresAt",
  token_hash: "tokenHash",
  fetched_at: "fetchedAt",
  key_fingerprint: "keyFingerprint",
  spent_at: "spentAt",
} as const satisfies Record<string, keyof Ticket>;
const COLUMNS = Object.keys(FIELDS);

type Row = Record<string, string | number | null>;

function ticketOf(row: Row): Ticket {
  const ticket: Record<string, unknown> = {};
  for (const [column, field] of Object.entries(FIELDS)) if (row[column] !== null) ticket[field] = row[column];
  return ticket as Ticket;
}
const valuesOf = (ticket: Ticket) => Object.values(FIELDS).map((field) => ticket[field] ?? null);

export function ticketQueries(db: Database) {
  const byId = db.prepare<[string], Row>("SELECT * FROM tickets WHERE id = ?");
  const byHash = db.prepare<[string], Row>("SELECT * FROM tickets WHERE token_hash = ?");
  const byKey = db.prepare<[string], Row>(
    "SELECT * FROM tickets WHERE key_fingerprint = ? ORDER BY spent_at DESC, id LIMIT 1",
  );
  const insert = db.prepare(
    `INSERT INTO tickets (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map(() => "?").join(", ")})`,
  );
  const replace = db.prepare(
    `UPDATE tickets SET ${COLUMNS.map((c) => `${c} = ?`).join(", ")} WHERE ${COLUMNS.map((c) => `${c} IS ?`).join(" AND ")}`,
  );
  const one = (row: Row | undefined) => (row === undefined ? undefined : ticketOf(row));
  return {
    find: (id: string) => one(byId.get(id)),
    findByTokenHash: (hash: string) => one(byHash.get(hash)),
    /** The ticket that a key was enrolled with, the last one when there were several. */
    findByKey: (fingerprint: string) => one(byKey.get(fingerprint)),
    save: (ticket: Ticket) => insert.run(valuesOf(ticket)),
    /** Compare and swap over all fields: whether `from` was still what is stored. */
    replace: (from: Ticket, to: Ticket) => replace.run([...valuesOf(to), ...valuesOf(from)]).changes === 1,
  };
}
