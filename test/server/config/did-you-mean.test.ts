// Which known word a slip of the finger meant.
import { expect, test } from "vitest";
import { editDistance, nearest } from "../../../server/config/did-you-mean.ts";

test("editDistance counts inserts, deletes, replacements and swaps", () => {
  expect([
    editDistance("", "abc"),
    editDistance("abc", "abc"),
    editDistance("ab", "ba"),
    editDistance("kitten", "sitting"),
  ]).toEqual([3, 0, 1, 3]);
});

test("nearest finds the word within a third of its length, and gives up beyond", () => {
  const known = ["gateway", "dhcp", "dns"];
  expect(["gatway", "Gateway", "dchp", "dsn", "router", "x".repeat(100)].map((w) => nearest(w, known))).toEqual([
    "gateway",
    "gateway",
    "dhcp",
    "dns",
    undefined,
    undefined,
  ]);
});
