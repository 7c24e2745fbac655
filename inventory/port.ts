// The inventory's port: all that the rest of Slipway knows about storage. Writes are asynchronous and batched; a promise
// that resolved means "on disk" (design §2 rows 15, 16). Nothing above this file knows SQL. Pure: types only.
import type { Ipv4, Mac } from "./address.ts";
import type { ClusterRecord, Installation, PendingInstall, PendingVerb, RoleRecord } from "./cluster.ts";
import type { EventRecord, NewEvent } from "./event.ts";
import type { Lease } from "./lease.ts";
import type { Activity, BootChoice, Lifecycle, Machine, Role } from "./machine.ts";
import type { BootAttempt, Ticket } from "./ticket.ts";

/** Who did it: `uid 1000 (anna)`, `slipway` for the appliance itself, `machine 52:54:…` for an agent. */
export type Actor = string;

/** A machine as the wire shows it. An unknown MAC becomes a `discovered` machine. */
export type Sighting = {
  mac: Mac;
  at: number;
  uuid?: string;
  serial?: string;
  arch?: string;
  firmware?: string;
  interfaceName?: string;
  /** What it does now, as far as the wire shows it; where that may not follow, the machine stays as it is. */
  activity?: Activity;
};
/** `now`: somebody waits for the disk. `soon`: nobody does; within 25 ms, together with what else is written then. */
export type Urgency = "now" | "soon";

/** What a person or the agent may change. `null` clears a field. */
export type MachineChange = {
  id: string;
  name?: string | null;
  role?: Role | null;
  cluster?: string | null;
  spec?: Readonly<Record<string, unknown>> | null;
  install?: PendingInstall | null;
  installation?: Installation | null;
  verb?: PendingVerb | null;
  diskBoots?: number;
  address?: Ipv4 | null;
  boot?: BootChoice | null;
  lifecycle?: Lifecycle;
  macs?: readonly Mac[];
  uuid?: string;
  serial?: string;
  arch?: string;
  firmware?: string;
  product?: string;
  facts?: unknown;
  installDisk?: string;
  keyFingerprint?: string;
  pairingCode?: string;
  /** Written only while this is the install that is ordered, else CONFLICT: a person may have ordered another meanwhile. */
  whileOrder?: string;
};

/** What one apply, or one step of a bootstrap, writes. */
export type TopologyChange = {
  clusters: readonly Omit<ClusterRecord, "createdAt">[];
  roles: readonly RoleRecord[];
  creations: readonly NewMachine[];
  changes: readonly MachineChange[];
};

/** A machine that a person writes down before the wire has shown it. */
export type NewMachine = Omit<MachineChange, "id"> & { macs: readonly Mac[] };

export type AuditEntry = {
  seq: number;
  at: string;
  actor: Actor;
  action: string;
  target: string;
  detail: string;
  /** SHA-256 over the previous hash and this entry, hex. */
  hash: string;
};

/** What somebody did. No secret belongs in it. `target`: what it was done to, `cluster rack1`. */
export type Deed = Pick<AuditEntry, "actor" | "action" | "target" | "detail">;

/** `mac`: what this NIC did. `machineId`: what all its NICs did, also before the machine was known. `limit`: default 1000. */
export type EventQuery = { mac?: Mac; machineId?: string; afterSeq?: number; limit?: number };
export type LogLine = { at: number; mac: Mac; source: "kernel" | "agent"; text: string };

export interface Inventory {
  // machines
  findMachineByMac(mac: Mac): Promise<Machine | undefined>;
  findMachineById(id: string): Promise<Machine | undefined>;
  listMachines(): Promise<Machine[]>;
  /**
   * Finds the machine by MAC, else creates it as `discovered` (with its event). A UUID joins nothing: it is a claim. Costs
   * no write when it tells nothing new: `seenAt` is kept to the minute.
   */
  sightMachine(sighting: Sighting, urgency?: Urgency): Promise<Machine>;
  /** The machine's own agent is there (`at`: milliseconds since 1970): `seenAt` follows, to the minute. One that is gone stays gone. */
  hearMachine(id: string, at: number): Promise<void>;
  /** All or none: faults (CONFLICT, BAD_TRANSITION, NOT_FOUND) throw and nothing is written. Audited, with `changed`/`approved` events. */
  changeMachines(creations: readonly NewMachine[], changes: readonly MachineChange[], actor: Actor): Promise<Machine[]>;
  /** All or none (NOT_FOUND). Their attempts and tickets go, the keys they enrolled with are revoked; audited, with `changed` events. */
  deleteMachines(ids: readonly string[], actor: Actor): Promise<void>;
  /** An illegal move is not written; the promise says whether it was. */
  moveActivity(id: string, to: Activity, reason?: string, urgency?: Urgency): Promise<boolean>;
  // clusters and roles
  listClusters(): Promise<ClusterRecord[]>;
  listRoles(): Promise<RoleRecord[]>;
  /**
   * Clusters, roles and machines of one apply, all or none: written as given (by name), with audit entries and events for
   * what is different. Faults as in {@link changeMachines}.
   */
  applyTopology(topology: TopologyChange, actor: Actor): Promise<Machine[]>;
  /** All or none (NOT_FOUND); audited. A cluster that machines still name is a CONFLICT. */
  deleteClusters(names: readonly string[], actor: Actor): Promise<void>;
  /** Called after each commit that changed clusters or roles. Returns the way to stop. */
  watchClusters(listener: () => void): () => void;

  /** Called after each commit that changed machines. Returns the way to stop. */
  watchMachines(listener: (machines: readonly Machine[], deletedIds: readonly string[]) => void): () => void;

  // leases
  listLeases(): Promise<Lease[]>;
  saveLeases(leases: readonly Lease[]): Promise<void>;

  // boot attempts and tickets
  saveAttempt(attempt: BootAttempt, ticket?: Ticket): Promise<void>;
  findAttempt(id: string): Promise<BootAttempt | undefined>;
  findTicket(id: string): Promise<Ticket | undefined>;
  findTicketByTokenHash(hash: string): Promise<Ticket | undefined>;
  /** The ticket that a key (SHA-256, hex) was enrolled with. */
  findTicketByKey(keyFingerprint: string): Promise<Ticket | undefined>;
  /** Writes `to` only while the stored ticket still equals `from` in every field: false means another was faster. */
  replaceTicket(from: Ticket, to: Ticket): Promise<boolean>;
  /** Certificate fingerprints that are no longer good. */
  revokeKey(fingerprint: string, machineId: string, reason: string): Promise<void>;
  isKeyRevoked(fingerprint: string): Promise<boolean>;

  // events, log lines, audit
  recordEvents(events: readonly NewEvent[], urgency?: Urgency): Promise<void>;
  /** Oldest first. With `afterSeq` the first ones after it, else the newest ones. */
  listEvents(query: EventQuery): Promise<EventRecord[]>;
  watchEvents(listener: (events: readonly EventRecord[]) => void): () => void;
  /** Never waits, never syncs; drops the oldest when it cannot keep up, and one event says how many. */
  appendLogLines(lines: readonly LogLine[]): void;
  /** The newest lines, oldest first; `limit` default 1000. */
  listLogLines(query: { mac?: Mac; limit?: number }): Promise<LogLine[]>;
  /** Ordered and limited as {@link listEvents}. */
  listAudit(query: { afterSeq?: number; limit?: number }): Promise<AuditEntry[]>;
  /** Sequence number of the first entry whose hash does not fit, or undefined. */
  checkAudit(): Promise<number | undefined>;
  /** An entry for a deed that changes no record: a secret that left, an image that came. On disk when the promise resolves. */
  appendAudit(deed: Deed): Promise<void>;

  // small durable facts (remembered DHCP mode, verified assets)
  readMark(name: string): Promise<string | undefined>;
  writeMark(name: string, value: string): Promise<void>;

  /** Writes what is queued, then closes. */
  close(): Promise<void>;
}
