// People's and agents' changes to machines, all or none: uniqueness, audit entry and event in the same transaction as the
// change (design §6.6). Called by store.ts inside a savepoint, so that whatever is thrown here undoes all of it. Pure.
import { SlipwayError } from "../server/contract/errors.ts";
import { applyChange, type ChangedMachine, nameOf } from "./change.ts";
import { type Activity, canMoveActivity, type Machine } from "./machine.ts";
import type { Actor, MachineChange, NewMachine } from "./port.ts";
import type { Writing } from "./tables.ts";

type Planned = ChangedMachine & { isNew: boolean };

const iso = (at: number): string => new Date(at).toISOString();

function getMachine(w: Writing, id: string): Machine {
  const machine = w.tables.machines.findById(id);
  if (machine === undefined) throw new SlipwayError("NOT_FOUND", `no machine has the id ${id}`);
  return machine;
}

function planCreation(w: Writing, creation: NewMachine, actor: Actor): Planned {
  const at = iso(w.at);
  const blank: Machine = {
    id: w.newId(),
    macs: creation.macs,
    lifecycle: "discovered",
    activity: "off",
    createdAt: at,
    seenAt: at,
  };
  const planned = applyChange(blank, creation, actor, at);
  return { ...planned, what: ["written down", ...planned.what], isChanged: true, isNew: true };
}

function assertOrder(machine: Machine, { whileOrder }: MachineChange): void {
  if (whileOrder === undefined || (machine.install?.order === whileOrder && machine.lifecycle === "approved")) return;
  throw new SlipwayError("CONFLICT", `the install of ${nameOf(machine)} is no longer ordered, or another one is`, {
    remedy: "Nothing to do: the machine goes on with what its state names.",
  });
}

/** Several changes of one machine in one call become one, in their order. */
function planChanges(w: Writing, changes: readonly MachineChange[], actor: Actor): Planned[] {
  const planned = new Map<string, Planned>();
  for (const change of changes) {
    const earlier = planned.get(change.id);
    const current = earlier?.after ?? getMachine(w, change.id);
    assertOrder(current, change);
    const step = applyChange(current, change, actor, iso(w.at));
    planned.set(change.id, {
      before: earlier?.before ?? step.before,
      after: step.after,
      what: [...(earlier?.what ?? []), ...step.what],
      isChanged: step.isChanged || (earlier?.isChanged ?? false),
      isApproval: step.isApproval || (earlier?.isApproval ?? false),
      isNew: false,
    });
  }
  return [...planned.values()];
}

function refuse(wanting: Machine, what: string, owner: Machine): never {
  throw new SlipwayError(
    "CONFLICT",
    `machine ${nameOf(wanting)} cannot have ${what}: it belongs to machine ${nameOf(owner)}`,
  );
}

/** Called after the machines of this change gave theirs up, so that two of them may swap. */
function assertFree(w: Writing, machine: Machine): void {
  const { machines } = w.tables;
  for (const mac of machine.macs) {
    const owner = machines.findByMac(mac);
    if (owner !== undefined) refuse(machine, `MAC ${mac}`, owner);
  }
  const namesake = machine.name === undefined ? undefined : machines.findByName(machine.name);
  if (namesake !== undefined) refuse(machine, `the name ${machine.name}`, namesake);
  const neighbour = machine.address === undefined ? undefined : machines.findByAddress(machine.address);
  if (neighbour !== undefined) refuse(machine, `the address ${machine.address}`, neighbour);
}

function tell(w: Writing, planned: Planned, actor: Actor): void {
  const { after, what, isApproval, isNew } = planned;
  if (what.length === 0) return;
  const mac = after.macs[0]!;
  const action = isNew ? "create" : isApproval ? "approve" : "change";
  const detail = `${nameOf(after)}: ${what.join("; ")}`;
  w.tables.audit.append({ at: iso(w.at), actor, action, target: after.id, detail });
  const changed = { kind: "changed", at: w.at, mac, detail: { actor, what: what.join("; ") } } as const;
  // What a machine says of itself, and what the appliance does by itself, is in the audit log; the timeline has events of
  // their own for it.
  if (isPerson(actor)) w.notes.events.push(w.tables.events.record(changed));
  if (isApproval) {
    w.notes.events.push(w.tables.events.record({ kind: "approved", at: w.at, mac, detail: { actor } }));
  }
}

/**
 * @returns the machines as they are now: those created, then those changed, each once, in the order of the call.
 * @throws NOT_FOUND, CONFLICT (MAC, name or address of another machine, which is named), BAD_TRANSITION, BAD_REQUEST.
 */
export function changeMachines(
  w: Writing,
  creations: readonly NewMachine[],
  changes: readonly MachineChange[],
  actor: Actor,
): Machine[] {
  const { machines } = w.tables;
  const all = [...creations.map((c) => planCreation(w, c, actor)), ...planChanges(w, changes, actor)];
  const written = all.filter((p) => p.isChanged);
  const wasSeen = new Map(written.map((p) => [p.after.id, machines.isSeen(p.after.id)]));
  for (const { after } of written) machines.vacate(after.id);
  for (const planned of written) {
    assertFree(w, planned.after);
    machines.save(planned.after, wasSeen.get(planned.after.id) === true);
    tell(w, planned, actor);
    w.notes.machines.set(planned.after.id, planned.after);
  }
  return all.map((p) => p.after);
}

/**
 * Removes machines with their boot attempts and tickets; events, audit entries and leases stay. The key that a machine
 * enrolled with is revoked, else it would still be let in as a machine that nobody knows.
 * @throws NOT_FOUND when one of them is not there; then none is removed.
 */
export function deleteMachines(w: Writing, ids: readonly string[], actor: Actor): void {
  for (const id of new Set(ids)) {
    const machine = getMachine(w, id);
    const at = iso(w.at);
    const mac = machine.macs[0]!;
    const detail = { actor, what: "removed from the inventory" };
    w.notes.events.push(w.tables.events.record({ kind: "changed", at: w.at, mac, detail }));
    if (machine.keyFingerprint !== undefined) {
      w.tables.keys.revoke(machine.keyFingerprint, id, `the machine was removed by ${actor}`, at);
    }
    w.tables.machines.delete(id);
    w.tables.audit.append({ at, actor, action: "delete", target: id, detail: `${nameOf(machine)}: removed` });
    w.notes.machines.delete(id);
    w.notes.deletedIds.add(id);
  }
}

/** @returns whether the machine is in `to` now; an unknown machine and an illegal move are false, and write nothing. */
export function moveActivity(w: Writing, id: string, to: Activity, reason: string | undefined): boolean {
  const machine = w.tables.machines.findById(id);
  if (machine === undefined || !canMoveActivity(machine.activity, to)) return false;
  const why = reason ?? (to === "failed" ? "no reason was given" : undefined);
  if (machine.activity === to && machine.activityReason === why) return true;
  w.tables.machines.saveActivity(id, to, why);
  const { activityReason: _, ...rest } = machine;
  w.notes.machines.set(id, { ...rest, activity: to, ...(why !== undefined && { activityReason: why }) });
  return true;
}

/** Actors of agents are `machine 52:54:…`, the appliance's own is `slipway` (port.ts). */
const isPerson = (actor: Actor): boolean => !actor.startsWith("machine ") && actor !== "slipway";
