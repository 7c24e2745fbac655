// Which events of a machine are told: the first of a kind always, the same again within seconds never.
import { expect, test } from "vitest";
import type { Detail, EventKind } from "../../../inventory/event.ts";
import { REPEATED_WITHIN_MS, RepeatedEvents } from "../../../server/dhcp/repeated-events.ts";

type Step = [kind: EventKind, detail: Detail, at: number];
const ROM = { client: "PXE, uefi x86_64" };
const IPXE = { client: "iPXE, uefi x86_64" };
const A = { address: "192.0.2.9" };
const LATE = REPEATED_WITHIN_MS;

const ROWS: { name: string; steps: Step[]; told: number[] }[] = [
  {
    name: "the first of each kind",
    steps: [
      ["dhcp-discover", ROM, 0],
      ["dhcp-offer", A, 0],
      ["dhcp-ack", A, 1],
    ],
    told: [0, 1, 2],
  },
  {
    name: "the same again is not",
    steps: [
      ["dhcp-discover", ROM, 0],
      ["dhcp-offer", A, 0],
      ["dhcp-discover", ROM, 9],
      ["dhcp-offer", A, 9],
    ],
    told: [0, 1],
  },
  {
    name: "the same again after ten seconds",
    steps: [
      ["dhcp-discover", ROM, 0],
      ["dhcp-discover", ROM, LATE],
    ],
    told: [0, 1],
  },
  {
    name: "iPXE after the ROM, with the same address",
    steps: [
      ["dhcp-discover", ROM, 0],
      ["dhcp-ack", A, 1],
      ["dhcp-discover", IPXE, 2],
      ["dhcp-ack", A, 3],
    ],
    told: [0, 1, 2, 3],
  },
  {
    name: "an ACK that follows a NAK",
    steps: [
      ["dhcp-ack", A, 0],
      ["dhcp-nak", A, 1],
      ["dhcp-ack", A, 2],
    ],
    told: [0, 1, 2],
  },
  {
    name: "each NAK, each loop",
    steps: [
      ["dhcp-nak", A, 0],
      ["dhcp-nak", A, 1],
      ["dhcp-loop", {}, 1],
      ["dhcp-loop", {}, 2],
    ],
    told: [0, 1, 2, 3],
  },
  {
    name: "an ACK after the address was given back",
    steps: [
      ["dhcp-ack", A, 0],
      ["dhcp-released", A, 1],
      ["dhcp-ack", A, 2],
    ],
    told: [0, 1, 2],
  },
  {
    name: "another address",
    steps: [
      ["dhcp-offer", A, 0],
      ["dhcp-offer", { address: "192.0.2.8" }, 1],
      ["dhcp-offer", A, 2],
    ],
    told: [0, 1, 2],
  },
];
for (const { name, steps, told } of ROWS) {
  test(`told: ${name}`, () => {
    const events = new RepeatedEvents();
    const isNews = steps.map(([kind, detail, at]) => events.isNews({ kind, detail, mac: "52:54:00:00:00:01" }, at));
    expect(isNews.flatMap((is, i) => (is ? [i] : []))).toEqual(told);
  });
}

test("machines do not speak for each other, and what names no machine is always told", () => {
  const events = new RepeatedEvents();
  expect(events.isNews({ kind: "dhcp-ack", detail: A, mac: "a" }, 0)).toBe(true);
  expect(events.isNews({ kind: "dhcp-ack", detail: A, mac: "b" }, 0)).toBe(true);
  expect(events.isNews({ kind: "dhcp-ack", detail: A }, 0)).toBe(true);
  expect(events.isNews({ kind: "dhcp-ack", detail: A }, 0)).toBe(true);
});

test("a flood of invented MACs is forgotten, oldest first", () => {
  const events = new RepeatedEvents();
  for (let n = 0; n < 10_000; n++) events.isNews({ kind: "dhcp-ack", detail: A, mac: String(n) }, 0);
  expect(events.isNews({ kind: "dhcp-ack", detail: A, mac: "9999" }, 1)).toBe(false);
  expect(events.isNews({ kind: "dhcp-ack", detail: A, mac: "0" }, 1)).toBe(true);
});
