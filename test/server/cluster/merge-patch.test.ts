// Strategic merge, compared with what the real talosctl made of the same patches.
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { mergeDocuments } from "../../../server/cluster/merge-patch.ts";

type Plain = Record<string, unknown>;
const { base, cases } = parse(readFileSync("test/vectors/machine-config/patches.yaml", "utf8")) as {
  base: string;
  cases: { name: string; patch: string; result: string }[];
};
const documents = (text: string): Plain[] => parseAllDocuments(text).map((d) => d.toJSON() as Plain);

/** talosctl decodes into structs: it writes an empty `token` that nobody gave, and leaves out sections that are empty. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([k, v]) => [k, bare(v)] as const);
  return Object.fromEntries(
    entries.filter(([, v]) => v !== "" && JSON.stringify(v) !== "{}" && JSON.stringify(v) !== "[]"),
  );
}

test.each(cases)("$name", ({ patch, result }) => {
  const merged = mergeDocuments(documents(base), documents(patch)[0]!);
  expect(bare(merged)).toEqual(bare(documents(result)));
});

test("there are cases, and each but two changes something", () => {
  const same = cases.filter((c) => isDeepStrictEqual(bare(documents(c.result)), bare(documents(base))));
  expect([cases.length, same.length]).toEqual([16, 2]);
});
