// Which machine is this? The wire shows a MAC and perhaps a UUID; the MAC decides first, then a trustworthy UUID that
// names exactly one machine (pxe.md 1.11). Called by store.ts inside a transaction. Pure.

import { nameOf } from "./change.ts";
import type { NewEvent } from "./event.ts";
import type { Machine } from "./machine.ts";
import type { Sighting } from "./port.ts";
import type { Writing } from "./tables.ts";
import { isSameUuid, swapUuid, trustworthyUuid } from "./uuid.ts";

/** `seenAt` on disk may be this old: a packet that tells nothing new must not cost a sync. */
const SEEN_GRAIN_MS = 60_000;

const iso = (at: number): string => new Date(at).toISOString();

/** What the wire says that the machine does not have yet. */
function newsOf(machine: Machine, s: Sighting): Partial<Machine> {
  const news: Partial<Machine> = {};
  const uuid = trustworthyUuid(s.uuid);
  if (uuid !== undefined && (machine.uuid === undefined || !isSameUuid(machine.uuid, uuid))) news.uuid = uuid;
  for (const key of ["serial", "arch", "firmware"] as const) {
    const value = s[key];
    if (value !== undefined && value !== "" && value !== machine[key]) news[key] = value;
  }
  return news;
}

/** Whether a sighting changes nothing worth writing: then the caller may answer from what is stored. */
export function isOldNews(machine: Machine, s: Sighting): boolean {
  const seen = Date.parse(machine.seenAt);
  // Equal times also mean "written down, never seen": only the transaction can tell the two apart.
  if (machine.seenAt === machine.createdAt && s.at > seen) return false;
  return Object.keys(newsOf(machine, s)).length === 0 && s.at - seen < SEEN_GRAIN_MS;
}

/**
 * The one machine that a second NIC belongs to. Boards of one batch that share a UUID are told apart by their serial,
 * or by there being several already.
 */
function findByUuid(w: Writing, s: Sighting): Machine | undefined {
  const uuid = trustworthyUuid(s.uuid);
  if (uuid === undefined) return undefined;
  const owners = w.tables.machines.listByUuid(uuid, swapUuid(uuid));
  const [owner] = owners;
  if (owner === undefined || owners.length > 1) return undefined;
  const isOther = s.serial !== undefined && owner.serial !== undefined && s.serial !== owner.serial;
  return isOther ? undefined : owner;
}

function record(w: Writing, event: NewEvent): void {
  w.notes.events.push(w.tables.events.record(event));
}

function recordDiscovery(w: Writing, s: Sighting): void {
  const detail = s.interfaceName === undefined ? {} : { interface: s.interfaceName };
  record(w, { kind: "discovered", at: s.at, mac: s.mac, detail });
}

function create(w: Writing, s: Sighting): Machine {
  const bare: Machine = {
    id: w.newId(),
    macs: [s.mac],
    lifecycle: "discovered",
    activity: "off",
    createdAt: iso(s.at),
    seenAt: iso(s.at),
  };
  const machine = { ...bare, ...newsOf(bare, s) };
  w.tables.machines.save(machine, true);
  w.tables.audit.append({
    at: iso(w.at),
    actor: "slipway",
    action: "discover",
    target: machine.id,
    detail: `saw ${s.mac} for the first time`,
  });
  recordDiscovery(w, s);
  return machine;
}

function addMac(w: Writing, owner: Machine, s: Sighting): Machine {
  const machine = { ...owner, macs: [...owner.macs, s.mac] };
  const what = `${s.mac} has the same UUID, so it is another NIC of this machine`;
  w.tables.machines.save(machine, true);
  w.tables.audit.append({
    at: iso(w.at),
    actor: "slipway",
    action: "change",
    target: owner.id,
    detail: `${nameOf(owner)}: ${what}`,
  });
  record(w, { kind: "changed", at: s.at, mac: s.mac, detail: { actor: "slipway", what } });
  return machine;
}

/**
 * Finds the machine that a sighting belongs to and notes what is new about it; creates it as `discovered` when it is
 * nobody's. A machine that a person wrote down gets its `discovered` event when the wire first shows it.
 */
export function sightMachine(w: Writing, s: Sighting): Machine {
  const { machines } = w.tables;
  const byMac = machines.findByMac(s.mac);
  const owner = byMac ?? findByUuid(w, s);
  const found = owner === undefined ? create(w, s) : byMac === undefined ? addMac(w, owner, s) : byMac;
  const isFirst = owner !== undefined && !machines.isSeen(owner.id);
  if (isFirst) recordDiscovery(w, s);
  if (!isFirst && found === byMac && isOldNews(found, s)) return found;
  const seenAt = isFirst || s.at > Date.parse(found.seenAt) ? iso(s.at) : found.seenAt;
  const machine = { ...found, ...newsOf(found, s), seenAt };
  machines.save(machine, true);
  w.notes.machineIds.add(machine.id);
  return machine;
}
