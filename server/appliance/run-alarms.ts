// The alarms that `slipway status` shows: what is wrong right now, then the last ones of the last day that are not over, from
// the events. Edge: reads the inventory.
import { describeEvent, EVENTS, type EventRecord } from "../../inventory/event.ts";
import type { Inventory } from "../../inventory/port.ts";
import { isSettledBy } from "./settle-alarms.ts";

export type Alarm = { at: string; text: string; remedy?: string };
export type Alarms = { list(): Alarm[]; close(): void };

/** Causes shown; of each the last alarm and how many there were: a flood of one must not push out the others. */
const KEPT = 20;
const DAY_MS = 86_400_000;
const READ_BACK = 1000;

/**
 * @param now what is wrong at this moment and cannot be an event yet.
 * @param isOver whether what an alarm told of is over, as things are now.
 */
export async function runAlarms(
  inventory: Inventory,
  now: () => Alarm | undefined,
  isOver: (event: EventRecord) => boolean = () => false,
): Promise<Alarms> {
  const kept = new Map<string, { event: EventRecord; count: number }>();
  const take = (events: readonly EventRecord[]) => {
    for (const event of events) {
      for (const [cause, one] of kept) if (isSettledBy(one.event, event)) kept.delete(cause);
      if (EVENTS[event.kind]?.level !== "alarm") continue;
      const cause = causeOf(event);
      const count = (kept.get(cause)?.count ?? 0) + 1;
      kept.delete(cause);
      kept.set(cause, { event, count });
      if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
    }
  };
  // What comes while the earlier ones are read is taken after them.
  const late: EventRecord[] = [];
  let hear: typeof take = (events) => void late.push(...events);
  const stop = inventory.watchEvents((events) => hear(events));
  const earlier = await inventory.listEvents({ limit: READ_BACK });
  const known = new Set(earlier.map((event) => event.seq));
  take([...earlier, ...late.filter((event) => !known.has(event.seq))]);
  hear = take;
  return {
    list: () => [
      ...[now() ?? []].flat(),
      ...[...kept.values()].filter(({ event }) => event.at > Date.now() - DAY_MS && !isOver(event)).map(alarmOf),
    ],
    close: stop,
  };
}

/** What an admin would mend: a full pool is one thing, however many machines got no address from it. */
function causeOf({ kind, mac, detail }: EventRecord): string {
  const thing = detail.pool ?? detail.cluster ?? detail.interface ?? detail.file ?? mac ?? "";
  return `${kind} ${thing} ${detail.server ?? ""}`;
}

const alarmOf = ({ event, count }: { event: EventRecord; count: number }): Alarm => ({
  at: new Date(event.at).toISOString(),
  text: `${event.mac === undefined ? "" : `${event.mac} `}${describeEvent(event)}${count > 1 ? ` (${count} times)` : ""}`,
});
