// Changes to clusters and roles, all or none: audit entry and event in the same transaction as the change. Called by
// store.ts inside a savepoint, so that whatever is thrown here undoes all of it. Specs are stored and never read: what is
// said of a change is which of its keys changed, never a value, because a patch may hold what is nobody else's. Pure.
import { isDeepStrictEqual } from "node:util";
import { SlipwayError } from "../server/contract/errors.ts";
import { nameOf } from "./change.ts";
import { changeMachines } from "./change-machines.ts";
import type { ClusterRecord } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import type { Actor, TopologyChange } from "./port.ts";
import type { Writing } from "./tables.ts";

type Plain = Readonly<Record<string, unknown>>;
/** At most so many names of machines stand in a refusal. */
const NAMED_AT_MOST = 5;

const iso = (at: number): string => new Date(at).toISOString();

/** Keys whose values differ, in alphabetical order. */
export function changedKeys(before: Plain, after: Plain): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => !isDeepStrictEqual(before[key], after[key])).sort();
}

/** Plain words for a cluster's change; empty when nothing is different. */
function differences(before: ClusterRecord | undefined, after: Omit<ClusterRecord, "createdAt">): string[] {
  if (before === undefined) return ["created"];
  const what: string[] = [];
  const keys = changedKeys(before.spec, after.spec);
  if (keys.length > 0) what.push(`${keys.join(", ")} changed`);
  if (!isDeepStrictEqual(before.bootstrap, after.bootstrap)) {
    what.push(`bootstrap ${stateOf(before.bootstrap)} → ${stateOf(after.bootstrap)}`);
  }
  if (after.newDataPermittedAt !== undefined && after.newDataPermittedAt !== before.newDataPermittedAt) {
    what.push("a first member for new data was permitted");
  }
  if (after.newDataPermittedAt === undefined && before.newDataPermittedAt !== undefined) {
    what.push("the permission for new data was used or taken back");
  }
  return what;
}

/** The word of a bootstrap record: its tag, and the node or etcd cluster that it names. */
function stateOf(bootstrap: Plain): string {
  const about = bootstrap.etcdClusterId ?? bootstrap.nodeId;
  return `${bootstrap.kind ?? "?"}${typeof about === "string" ? ` (${about})` : ""}`;
}

function tell(
  w: Writing,
  actor: Actor,
  target: string,
  isNew: boolean,
  what: readonly string[],
  cluster?: string,
): void {
  const words = what.join("; ");
  const action = isNew ? "create" : "change";
  w.tables.audit.append({ at: iso(w.at), actor, action, target, detail: `${target}: ${words}` });
  const detail = { actor, what: words, ...(cluster === undefined ? { target } : { cluster }) };
  w.notes.events.push(w.tables.events.record({ kind: "cluster-changed", at: w.at, detail }));
  w.notes.isTopologyChanged = true;
}

/**
 * Writes clusters and roles as given, then machines as {@link changeMachines}.
 * @returns the machines as they are now.
 */
export function applyTopology(w: Writing, topology: TopologyChange, actor: Actor): Machine[] {
  const { clusters } = w.tables;
  for (const wanted of topology.clusters) {
    const before = clusters.find(wanted.name);
    const what = differences(before, wanted);
    if (what.length === 0) continue;
    clusters.save({ ...wanted, createdAt: before?.createdAt ?? iso(w.at) });
    tell(w, actor, `cluster ${wanted.name}`, before === undefined, what, wanted.name);
  }
  for (const role of topology.roles) {
    const before = clusters.findRole(role.name);
    const keys = before === undefined ? [] : changedKeys(before.spec, role.spec);
    if (before !== undefined && keys.length === 0) continue;
    clusters.saveRole(role);
    const what = before === undefined ? "created" : `${keys.join(", ")} changed`;
    tell(w, actor, `role ${role.name}`, before === undefined, [what]);
  }
  return changeMachines(w, topology.creations, topology.changes, actor);
}

/**
 * Removes clusters.
 * @throws NOT_FOUND when one of them is not there, CONFLICT while a machine names it; then none is removed.
 */
export function deleteClusters(w: Writing, names: readonly string[], actor: Actor): void {
  const { clusters, machines } = w.tables;
  for (const name of new Set(names)) {
    if (clusters.find(name) === undefined) throw new SlipwayError("NOT_FOUND", `there is no cluster ${name}`);
    const members = clusters.listMemberIds(name).flatMap((id) => machines.findById(id) ?? []);
    if (members.length > 0) {
      const named = members.slice(0, NAMED_AT_MOST).map(nameOf).join(", ");
      const more = members.length > NAMED_AT_MOST ? ` and ${members.length - NAMED_AT_MOST} more` : "";
      throw new SlipwayError("CONFLICT", `cluster ${name} cannot be removed: ${named}${more} belong to it`, {
        remedy: "Give these machines another cluster (`slipway set --cluster`), or remove them first.",
      });
    }
    clusters.delete(name);
    const target = `cluster ${name}`;
    w.tables.audit.append({ at: iso(w.at), actor, action: "delete", target, detail: `${target}: removed` });
    const detail = { actor, what: "removed", cluster: name };
    w.notes.events.push(w.tables.events.record({ kind: "cluster-changed", at: w.at, detail }));
    w.notes.isTopologyChanged = true;
  }
}
