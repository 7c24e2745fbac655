// The inventory on SQLite: composes the tables, the group commit, the log lines and the backups into the port that the
// rest of Slipway knows (port.ts). Called by server/main.ts. No rule lives here, and no SQL.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { clearTimeout, setTimeout } from "node:timers";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Database } from "better-sqlite3";
import { SlipwayError } from "../server/contract/errors.ts";
import { attemptQueries } from "./attempt-queries.ts";
import { auditQueries, FIRST_HASH } from "./audit-queries.ts";
import { applyTopology, deleteClusters } from "./change-clusters.ts";
import { changeMachines, deleteMachines, moveActivity } from "./change-machines.ts";
import { clusterQueries } from "./cluster-queries.ts";
import { openDatabase } from "./database.ts";
import { DEFAULT_LIMIT, eventQueries } from "./event-queries.ts";
import { type Durability, type GroupCommit, groupCommit, type Notes } from "./group-commit.ts";
import { keyQueries } from "./key-queries.ts";
import { leaseQueries } from "./lease-queries.ts";
import { machineQueries } from "./machine-queries.ts";
import { markQueries } from "./mark-queries.ts";
import { openDataDir } from "./open-data-dir.ts";
import { openLock } from "./open-lock.ts";
import { type LogLines, openLogLines } from "./open-log-lines.ts";
import { openLogSync } from "./open-log-sync.ts";
import type { Inventory, Urgency } from "./port.ts";
import { backUpBeforeMigration, findNewestBackup, runBackups } from "./run-backup.ts";
import { type Bounds, prune, runRetention } from "./run-retention.ts";
import { hearMachine, isOldNews, sightMachine } from "./sight-machine.ts";
import { storageFault } from "./storage-fault.ts";
import type { StoreLog } from "./store-log.ts";
import type { Tables, Writing } from "./tables.ts";
import { ticketQueries } from "./ticket-queries.ts";
import { timeOrderedUuid } from "./uuid.ts";
import { watchers } from "./watchers.ts";

export type InventoryOptions = {
  dataDir: string;
  /** Events older than `eventsMs` and log lines over `logBytes` go, oldest first. */
  retention: { eventsMs: number; logBytes: number };
  log: StoreLog;
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Rows kept at most, whatever their age; tests take few. */
  bounds?: Bounds;
  /**
   * FULL unless a test wants to see itself fail: with NORMAL a power cut takes the last writes although they were
   * acknowledged.
   */
  synchronous?: "FULL" | "NORMAL";
};

/** Losing one of these would lose what nobody can observe again. */
const ESSENTIAL = ["machines", "macs", "clusters", "roles", "leases", "tickets", "revoked_keys", "marks", "audit"];

function openMain(o: InventoryOptions): Database {
  const path = join(o.dataDir, "inventory.db");
  const migrationsDir = join(import.meta.dirname, "migrations");
  try {
    return openDatabase({
      path,
      migrationsDir,
      // FULL is made of NORMAL and a sync of our own after each commit (group-commit.ts).
      synchronous: "NORMAL",
      essentialTables: ESSENTIAL,
      beforeMigration: (db, version) => {
        o.log.info(
          `${path} has schema ${version}, an older one: it is copied to dataDir/backup, then brought up to date`,
        );
        backUpBeforeMigration(db, o.dataDir, version);
      },
    });
  } catch (cause) {
    if (!(cause instanceof SlipwayError) || cause.code !== "DATABASE_DAMAGED") throw cause;
    const copy = findNewestBackup(o.dataDir);
    throw new SlipwayError(
      "DATABASE_DAMAGED",
      `${cause.message}. It holds the machines with their roles and addresses, the leases, the events and the audit log; ` +
        `nothing was changed. ${copy ? `The newest copy is ${copy}` : `There is no copy in ${join(o.dataDir, "backup")}`}`,
      {
        cause,
        remedy: copy
          ? `Stop the appliance, move ${path}, ${path}-wal and ${path}-shm away, and copy ${copy} to ${path}.`
          : `Move ${path}, ${path}-wal and ${path}-shm away to start with an empty inventory, or put a copy of yours there.`,
      },
    );
  }
}

const openTables = (db: Database): Tables => ({
  machines: machineQueries(db),
  leases: leaseQueries(db),
  clusters: clusterQueries(db),
  attempts: attemptQueries(db),
  tickets: ticketQueries(db),
  keys: keyQueries(db),
  events: eventQueries(db),
  audit: auditQueries(db),
  marks: markQueries(db),
});

type Parts = {
  options: InventoryOptions;
  tables: Tables;
  commit: GroupCommit;
  logLines: LogLines;
  now: () => number;
  watch: ReturnType<typeof watchers>;
};
type Rules = Omit<Inventory, "close">;

function machineRules({ tables, commit, now, watch }: Parts) {
  const newId = () => timeOrderedUuid(now(), randomUUID());
  const write = <T>(run: (w: Writing) => T, urgency?: Urgency): Promise<T> =>
    commit.write((notes: Notes) => run({ tables, notes, at: now(), newId }), urgency);
  return {
    findMachineByMac: async (mac) => tables.machines.findByMac(mac),
    findMachineById: async (id) => tables.machines.findById(id),
    listMachines: async () => tables.machines.list(),
    sightMachine: async (sighting, urgency) => {
      // Who does not wait has looked already (DHCP keeps a copy of the machines); the transaction looks once more.
      const known = urgency === "soon" ? undefined : tables.machines.findByMac(sighting.mac);
      const isSeen = known !== undefined && tables.machines.isSeen(known.id);
      if (isSeen && isOldNews(known, sighting, true)) return known;
      return write((w) => sightMachine(w, sighting), urgency);
    },
    hearMachine: (id, at) => write((w) => hearMachine(w, id, at), "soon"),
    changeMachines: (creations, changes, actor) => write((w) => changeMachines(w, creations, changes, actor)),
    deleteMachines: (ids, actor) => write((w) => deleteMachines(w, ids, actor)),
    moveActivity: (id, to, reason, urgency) => write((w) => moveActivity(w, id, to, reason), urgency),
    listClusters: async () => tables.clusters.list(),
    listRoles: async () => tables.clusters.listRoles(),
    applyTopology: (topology, actor) => write((w) => applyTopology(w, topology, actor)),
    deleteClusters: (names, actor) => write((w) => deleteClusters(w, names, actor)),
    watchClusters: watch.watchClusters,
    watchMachines: watch.watchMachines,
  } satisfies Partial<Rules>;
}

function bootRules({ tables, commit, now }: Parts) {
  return {
    listLeases: async () => tables.leases.list(),
    saveLeases: (leases) =>
      commit.write(() => {
        for (const lease of leases) tables.leases.save(lease);
      }),
    saveAttempt: (attempt, ticket) =>
      commit.write(() => {
        if (tables.machines.findById(attempt.machineId) === undefined) {
          throw new SlipwayError("NOT_FOUND", `boot attempt ${attempt.id}: no machine has the id ${attempt.machineId}`);
        }
        tables.attempts.save(attempt);
        if (ticket) tables.tickets.save(ticket);
      }),
    findAttempt: async (id) => tables.attempts.find(id),
    findTicket: async (id) => tables.tickets.find(id),
    findTicketByTokenHash: async (hash) => tables.tickets.findByTokenHash(hash),
    findTicketByKey: async (key) => tables.tickets.findByKey(key),
    replaceTicket: (from, to) => commit.write(() => tables.tickets.replace(from, to)),
    revokeKey: async (fingerprint, machineId, reason) => {
      await commit.write(() => tables.keys.revoke(fingerprint, machineId, reason, new Date(now()).toISOString()));
    },
    isKeyRevoked: async (fingerprint) => tables.keys.isRevoked(fingerprint),
    readMark: async (name) => tables.marks.find(name),
    writeMark: async (name, value) => {
      await commit.write(() => tables.marks.save(name, value));
    },
  } satisfies Partial<Rules>;
}

async function checkAudit({ tables }: Parts): Promise<number | undefined> {
  let at = { seq: 0, hash: FIRST_HASH };
  for (;;) {
    const result = tables.audit.check(at.seq, at.hash);
    if (result === "end") return undefined;
    if ("broken" in result) return result.broken;
    at = result;
    await nextTurn();
  }
}

function recordRules(parts: Parts) {
  const { tables, commit, logLines, watch, now } = parts;
  return {
    recordEvents: (events, urgency) =>
      commit.write((notes) => {
        for (const event of events) notes.events.push(tables.events.record(event));
      }, urgency),
    listEvents: async (query) => tables.events.list(query),
    watchEvents: watch.watchEvents,
    appendLogLines: (lines) => logLines.append(lines),
    listLogLines: async (query) => logLines.list(query.mac, query.limit ?? DEFAULT_LIMIT),
    listAudit: async (query) => tables.audit.list(query.afterSeq, query.limit ?? DEFAULT_LIMIT),
    checkAudit: () => checkAudit(parts),
    appendAudit: async (deed) => {
      await commit.write(() => tables.audit.append({ at: new Date(now()).toISOString(), ...deed }));
    },
  } satisfies Partial<Rules>;
}

function later(run: () => void, delayMs: number): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}

/** For tests that want to see what a power cut would take. */
const UNSYNCED: Durability = { sync: async () => {}, recover: () => {} };

function openParts(o: InventoryOptions, db: Database, disk: Durability): Parts {
  const now = o.now ?? Date.now;
  const tables = openTables(db);
  const watch = watchers(o.log);
  const asFault = (cause: unknown) => storageFault(cause, db.name);
  const commit = groupCommit(db, o.synchronous === "NORMAL" ? UNSYNCED : disk, asFault, watch.tell, later);
  const logLines = openLogLines({
    dataDir: o.dataDir,
    maxBytes: o.retention.logBytes,
    now,
    log: o.log,
    onDropped: (lines) => {
      const event = { kind: "log-dropped", at: now(), detail: { lines } } as const;
      commit
        .write((notes) => notes.events.push(tables.events.record(event)))
        .catch((cause) => o.log.warn(`${lines} log lines were dropped`, { err: cause }));
    },
  });
  return { options: o, tables, commit, logLines, now, watch };
}

/**
 * Opens the inventory in `dataDir`, creating both.
 * @returns the port. A write's promise resolves when it is on disk; after a DISK_FULL the next write works as soon as
 *   there is space.
 * @throws DATA_DIR_IN_USE, DATABASE_DAMAGED, DATABASE_NEWER, DISK_FULL, DISK_FAILED, NO_PERMISSION: each names the file.
 */
export async function openInventory(options: InventoryOptions): Promise<Inventory> {
  openDataDir(options.dataDir, options.log);
  const now = options.now ?? Date.now;
  const unlock = openLock(options.dataDir, now());
  let db: Database | undefined;
  try {
    db = openMain(options);
    const disk = openLogSync(db);
    const parts = openParts(options, db, disk);
    return serve(parts, db, () => {
      disk.close();
      unlock();
    });
  } catch (cause) {
    db?.close();
    unlock();
    throw cause;
  }
}

/** After close a late packet gets a plain fault instead of SQLite's; late log lines and stops of watches are dropped. */
function whileOpen(rules: Rules, isOpen: () => boolean): Rules {
  const guarded: Record<string, unknown> = { ...rules };
  for (const [name, rule] of Object.entries(rules) as [keyof Rules, (...args: unknown[]) => unknown][]) {
    if (name.startsWith("watch")) continue;
    guarded[name] = (...args: unknown[]) => {
      if (isOpen()) return rule(...args);
      if (name === "appendLogLines") return undefined;
      return Promise.reject(new SlipwayError("NOT_RUNNING", `${name}: the inventory is closed`));
    };
  }
  return guarded as Rules;
}

function serve(parts: Parts, db: Database, unlock: () => void): Inventory {
  const { options, commit, tables, logLines, now } = parts;
  const stopBackups = runBackups(db, options.dataDir, now, options.log);
  const stopRetention = runRetention(
    () => prune(commit, tables, now() - options.retention.eventsMs, options.bounds),
    options.log,
  );
  const rules = { ...machineRules(parts), ...bootRules(parts), ...recordRules(parts) };
  let isOpen = true;
  const close = async () => {
    isOpen = false;
    stopBackups();
    stopRetention();
    logLines.close();
    await commit.flush();
    db.close();
    unlock();
  };
  let closing: Promise<void> | undefined;
  return {
    ...whileOpen(rules, () => isOpen),
    close() {
      closing ??= close();
      return closing;
    },
  };
}
