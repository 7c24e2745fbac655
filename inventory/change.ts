// What a change does to a machine, and its plain words for the timeline and the audit log. Called by
// change-machines.ts inside a transaction; uniqueness is checked there. Pure.
import { isDeepStrictEqual } from "node:util";
import { SlipwayError } from "../server/contract/errors.ts";
import type { Mac } from "./address.ts";
import { assertLifecycle, type Machine } from "./machine.ts";
import type { Actor, MachineChange } from "./port.ts";
import { trustworthyUuid } from "./uuid.ts";

/** Fields copied as they are; `facts` is too long for a sentence, so only that it changed is said. */
const PLAIN = [
  "name",
  "role",
  "cluster",
  "address",
  "boot",
  "serial",
  "arch",
  "firmware",
  "product",
  "installDisk",
  "keyFingerprint",
  "pairingCode",
] as const satisfies readonly (keyof MachineChange & keyof Machine)[];
/**
 * Objects, replaced whole. Said without their values: an order is noise, and a spec's patches may hold what is nobody
 * else's business.
 */
const OBJECTS = {
  spec: (_, to) => (to === undefined ? "spec removed" : "spec changed"),
  install: installWords,
  installation: (_, to) =>
    to === undefined
      ? "installation forgotten"
      : `installation ${to.number}${to.disk === "" ? "" : ` on ${to.disk}`} confirmed`,
  verb: (from, to) => (to === undefined ? `${from?.verb} taken` : `${to.verb} ordered`),
} as const satisfies { [K in "spec" | "install" | "installation" | "verb"]: Words<Machine[K]> };
type Words<T> = (from: T, to: T, change: Partial<MachineChange>) => string;

/** Said as "changed" without the value: the `enrolled` event beside it shows the code. */
const UNSPOKEN: ReadonlySet<string> = new Set(["pairingCode"]);

function installWords(
  from: Machine["install"],
  to: Machine["install"],
  { installation }: Partial<MachineChange>,
): string {
  // That an installation is confirmed says it.
  if (to === undefined) return installation ? "" : "install no longer ordered";
  if (from?.order !== to.order) return to.mayWipe ? "install ordered, the disk may be wiped" : "install ordered";
  if (from.givenToKey !== to.givenToKey || from.givenInAttempt !== to.givenInAttempt) return "config given out";
  // What stops it and what lets it go on is the agent's word, said anew every minute: the timeline has it.
  return "";
}

/** `what` is empty for a change that is only counted: it is written, and told to nobody. */
export type ChangedMachine = {
  before: Machine;
  after: Machine;
  what: string[];
  isChanged: boolean;
  isApproval: boolean;
};

const quote = (value: unknown): string => (value === undefined ? "nothing" : String(value));

/** How people know a machine: `rack1-a (52:54:00:12:34:56)`. */
export function nameOf(machine: Pick<Machine, "name" | "macs">): string {
  return machine.name === undefined ? (machine.macs[0] ?? "?") : `${machine.name} (${machine.macs[0]})`;
}

function changePlain(after: Machine, change: Partial<MachineChange>, what: string[]): void {
  const fields = after as Record<string, unknown>;
  for (const key of PLAIN) {
    const wanted = change[key];
    const value = wanted === null ? undefined : wanted;
    if (wanted === undefined || value === fields[key]) continue;
    what.push(UNSPOKEN.has(key) ? `${key} changed` : `${key} ${quote(fields[key])} → ${quote(value)}`);
    if (value === undefined) delete fields[key];
    else fields[key] = value;
  }
}

/** @returns whether one of them is different now. */
function changeObjects(after: Machine, change: Partial<MachineChange>, what: string[]): boolean {
  let isChanged = false;
  const fields = after as Record<string, unknown>;
  for (const [key, words] of Object.entries(OBJECTS) as [keyof typeof OBJECTS, Words<unknown>][]) {
    const wanted = change[key];
    const value = wanted === null ? undefined : wanted;
    if (wanted === undefined || isDeepStrictEqual(value, fields[key])) continue;
    const said = words(fields[key], value, change);
    if (said !== "") what.push(said);
    isChanged = true;
    if (value === undefined) delete fields[key];
    else fields[key] = value;
  }
  return isChanged;
}

/** A count that anybody on the wire can move: it has no words, so that nobody fills the audit log with it. */
function changeDiskBoots(after: Machine, wanted: number | undefined): boolean {
  if (wanted === undefined || wanted === (after.diskBoots ?? 0)) return false;
  if (wanted === 0) delete after.diskBoots;
  else after.diskBoots = wanted;
  return true;
}

function changeMacs(after: Machine, wanted: readonly Mac[] | undefined, what: string[]): void {
  const macs = [...new Set(wanted ?? after.macs)];
  if (macs.length === 0) {
    throw new SlipwayError("BAD_REQUEST", `machine ${nameOf(after)}: its list of MACs is empty, one is needed`);
  }
  if (macs.join() === after.macs.join()) return;
  what.push(`macs ${after.macs.join(" ")} → ${macs.join(" ")}`);
  after.macs = macs;
}

function changeLifecycle(after: Machine, change: Partial<MachineChange>, actor: Actor, at: string): string[] {
  const from = after.lifecycle;
  const to = change.lifecycle;
  if (to === undefined || to === from) return [];
  assertLifecycle(from, to);
  after.lifecycle = to;
  if (to === "approved") Object.assign(after, { approvedAt: at, approvedBy: actor });
  if (to === "discovered") {
    delete after.approvedAt;
    delete after.approvedBy;
  }
  // With the approval go the orders: approved again, it gets new ones and a window of its own.
  const hadInstall = after.install !== undefined;
  if (to === "discovered" || to === "retired") delete after.install;
  if (to === "retired") delete after.verb;
  return [
    `lifecycle ${from} → ${to}`,
    ...(hadInstall && after.install === undefined ? ["install no longer ordered"] : []),
  ];
}

/**
 * Applies a change to a machine.
 * @param before not changed.
 * @param at ISO-8601 UTC; becomes `approvedAt` when the change approves.
 * @returns the machine afterwards, whether it is different, and in which words.
 * @throws BAD_TRANSITION for a lifecycle that may not follow; BAD_REQUEST for an empty list of MACs.
 */
export function applyChange(before: Machine, change: Partial<MachineChange>, actor: Actor, at: string): ChangedMachine {
  const after: Machine = { ...before };
  const what: string[] = [];
  changeMacs(after, change.macs, what);
  changePlain(after, change, what);
  const isObject = changeObjects(after, change, what);
  const isCounted = changeDiskBoots(after, change.diskBoots);
  // A board that reports "Not Settable" must still be able to enrol: what is no identity is left out, not refused.
  const uuid = trustworthyUuid(change.uuid);
  if (uuid !== undefined && uuid !== after.uuid) {
    what.push(`uuid ${quote(after.uuid)} → ${uuid}`);
    after.uuid = uuid;
  }
  if (change.facts !== undefined && JSON.stringify(change.facts) !== JSON.stringify(after.facts)) {
    what.push("facts changed");
    after.facts = change.facts;
  }
  what.push(...changeLifecycle(after, change, actor, at));
  const isApproval = before.lifecycle !== "approved" && after.lifecycle === "approved";
  return { before, after, what, isChanged: isCounted || isObject || what.length > 0, isApproval };
}
