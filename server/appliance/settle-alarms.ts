// Which alarm is over, as later events and the present state say. run-alarms.ts asks: an alarm that stays after it was mended
// teaches people to look past alarms. Pure.
import type { EventKind, EventRecord } from "../../inventory/event.ts";
import type { BootstrapDecision } from "../cluster/bootstrap.ts";

/** Kinds of alarm about one machine → events of the same machine after which they are no more. */
const SETTLED_BY: Partial<Record<EventKind, readonly EventKind[]>> = {
  "disk-unheard": ["agent-contact", "ready", "installed", "install-step"],
  "config-refused": ["config-given", "installed", "ready"],
  "installation-unknown": ["installed", "ready"],
  failed: ["would-install", "installed", "ready"],
  "interface-lost": ["interface-back"],
};

/** What a bootstrap's decision must be for its alarm to stand. */
const STANDS_WHILE: Partial<Record<EventKind, BootstrapDecision["kind"]>> = {
  "bootstrap-uncertain": "uncertain",
  "bootstrap-conflict": "conflict",
  "cluster-lost": "lost",
};

/** Whether `later` ends `alarm`. Another key's claim to a config is no fault that mends itself: a person has to look. */
export function isSettledBy(alarm: EventRecord, later: EventRecord): boolean {
  if (alarm.detail.isOtherKey === true || !SETTLED_BY[alarm.kind]?.includes(later.kind)) return false;
  // An agent that was netbooted says nothing of the disk.
  if (later.kind === "agent-contact" && later.detail.from !== "disk") return false;
  return alarm.kind === "interface-lost"
    ? alarm.detail.interface === later.detail.interface
    : alarm.mac !== undefined && alarm.mac === later.mac;
}

/** @param decisionOf what is decided of a cluster now: undefined for one that is gone, or not looked at yet. */
export function isOverNow(
  { kind, detail }: EventRecord,
  decisionOf: (cluster: string) => BootstrapDecision | undefined,
  isKnown: (cluster: string) => boolean,
): boolean {
  const standing = STANDS_WHILE[kind];
  if (standing === undefined) return false;
  const cluster = String(detail.cluster);
  const decision = decisionOf(cluster);
  return decision === undefined ? !isKnown(cluster) : decision.kind !== standing;
}
