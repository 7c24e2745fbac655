import { expect, test } from "vitest";
import { SourceLimit } from "../../../server/boot/source-limit.ts";

const taken = (limit: SourceLimit, ip: string, times: number, nowMs: number) =>
  Array.from({ length: times }, () => limit.take(ip, nowMs)).filter(Boolean).length;

test("take lets a rack behind one address start, then one request a second, and counts each address apart", () => {
  const limit = new SourceLimit();
  expect(taken(limit, "192.0.2.1", 500, 0)).toBe(120);
  expect(taken(limit, "192.0.2.2", 5, 0)).toBe(5);
  expect(taken(limit, "192.0.2.1", 500, 10_000)).toBe(10);
});

test("take remembers a bounded number of addresses, those that asked last", () => {
  const limit = new SourceLimit();
  taken(limit, "first", 500, 0);
  taken(limit, "second", 500, 0);
  for (let n = 0; n < 4094; n++) limit.take(`other ${n}`, 0);
  expect(limit.take("second", 0)).toBe(false);
  limit.take("one more", 0);
  expect(limit.take("second", 0)).toBe(false);
  expect(limit.take("first", 0)).toBe(true);
});
