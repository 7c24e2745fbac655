import { expect, test } from "vitest";
import { Pool } from "../../../server/dhcp/pool.ts";

/** A pool over a table of "free at" times, as the lease book is one; counts what it looks at. */
function world(ranges: { first: number; last: number }[]) {
  const freeAt = new Map<number, number>();
  const blocked = new Set<number>();
  let looks = 0;
  const pool = new Pool(ranges, {
    freeAt: (address) => {
      looks++;
      return freeAt.get(address);
    },
    isAllowed: (address) => !blocked.has(address),
  });
  const give = (address: number, until: number) => {
    freeAt.set(address, until);
    pool.queue(address, until);
  };
  return { pool, freeAt, blocked, give, looks: () => looks };
}

test("next gives never-used addresses in ascending order, range by range", () => {
  const { pool, give } = world([
    { first: 10, last: 11 },
    { first: 20, last: 20 },
  ]);
  const given = [1, 2, 3].map(() => {
    const address = pool.next(0)!;
    give(address, 100);
    return address;
  });
  expect([given, pool.next(50)]).toEqual([[10, 11, 20], undefined]);
});
test("next gives the longest-free address when all were used", () => {
  const { pool, give } = world([{ first: 1, last: 3 }]);
  give(1, 30);
  give(2, 10);
  give(3, 20);
  expect([pool.next(9), pool.next(40)]).toEqual([undefined, 2]);
  give(2, 60);
  expect(pool.next(40)).toBe(3);
});
test("next does not take an address out: asked again it says the same", () => {
  const { pool } = world([{ first: 1, last: 3 }]);
  expect([pool.next(0), pool.next(0)]).toEqual([1, 1]);
});
test("a renewal is found out when the address's turn comes", () => {
  const { pool, give, freeAt } = world([{ first: 1, last: 2 }]);
  give(1, 10);
  give(2, 20);
  freeAt.set(1, 50);
  expect([pool.next(25), pool.next(49), pool.next(50)]).toEqual([2, 2, 2]);
  give(2, 90);
  expect([pool.next(49), pool.next(50)]).toEqual([undefined, 1]);
});
test("a release brings an address forward", () => {
  const { pool, give } = world([{ first: 1, last: 2 }]);
  give(1, 100);
  give(2, 50);
  give(1, 10);
  expect(pool.next(10)).toBe(1);
});
test("an address offered and never taken comes before untouched ones", () => {
  const { pool, give, freeAt } = world([{ first: 1, last: 3 }]);
  give(1, 10);
  freeAt.delete(1);
  pool.queue(1, 0);
  expect(pool.next(5)).toBe(1);
});
test("an address that is not allowed is passed over, and given once it is queued again", () => {
  const { pool, give, blocked } = world([{ first: 1, last: 2 }]);
  blocked.add(1);
  expect(pool.next(0)).toBe(2);
  give(2, 10);
  blocked.add(2);
  expect(pool.next(20)).toBeUndefined();
  blocked.clear();
  pool.queue(1, 0);
  pool.queue(2, 10);
  expect(pool.next(20)).toBe(1);
});
test("addresses outside the ranges are not queued, and an empty pool is full", () => {
  const { pool } = world([]);
  pool.queue(7, 0);
  expect([pool.next(100), pool.has(7)]).toEqual([undefined, false]);
});
test("65,536 leases: the work per choice stays small", () => {
  const { pool, give, looks } = world([{ first: 0, last: 65_535 }]);
  for (let i = 0; i < 65_536; i++) give(pool.next(0)!, 1000 + ((i * 7919) % 65_536));
  const before = looks();
  for (let i = 0; i < 1000; i++) {
    const now = 1000 + i;
    give(pool.next(now)!, now + 100_000);
  }
  expect(looks() - before).toBeLessThan(5000);
});
test("releases and new starts in turn do not make the queue grow", () => {
  const { pool, give, looks } = world([{ first: 1, last: 2 }]);
  for (let now = 0; now < 10_000; now += 2) {
    give(1, now + 3600);
    give(1, now + 1);
    give(2, now + 1);
  }
  give(1, 100_000);
  give(2, 100_000);
  const before = looks();
  expect(pool.next(50_000)).toBeUndefined();
  expect(looks() - before).toBeLessThan(10);
});
