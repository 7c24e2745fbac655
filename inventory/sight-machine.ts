// Which machine is this? The MAC alone decides (design §2 row 5). The wire also shows a UUID, but anybody can say one: it
// is told to people and joins nothing, else whoever repeats an approved machine's UUID would have its role, ticket and
// reservation. NICs are joined by those who may: a person, or the enrolled machine itself. Called by store.ts inside a
// transaction. Pure.
import { nameOf } from "./change.ts";
import type { NewEvent } from "./event.ts";
import { type Activity, canMoveActivity, isGoingRound, type Machine } from "./machine.ts";
import type { Sighting } from "./port.ts";
import type { Writing } from "./tables.ts";
import { isSameUuid, swapUuid, trustworthyUuid } from "./uuid.ts";

/** `seenAt` on disk may be this old: a packet that tells nothing new must not cost a sync. */
const SEEN_GRAIN_MS = 60_000;

/** A rack has dozens of machines that wait for a person, a hall some thousands. More are somebody's inventions. */
export const MAX_UNTOUCHED = 5000;
/** Beyond it so many go at once: a flood then pays for few deletions. */
const FORGOTTEN_AT_ONCE = 100;

const iso = (at: number): string => new Date(at).toISOString();

/** Whether a person or the machine's own agent vouched for what is known: then a packet adds to it and replaces nothing. */
const isVouchedFor = (machine: Machine): boolean =>
  machine.lifecycle !== "discovered" || machine.keyFingerprint !== undefined;

/** What the wire says that the machine does not have yet. Firmware can be set another way, so that follows the last boot. */
function newsOf(machine: Machine, s: Sighting): Partial<Machine> {
  const news: Partial<Machine> = {};
  const isKept = isVouchedFor(machine);
  const uuid = isKept && machine.uuid !== undefined ? undefined : trustworthyUuid(s.uuid);
  if (uuid !== undefined && (machine.uuid === undefined || !isSameUuid(machine.uuid, uuid))) news.uuid = uuid;
  for (const key of ["serial", "arch", "firmware"] as const) {
    if (key === "serial" && isKept && machine.serial !== undefined) continue;
    const value = s[key];
    if (value !== undefined && value !== "" && value !== machine[key]) news[key] = value;
  }
  return news;
}

/** A machine that goes round between network and disk would show its failure for a second in each minute otherwise. */
const activityAfter = (machine: Machine, s: Sighting): Activity =>
  s.activity !== undefined && canMoveActivity(machine.activity, s.activity) && !isGoingRound(machine)
    ? s.activity
    : machine.activity;

/**
 * Whether a sighting changes nothing worth writing: then the caller may answer from what is stored.
 * @param isSeen whether the wire has shown the machine before; undefined when only the database knows.
 */
export function isOldNews(machine: Machine, s: Sighting, isSeen?: boolean): boolean {
  const seen = Date.parse(machine.seenAt);
  // Equal times also mean "written down, never seen".
  if (isSeen === undefined && machine.seenAt === machine.createdAt && s.at > seen) return false;
  if (activityAfter(machine, s) !== machine.activity) return false;
  return s.at - seen < SEEN_GRAIN_MS && Object.keys(newsOf(machine, s)).length === 0;
}

/** The one machine whose UUID a new MAC shows: a second NIC of it, or somebody who says so. */
function findNamesake(w: Writing, s: Sighting): Machine | undefined {
  const uuid = trustworthyUuid(s.uuid);
  const owners = uuid === undefined ? [] : w.tables.machines.listByUuid(uuid, swapUuid(uuid));
  return owners.length === 1 ? owners[0] : undefined;
}

function record(w: Writing, event: NewEvent): void {
  w.notes.events.push(w.tables.events.record(event));
}

function recordDiscovery(w: Writing, s: Sighting, namesake?: Machine): void {
  const detail = {
    ...(s.interfaceName !== undefined && { interface: s.interfaceName }),
    ...(namesake !== undefined && { uuidOf: nameOf(namesake) }),
  };
  record(w, { kind: "discovered", at: s.at, mac: s.mac, detail });
}

/** Forgets those that nobody touched and that were unseen for longest; one that is real comes back with its next boot. */
function makeRoom(w: Writing): void {
  const { machines } = w.tables;
  if (!machines.hasUntouched(MAX_UNTOUCHED)) return;
  for (const id of machines.listUntouched(iso(w.at), FORGOTTEN_AT_ONCE)) {
    machines.delete(id);
    w.notes.machines.delete(id);
    w.notes.deletedIds.add(id);
  }
}

/** Not audited: nobody decided anything, and strangers must not be able to fill a log that is never cut. */
function create(w: Writing, s: Sighting): Machine {
  makeRoom(w);
  const bare: Machine = {
    id: w.newId(),
    macs: [s.mac],
    lifecycle: "discovered",
    activity: "off",
    createdAt: iso(s.at),
    seenAt: iso(s.at),
  };
  const machine = { ...bare, ...newsOf(bare, s), activity: activityAfter(bare, s) };
  const namesake = findNamesake(w, s);
  w.tables.machines.create(machine);
  recordDiscovery(w, s, namesake);
  return machine;
}

/**
 * Finds the machine that a sighting belongs to and notes what is new about it; creates it as `discovered` when it is
 * nobody's. A machine that a person wrote down gets its `discovered` event when the wire first shows it.
 */
export function sightMachine(w: Writing, s: Sighting): Machine {
  const { machines } = w.tables;
  const known = machines.findByMac(s.mac);
  const machine = known === undefined ? create(w, s) : update(w, known, s);
  if (machine !== known) w.notes.machines.set(machine.id, machine);
  return machine;
}

/** The agent's word is as good as a packet of the machine. A machine that was removed meanwhile does not come back by it. */
export function hearMachine(w: Writing, id: string, at: number): void {
  const known = w.tables.machines.findById(id);
  if (known !== undefined) sightMachine(w, { mac: known.macs[0]!, at });
}

function update(w: Writing, known: Machine, s: Sighting): Machine {
  const { machines } = w.tables;
  const isFirst = !machines.isSeen(known.id);
  if (isFirst) recordDiscovery(w, s);
  else if (isOldNews(known, s, true)) return known;
  const seenAt = isFirst || s.at > Date.parse(known.seenAt) ? iso(s.at) : known.seenAt;
  const activity = activityAfter(known, s);
  const news = newsOf(known, s);
  const { activityReason: _, ...rest } = known;
  const machine = { ...(activity === known.activity ? known : rest), ...news, activity, seenAt };
  if (activity !== known.activity) machines.saveActivity(known.id, activity, undefined);
  if (Object.keys(news).length > 0) machines.save(machine, true);
  else machines.saveSeenAt(known.id, seenAt);
  return machine;
}
