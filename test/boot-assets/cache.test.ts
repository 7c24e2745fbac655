import { expect, test } from "vitest";
import { ByteBudgetCache } from "../../boot-assets/cache.ts";

test("ByteBudgetCache pushes out the least recently used first", () => {
  const cache = new ByteBudgetCache<string>(100);
  cache.add("a", "A", 40);
  cache.add("b", "B", 40);
  expect(cache.find("a")).toBe("A");
  expect(cache.add("c", "C", 40)).toBe(true);
  expect([cache.has("a"), cache.has("b"), cache.has("c")]).toEqual([true, false, true]);
  expect(cache.usedBytes).toBe(80);
});

test("ByteBudgetCache refuses what is larger than the budget and pushes nothing out for it", () => {
  const cache = new ByteBudgetCache<string>(100);
  cache.add("a", "A", 100);
  expect(cache.add("b", "B", 101)).toBe(false);
  expect(cache.find("a")).toBe("A");
});

test("ByteBudgetCache keeps pinned entries, and letting go twice counts once", () => {
  const cache = new ByteBudgetCache<string>(100);
  cache.add("a", "A", 60);
  const letGo = cache.pin("a");
  const letGoToo = cache.pin("a");
  letGo();
  letGo();
  expect(cache.add("b", "B", 60)).toBe(false);
  letGoToo();
  expect(cache.add("b", "B", 60)).toBe(true);
  expect(cache.has("a")).toBe(false);
});

test("ByteBudgetCache never goes over its budget, whatever the order of calls", () => {
  const cache = new ByteBudgetCache<number>(1000);
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed % below;
  };
  for (let i = 0; i < 20_000; i++) {
    const key = `k${random(30)}`;
    if (random(3) === 0) cache.drop(key);
    else cache.add(key, i, 1 + random(400));
    expect(cache.usedBytes).toBeGreaterThanOrEqual(0);
    expect(cache.usedBytes).toBeLessThanOrEqual(1000);
  }
});

test("a budget of 0 holds nothing", () => {
  expect(new ByteBudgetCache<string>(0).add("a", "A", 1)).toBe(false);
});
