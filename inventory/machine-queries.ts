// All SQL about machines and their MACs. Called by store.ts for reads, by sight-machine.ts and change-machines.ts inside
// a transaction. Rules are elsewhere: here rows become machines and machines rows.
import type { Database } from "better-sqlite3";
import type { Ipv4, Mac } from "./address.ts";
import type { Machine } from "./machine.ts";

type Row = { [column: string]: string | number | null };
/** Values in the order of {@link COLUMNS}: binding by name costs twice as much. */
type Values = (string | number | null)[];

/** Column → field, as text. */
const FIELDS = {
  id: "id",
  uuid: "uuid",
  serial: "serial",
  name: "name",
  role: "role",
  cluster: "cluster",
  address: "address",
  boot: "boot",
  lifecycle: "lifecycle",
  activity: "activity",
  activity_reason: "activityReason",
  arch: "arch",
  firmware: "firmware",
  product: "product",
  install_disk: "installDisk",
  key_fingerprint: "keyFingerprint",
  pairing_code: "pairingCode",
  created_at: "createdAt",
  seen_at: "seenAt",
  approved_at: "approvedAt",
  approved_by: "approvedBy",
} as const satisfies Record<string, keyof Machine>;
/** Columns that hold JSON and go by the field's name. */
const JSON_FIELDS = ["facts", "spec", "install", "installation", "verb"] as const satisfies readonly (keyof Machine)[];
const PAIRS = Object.entries(FIELDS);
const COLUMNS = [...Object.keys(FIELDS), ...JSON_FIELDS, "disk_boots"];
const SEEN_AT = COLUMNS.indexOf("seen_at");

function machineOf(row: Row): Machine {
  const machine: Record<string, unknown> = { macs: JSON.parse(row.macs as string) };
  for (const [column, field] of PAIRS) {
    const value = row[column];
    if (value !== null) machine[field] = value;
  }
  for (const field of JSON_FIELDS) if (row[field] !== null) machine[field] = JSON.parse(row[field] as string);
  if (row.disk_boots !== null) machine.diskBoots = row.disk_boots;
  // A machine that a person wrote down and the wire has not shown yet.
  machine.seenAt ??= machine.createdAt;
  return machine as Machine;
}

function valuesOf(machine: Machine, isSeen: boolean): Values {
  const values: Values = PAIRS.map(([, field]) => (machine[field] as string | undefined) ?? null);
  for (const field of JSON_FIELDS) values.push(machine[field] === undefined ? null : JSON.stringify(machine[field]));
  values.push(machine.diskBoots || null);
  if (!isSeen) values[SEEN_AT] = null;
  return values;
}

/**
 * Machines that only the wire speaks of: no person gave them anything, and they never enrolled. Whoever invents MACs makes
 * as many of these as they like. The same words as the index's, so that counting them costs little.
 */
const UNTOUCHED = `lifecycle = 'discovered' AND seen_at IS NOT NULL
  AND coalesce(name, role, cluster, spec, address, boot, key_fingerprint) IS NULL`;

const SELECT = `SELECT machines.*, (SELECT json_group_array(mac) FROM
    (SELECT mac FROM macs WHERE machine_id = machines.id ORDER BY position)) AS macs FROM machines`;

export type MachineQueries = ReturnType<typeof machineQueries>;

export function machineQueries(db: Database) {
  const byId = db.prepare<[string], Row>(`${SELECT} WHERE id = ?`);
  const byMac = db.prepare<[Mac], Row>(`${SELECT} WHERE id = (SELECT machine_id FROM macs WHERE mac = ?)`);
  const byUuid = db.prepare<[string, string], Row>(`${SELECT} WHERE uuid IN (?, ?) ORDER BY created_at, id`);
  const byName = db.prepare<[string], Row>(`${SELECT} WHERE name = ?`);
  const byAddress = db.prepare<[Ipv4], Row>(`${SELECT} WHERE address = ?`);
  const all = db.prepare<[], Row>(`${SELECT} ORDER BY created_at, id`);
  const seen = db.prepare<[string], { seen: number }>("SELECT seen_at IS NOT NULL AS seen FROM machines WHERE id = ?");
  const insertion = `INSERT INTO machines (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map(() => "?").join(", ")})`;
  const insert = db.prepare<[Values]>(insertion);
  const upsert = db.prepare<[Values]>(
    `${insertion} ON CONFLICT (id) DO UPDATE SET ${COLUMNS.map((c) => `${c} = excluded.${c}`).join(", ")}`,
  );
  const setSeen = db.prepare<[string, string]>("UPDATE machines SET seen_at = ? WHERE id = ?");
  const vacate = db.prepare<[string]>("UPDATE machines SET name = NULL, address = NULL WHERE id = ?");
  const dropMacs = db.prepare<[string]>("DELETE FROM macs WHERE machine_id = ?");
  const addMac = db.prepare<[Mac, string, number]>("INSERT INTO macs (mac, machine_id, position) VALUES (?, ?, ?)");
  const remove = db.prepare<[string]>("DELETE FROM machines WHERE id = ?");
  const setActivity = db.prepare<[string, string | null, string]>(
    "UPDATE machines SET activity = ?, activity_reason = ? WHERE id = ?",
  );
  const untouched = db.prepare<[string, number], { id: string }>(
    `SELECT id FROM machines WHERE ${UNTOUCHED} AND seen_at < ? ORDER BY seen_at, id LIMIT ?`,
  );
  const countUntouched = db.prepare<[], { n: number }>(`SELECT count(*) AS n FROM machines WHERE ${UNTOUCHED}`);
  /** Counted when it may matter only: each machine that appears adds one, whatever became of the others. */
  let untouchedAtMost = Number.POSITIVE_INFINITY;
  const one = (row: Row | undefined) => (row === undefined ? undefined : machineOf(row));

  return {
    findById: (id: string) => one(byId.get(id)),
    findByMac: (mac: Mac) => one(byMac.get(mac)),
    /** In either byte order; more than one means that the boards share a UUID, and it names none of them. */
    listByUuid: (uuid: string, swapped: string) => byUuid.all(uuid, swapped).map(machineOf),
    findByName: (name: string) => one(byName.get(name)),
    findByAddress: (address: Ipv4) => one(byAddress.get(address)),
    list: () => all.all().map(machineOf),
    isSeen: (id: string) => seen.get(id)?.seen === 1,
    /** Frees name, address and MACs, so that machines of one change may swap them. */
    vacate: (id: string) => {
      vacate.run(id);
      dropMacs.run(id);
    },
    /** @param isSeen whether the wire has shown it; else `seenAt` is not stored. */
    save: (machine: Machine, isSeen: boolean) => {
      untouchedAtMost++;
      upsert.run(valuesOf(machine, isSeen));
      dropMacs.run(machine.id);
      for (const [position, mac] of machine.macs.entries()) addMac.run(mac, machine.id, position);
    },
    /** Writes down a machine whose id and MACs nobody has, as the wire shows it. */
    create: (machine: Machine) => {
      untouchedAtMost++;
      insert.run(valuesOf(machine, true));
      for (const [position, mac] of machine.macs.entries()) addMac.run(mac, machine.id, position);
    },
    saveSeenAt: (id: string, seenAt: string) => setSeen.run(seenAt, id),
    saveActivity: (id: string, activity: string, reason: string | undefined) =>
      setActivity.run(activity, reason ?? null, id),
    delete: (id: string) => remove.run(id),
    /** Whether at least `limit` machines are such that only the wire speaks of them. */
    hasUntouched: (limit: number) => {
      if (untouchedAtMost >= limit) untouchedAtMost = countUntouched.get()!.n;
      return untouchedAtMost >= limit;
    },
    /** Ids of up to `limit` of them that were not seen since `before` (ISO-8601 UTC), those unseen for longest first. */
    listUntouched: (before: string, limit: number) => untouched.all(before, limit).map((row) => row.id),
  };
}
