import { expect, test } from "vitest";
import type { EventKind, EventRecord } from "../../../inventory/event.ts";
import { powerOnAt } from "../../../server/grpc/power-on.ts";

const KERNEL_AT = 1_000_000;
const timeline = (...rows: [EventKind, number][]): EventRecord[] =>
  rows.map(([kind, at], seq) => ({ kind, at: KERNEL_AT + at * 1000, seq, detail: {} }));
const ROWS: { name: string; events: EventRecord[]; seconds: number }[] = [
  { name: "nothing that the network saw", events: [], seconds: 0 },
  {
    name: "one boot through the network",
    events: timeline(["dhcp-discover", -30], ["tftp-done", -25], ["to-disk", -20], ["agent-contact", 5], ["ready", 60]),
    seconds: 30,
  },
  {
    name: "an earlier boot that its agent ended",
    events: timeline(["dhcp-discover", -100], ["agent-lost", -60], ["dhcp-discover", -20], ["script", -10]),
    seconds: 20,
  },
  {
    name: "an earlier boot without an agent, long before",
    events: timeline(["dhcp-discover", -900], ["script", -880], ["dhcp-discover", -20], ["script", -10]),
    seconds: 20,
  },
];
for (const { name, events, seconds } of ROWS) {
  test(`powerOnAt with ${name}`, () => expect(powerOnAt(events, KERNEL_AT)).toBe(KERNEL_AT - seconds * 1000));
}
