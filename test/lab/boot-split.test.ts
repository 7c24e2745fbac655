import { expect, test } from "vitest";
import { describeSplit, splitBoot, type TimedEvent } from "./boot-split.ts";

const events = (...rows: [string, number][]): TimedEvent[] => rows.map(([kind, at]) => ({ kind, at }));
const REST = [
  ["image-start", 10_000],
  ["image-done", 12_000],
  ["ticket-fetched", 12_500],
  ["agent-contact", 20_000],
  ["enrolled", 21_000],
] as const satisfies [string, number][];

const ROWS = [
  {
    name: "a UEFI machine",
    poweredOnAt: 1000,
    events: events(["dhcp-discover", 6000], ["tftp-start", 9000], ["script", 9500], ...REST),
    parts: { "self-test": 5000, firmware: 3000, loader: 1000, image: 2500, kernel: 7500, agent: 1000 },
  },
  {
    name: "a BIOS machine, which loads no loader",
    poweredOnAt: 1000,
    events: events(["dhcp-discover", 3000], ["script", 9500], ...REST),
    parts: { "self-test": 2000, firmware: 6500, loader: 500, image: 2500, kernel: 7500, agent: 1000 },
  },
  {
    name: "a second boot, the first one's events left out",
    poweredOnAt: 5000,
    events: events(["dhcp-discover", 1000], ["enrolled", 2000], ["dhcp-discover", 6000], ["tftp-start", 9000]),
    parts: { "self-test": 1000, firmware: 3000 },
  },
  {
    name: "a machine whose agent needed 3 s to its first word",
    poweredOnAt: 1000,
    events: [
      ...events(["dhcp-discover", 3000], ["script", 9500], ["image-start", 10_000], ["ticket-fetched", 12_500]),
      { kind: "agent-contact", at: 20_000, detail: { ms: 3000 } },
      { kind: "enrolled", at: 20_010 },
    ],
    parts: { "self-test": 2000, firmware: 6500, loader: 500, image: 2500, kernel: 4500, agent: 3010 },
  },
  { name: "a machine that says nothing", poweredOnAt: 5000, events: [], parts: {} },
];
for (const { name, poweredOnAt, events: given, parts } of ROWS) {
  test(`splitBoot of ${name}`, () => {
    const split = splitBoot(poweredOnAt, given.toReversed());
    expect(split.parts).toEqual(parts);
    expect(split.totalMs).toBe(Object.values(parts).reduce((sum: number, ms) => sum + ms, 0));
    expect(split.isEnrolled).toBe("agent" in parts);
  });
}

test("describeSplit counts the self-test as firmware and says how far it came", () => {
  expect(describeSplit({ parts: { "self-test": 2000, firmware: 6500 }, totalMs: 8500, isEnrolled: false })).toBe(
    "firmware 8.5 s: 8.5 s from power-on so far",
  );
});
