// The alarms that `slipway status` shows: what is wrong right now, then the last ones of the last day, from the events.
// Edge: reads the inventory.
import { describeEvent, EVENTS, type EventRecord } from "../../inventory/event.ts";
import type { Inventory } from "../../inventory/port.ts";

export type Alarm = { at: string; text: string; remedy?: string };
export type Alarms = { list(): Alarm[]; close(): void };

const KEPT = 20;
const DAY_MS = 86_400_000;
const READ_BACK = 1000;

/** @param now what is wrong at this moment and cannot be an event yet. */
export async function runAlarms(inventory: Inventory, now: () => Alarm | undefined): Promise<Alarms> {
  const kept: EventRecord[] = [];
  const take = (events: readonly EventRecord[]) => {
    kept.push(...events.filter((event) => EVENTS[event.kind]?.level === "alarm"));
    kept.splice(0, kept.length - KEPT);
  };
  const stop = inventory.watchEvents(take);
  const earlier = await inventory.listEvents({ limit: READ_BACK });
  const known = new Set(kept.map((event) => event.seq));
  const late = kept.splice(0);
  take([...earlier.filter((event) => !known.has(event.seq)), ...late]);
  return {
    list: () => [...[now() ?? []].flat(), ...kept.filter((event) => event.at > Date.now() - DAY_MS).map(alarmOf)],
    close: stop,
  };
}

const alarmOf = (event: EventRecord): Alarm => ({
  at: new Date(event.at).toISOString(),
  text: `${event.mac === undefined ? "" : `${event.mac} `}${describeEvent(event)}`,
});
