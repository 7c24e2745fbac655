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
  {
    name: "a machine that installs and boots from its disk",
    poweredOnAt: 1000,
    events: events(
      ...([["dhcp-discover", 6000], ["tftp-start", 9000], ["script", 9500], ...REST] as [string, number][]),
      ...([
        ["installed", 61_000],
        ["dhcp-discover", 70_000],
        ["agent-contact", 91_000],
      ] as [string, number][]),
      ...([
        ["bootstrap-confirmed", 101_000],
        ["ready", 131_000],
      ] as [string, number][]),
    ),
    parts: {
      ...{ "self-test": 5000, firmware: 3000, loader: 1000, image: 2500, kernel: 7500, agent: 1000 },
      ...{ install: 40_000, "second boot": 30_000, "control plane": 10_000, Ready: 30_000 },
    },
  },
  {
    name: "a worker in a container: one boot, no control plane",
    poweredOnAt: 1000,
    events: events(
      ["dhcp-discover", 1800],
      ["agent-contact", 2000],
      ["enrolled", 2100],
      ["installed", 2500],
      ["ready", 9500],
    ),
    parts: {
      ...{ "self-test": 800, firmware: 200, loader: 0, image: 0, kernel: 0, agent: 100 },
      ...{ install: 400, Ready: 7000 },
    },
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

test("describeSplit names the last thing that was reached, and a container's start as one part", () => {
  const parts = {
    "self-test": 800,
    firmware: 200,
    loader: 0,
    image: 0,
    kernel: 0,
    agent: 100,
    install: 400,
    Ready: 7000,
  };
  expect(describeSplit({ parts, totalMs: 8500, isEnrolled: true })).toBe(
    "start 1.0 s, agent 0.1 s, install 0.4 s, Ready 7.0 s: 8.5 s from power-on to Ready",
  );
});
