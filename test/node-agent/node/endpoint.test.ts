// Who holds the endpoint, and what a card without a server does: the pure steps, and the frames and messages they are done by.
import { describe, expect, test } from "vitest";
import { type CardState, decideCard, PROBE_AGAIN_MS, WAIT_FOR_DHCP_MS } from "../../../node-agent/node/addresses.ts";
import { announcementsOf, decodeArp, probeFor, rivalFor } from "../../../node-agent/node/arp.ts";
import type { Lease } from "../../../node-agent/node/lease.ts";
import { decodeAck, removeAddress, setAddress, setRoute } from "../../../node-agent/node/netlink.ts";
import {
  ANNOUNCE_EVERY_MS,
  AWAY,
  KEEP_OFF_MS,
  MOST_MISSES,
  stepVip,
  type VipState,
} from "../../../node-agent/node/vip.ts";

const HELD: VipState = { kind: "held", announcedMs: 1000, misses: 0 };

describe("stepVip", () => {
  test("probes before it takes, and only while the API server answers", () => {
    expect(stepVip(AWAY, { kind: "tick", isReady: false, nowMs: 1 })).toEqual([AWAY, "none"]);
    expect(stepVip(AWAY, { kind: "tick", isReady: true, nowMs: 1 })).toEqual([AWAY, "probe"]);
    expect(stepVip(AWAY, { kind: "probed", rival: undefined, nowMs: 9, chance: 0 })).toEqual([
      { kind: "held", announcedMs: 9, misses: 0 },
      "take",
    ]);
  });
  test("keeps off for a while when somebody answered", () => {
    const [state, action] = stepVip(AWAY, { kind: "probed", rival: "52:54:00:00:00:09", nowMs: 100, chance: 0 });
    expect([state, action]).toEqual([
      { kind: "away", notBeforeMs: 100 + KEEP_OFF_MS, rival: "52:54:00:00:00:09" },
      "none",
    ]);
    expect(stepVip(state, { kind: "tick", isReady: true, nowMs: 99 + KEEP_OFF_MS })[1]).toBe("none");
    expect(stepVip(state, { kind: "tick", isReady: true, nowMs: 100 + KEEP_OFF_MS })[1]).toBe("probe");
    expect(stepVip(state, { kind: "rival", mac: "x", nowMs: 1, chance: 0 })).toEqual([state, "none"]);
  });
  test("renews at each look and announces when it is due", () => {
    expect(stepVip(HELD, { kind: "tick", isReady: true, nowMs: 2000 })).toEqual([HELD, "renew"]);
    const due = 1000 + ANNOUNCE_EVERY_MS;
    expect(stepVip(HELD, { kind: "tick", isReady: true, nowMs: due })).toEqual([
      { ...HELD, announcedMs: due },
      "announce",
    ]);
    expect(stepVip(HELD, { kind: "probed", rival: undefined, nowMs: due, chance: 0 })).toEqual([HELD, "none"]);
  });
  test("lets go after some misses in a row, not after one", () => {
    let state: VipState = HELD;
    for (let miss = 1; miss <= MOST_MISSES; miss++) {
      const [next, action] = stepVip(state, { kind: "tick", isReady: false, nowMs: 2000 });
      expect([next.kind, action]).toEqual(["held", "renew"]);
      state = next;
    }
    expect(stepVip(state, { kind: "tick", isReady: true, nowMs: 2000 })[0]).toEqual(HELD);
    expect(stepVip(state, { kind: "tick", isReady: false, nowMs: 2000 })).toEqual([
      { kind: "away", notBeforeMs: 2000 },
      "release",
    ]);
  });
  test("lets go at once when somebody else announces it", () =>
    expect(stepVip(HELD, { kind: "rival", mac: "m", nowMs: 5, chance: 0 })).toEqual([
      { kind: "away", notBeforeMs: 5 + KEEP_OFF_MS, rival: "m" },
      "release",
    ]));
});

const LEASE: Lease = {
  ...{ address: "192.0.2.7", bits: 24, server: "192.0.2.1", lifetimeSeconds: 60 },
  ...{ routes: [], dns: [], domains: [] },
};
const OTHER = { ...LEASE, address: "192.0.2.8" };
const BARE: CardState = {
  ...{ hasCarrier: true, carrierSinceMs: 0, addresses: [], lease: undefined, saved: LEASE, used: undefined },
  takenAtMs: undefined,
};
const NOW = WAIT_FOR_DHCP_MS;
const CARD_ROWS: { name: string; over: Partial<CardState>; nowMs?: number; want: string }[] = [
  { name: "ten seconds of carrier without an answer: the last address", over: {}, want: "use" },
  { name: "less: wait", over: {}, nowMs: NOW - 1, want: "none" },
  { name: "no carrier: wait", over: { hasCarrier: false }, want: "none" },
  { name: "carrier not timed yet: wait", over: { carrierSinceMs: undefined }, want: "none" },
  { name: "no last address: nothing", over: { saved: undefined }, want: "none" },
  { name: "an address of another kind: nothing", over: { addresses: ["192.0.2.50"] }, want: "none" },
  { name: "a lease: nothing", over: { lease: LEASE }, want: "none" },
  { name: "taken by somebody a moment ago: wait", over: { takenAtMs: NOW - PROBE_AGAIN_MS + 1 }, want: "none" },
  { name: "taken by somebody long ago: again", over: { takenAtMs: NOW - PROBE_AGAIN_MS }, want: "use" },
  { name: "used and there: nothing", over: { used: LEASE, addresses: [LEASE.address] }, want: "none" },
  { name: "used and gone: again, at once", over: { used: LEASE }, nowMs: 0, want: "use" },
  { name: "used and gone with the cable: wait", over: { used: LEASE, hasCarrier: false }, want: "none" },
];
describe("decideCard", () => {
  for (const { name, over, nowMs, want } of CARD_ROWS)
    test(name, () => expect(decideCard({ ...BARE, ...over }, nowMs ?? NOW).kind).toBe(want));
  test("gives way to a server that answers, keeping the same address", () => {
    const used = { ...BARE, used: LEASE, addresses: [LEASE.address] };
    expect(decideCard({ ...used, lease: LEASE }, NOW)).toEqual({ kind: "drop", lease: LEASE, keepsAddress: true });
    expect(decideCard({ ...used, lease: OTHER }, NOW)).toEqual({ kind: "drop", lease: LEASE, keepsAddress: false });
  });
});

const [OWN, STRANGER] = ["52:54:00:00:00:01", "52:54:00:00:00:02"];

describe("ARP frames", () => {
  test("a probe claims nothing", () => {
    const frame = probeFor(OWN, "192.0.2.5");
    expect(frame.toString("hex")).toBe(
      `ffffffffffff525400000001${"0806"}0001080006040001525400000001${"00000000"}000000000000c0000205`,
    );
    expect(decodeArp(frame)).toMatchObject({ operation: "request", senderIp: "0.0.0.0", targetIp: "192.0.2.5" });
  });
  test("an announcement comes in both forms", () =>
    expect(announcementsOf(OWN, "192.0.2.5").map(decodeArp)).toEqual([
      {
        operation: "request",
        senderMac: OWN,
        senderIp: "192.0.2.5",
        targetMac: "00:00:00:00:00:00",
        targetIp: "192.0.2.5",
      },
      {
        operation: "reply",
        senderMac: OWN,
        senderIp: "192.0.2.5",
        targetMac: "ff:ff:ff:ff:ff:ff",
        targetIp: "192.0.2.5",
      },
    ]));
  test("decodeArp leaves other frames out, cut ones too", () => {
    const frame = probeFor(OWN, "192.0.2.5");
    for (let length = 0; length < frame.length; length++) expect(decodeArp(frame.subarray(0, length))).toBeUndefined();
    for (const at of [12, 14, 16, 18, 20]) {
      const broken = Buffer.from(frame);
      broken[at] = 0x77;
      expect(decodeArp(broken)).toBeUndefined();
    }
  });
  test("rivalFor hears claims; a probe is none", () => {
    const claim = decodeArp(announcementsOf(STRANGER, "192.0.2.5")[0]!)!;
    const probe = decodeArp(probeFor(STRANGER, "192.0.2.5"))!;
    expect(rivalFor(claim, "192.0.2.5", OWN)).toBe(STRANGER);
    expect(rivalFor(claim, "192.0.2.6", OWN)).toBeUndefined();
    expect(rivalFor(claim, "192.0.2.5", STRANGER)).toBeUndefined();
    expect(rivalFor(probe, "192.0.2.5", OWN)).toBeUndefined();
  });
});

describe("netlink messages", () => {
  test("an address with a time is preferred for none of it", () =>
    expect(setAddress({ index: 3, ip: "192.0.2.5", bits: 32, validSeconds: 5 }).toString("hex")).toBe(
      [
        "3c0000001400050501000000".padEnd(32, "0"),
        "0220000003000000",
        "08000200c0000205",
        "08000100c0000205",
        "14000600" + "00000000" + "05000000" + "0000000000000000",
      ].join(""),
    ));
  test("lengths are true, and a default route names no destination", () => {
    for (const message of [
      removeAddress({ index: 3, ip: "192.0.2.5", bits: 32 }),
      setRoute({ index: 3, destination: "10.0.0.0", bits: 8, gateway: "192.0.2.1", metric: 2048 }),
      setRoute({ index: 3, destination: "0.0.0.0", bits: 0, gateway: "192.0.2.1", metric: 2048 }),
    ])
      expect(message.readUInt32LE(0)).toBe(message.length);
    expect(setRoute({ index: 3, destination: "0.0.0.0", bits: 0, gateway: "192.0.2.1", metric: 2048 })).toHaveLength(
      16 + 12 + 24,
    );
  });
  test("decodeAck reads the kernel's word", () => {
    const ack = Buffer.alloc(36);
    ack.writeUInt16LE(2, 4);
    expect(decodeAck(ack)).toBe(0);
    ack.writeInt32LE(-17, 16);
    expect(decodeAck(ack)).toBe(17);
    ack.writeUInt16LE(20, 4);
    expect(decodeAck(ack)).toBeUndefined();
    expect(decodeAck(ack.subarray(0, 12))).toBeUndefined();
  });
});
