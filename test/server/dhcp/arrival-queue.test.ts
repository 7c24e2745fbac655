// What is answered, and in which order, when more arrives than can be answered.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ArrivalQueue,
  DISCOVER_PATIENCE_MS,
  MAX_WAITING,
  NEWEST_FIRST_AFTER_MS,
  type Peeked,
  peekArrival,
  REQUEST_PATIENCE_MS,
} from "../../../server/dhcp/arrival-queue.ts";
import { encodePacket } from "../../../server/dhcp/packet.ts";
import { packetOf } from "./lab-client.ts";

const DISCOVER = { key: undefined, isDiscover: true };
const REQUEST = { key: undefined, isDiscover: false };

function filled(items: readonly [string, Peeked, number][]) {
  const queue = new ArrivalQueue<string>();
  const put = items.map(([item, peeked, at]) => queue.put(item, peeked, at));
  return { queue, put };
}
const takeAll = (queue: ArrivalQueue<string>, now: number) =>
  Array.from({ length: queue.size }, () => queue.take(now)).join(" ");

describe("order", () => {
  const ROWS = [
    { name: "in time: as they came", now: NEWEST_FIRST_AFTER_MS, want: "a b c" },
    { name: "behind: the newest first", now: NEWEST_FIRST_AFTER_MS + 1, want: "c b a" },
  ];
  for (const { name, now, want } of ROWS) {
    test(name, () => {
      const { queue } = filled(["a", "b", "c"].map((item) => [item, DISCOVER, 0]));
      expect(takeAll(queue, now)).toBe(want);
      expect(queue.take(now)).toBeUndefined();
    });
  }
  test("three REQUESTs for each DISCOVER while there are both, and neither waits for the other's kind", () => {
    const { queue } = filled([
      ...["d1", "d2", "d3"].map((item) => [item, DISCOVER, 0] as [string, Peeked, number]),
      ...["r1", "r2", "r3", "r4"].map((item) => [item, REQUEST, 0] as [string, Peeked, number]),
    ]);
    expect(takeAll(queue, 1)).toBe("r1 r2 r3 d1 r4 d2 d3");
  });
});

describe("bounds", () => {
  test("what nobody waits for any more is dropped, and nothing else", () => {
    const { queue } = filled([
      ["an old discover", DISCOVER, 0],
      ["a young discover", DISCOVER, 2],
      ["an old request", REQUEST, 0],
      ["a young request", REQUEST, 2],
    ]);
    expect(queue.dropLate(REQUEST_PATIENCE_MS)).toBe(0);
    expect(queue.dropLate(REQUEST_PATIENCE_MS + 2)).toBe(1);
    expect(queue.dropLate(DISCOVER_PATIENCE_MS + 2)).toBe(2);
    expect(takeAll(queue, DISCOVER_PATIENCE_MS + 2)).toBe("a young discover");
  });
  test("of too many the oldest are dropped", () => {
    const { queue } = filled(
      Array.from({ length: MAX_WAITING + 3 }, (_, n) => [String(n), DISCOVER, 0] as [string, Peeked, number]),
    );
    expect(queue.dropLate(0)).toBe(3);
    expect(queue.size).toBe(MAX_WAITING);
    expect(queue.take(0)).toBe("3");
  });
});

test("a client that repeats itself is answered once, to what it said last", () => {
  const { queue, put } = filled([
    ["first", { key: 1, isDiscover: true }, 0],
    ["other", { key: 2, isDiscover: true }, 1],
    ["again", { key: 1, isDiscover: true }, 2],
  ]);
  expect(put).toEqual(["queued", "queued", "repeated"]);
  expect(takeAll(queue, 3)).toBe("other again");
});

test("any history: what went in comes out once, is dropped, or was repeated", () => {
  const step = fc.record({ key: fc.nat(5), isDiscover: fc.boolean(), waitMs: fc.nat(400), takes: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new ArrivalQueue<number>();
      let [now, gone] = [0, 0];
      const taken: number[] = [];
      for (const [n, { key, isDiscover, waitMs, takes }] of steps.entries()) {
        now += waitMs;
        if (queue.put(n, { key: key * 2 + Number(isDiscover), isDiscover }, now) === "repeated") gone++;
        gone += queue.dropLate(now);
        for (let i = 0; i < takes; i++) {
          const item = queue.take(now);
          if (item !== undefined) taken.push(item);
        }
      }
      expect(new Set(taken).size).toBe(taken.length);
      expect(taken.length + gone + queue.size).toBe(steps.length);
    }),
  );
});

describe("peekArrival", () => {
  const bytes = (mac: string, type: number) => encodePacket(packetOf({ mac, type }, 7));
  const key = (mac: string, type: number, port = 67) => peekArrival(bytes(mac, type), port).key;
  test("tells DISCOVER from the rest, clients, types and ports apart, and knows a repetition", () => {
    expect(peekArrival(bytes("52:54:00:00:00:01", 1), 67).isDiscover).toBe(true);
    expect(peekArrival(bytes("52:54:00:00:00:01", 3), 67).isDiscover).toBe(false);
    const keys = [
      key("52:54:00:00:00:01", 1),
      key("52:54:00:00:00:02", 1),
      key("52:54:00:00:00:01", 3),
      key("52:54:00:00:00:01", 1, 4011),
      key("fe:ff:ff:ff:ff:ff", 8),
      key("fe:ff:ff:ff:ff:fe", 8),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(key("52:54:00:00:00:01", 1)).toBe(keys[0]);
  });
  test("says nothing of what it cannot read, whatever is missing", () => {
    const packet = bytes("52:54:00:00:00:01", 1);
    for (let length = 0; length < packet.length; length++) {
      const peeked = peekArrival(packet.subarray(0, length), 67);
      if (length < 243) expect(peeked).toEqual({ key: undefined, isDiscover: false });
    }
  });
  test("never holds two machines without an address for one", () => {
    expect(key("00:00:00:00:00:00", 1)).toBeUndefined();
  });
});
