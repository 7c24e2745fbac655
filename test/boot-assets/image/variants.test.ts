// What tells the two variants apart, and what a change of our own files costs.
import { expect, test } from "vitest";
import { readAllowList, rowsOfVariant } from "../../../boot-assets/image/allow-list.ts";
import { placesOf } from "../../../boot-assets/image/body.ts";
import { rowsFor } from "../../../boot-assets/image/fetch-packages.ts";
import { hashInputs, hashWithOwn } from "../../../boot-assets/image/inputs.ts";
import { lockedFor } from "../../../boot-assets/image/kubernetes/packages.ts";
import { PROGRAMS } from "../../../boot-assets/image/kubernetes/programs.ts";
import { readLock } from "../../../boot-assets/image/lock.ts";
import { ARCHES, VARIANTS } from "../../../boot-assets/image/packages.ts";
import { composeOwn } from "../../../boot-assets/image/root-tree.ts";
import type { Tree } from "../../../boot-assets/image/tree.ts";

const names = (rows: readonly { name: string }[]) => rows.map(({ name }) => name);

for (const arch of ARCHES) {
  const lock = readLock(arch);
  test(`${arch}: base leaves out runc and nft, and both have the kernel and Node`, () => {
    const base = names(rowsFor(arch, lock, "base"));
    const full = names(rowsFor(arch, lock, "full"));
    expect(full.filter((name) => !base.includes(name))).toEqual(
      names(lockedFor(arch, "full").filter(({ isFullOnly }) => isFullOnly)),
    );
    expect(full).toContain("runc");
    for (const rows of [base, full])
      expect(rows.filter((name) => /^linux-image-\d|^node-linux/.test(name))).toHaveLength(2);
  });
  test(`${arch}: the allow-list has each compiled program, in full alone`, () => {
    const paths = (variant: "base" | "full") => rowsOfVariant(readAllowList()[arch], variant).map(({ path }) => path);
    for (const { path } of PROGRAMS) {
      expect(paths("full")).toContain(path);
      expect(paths("base")).not.toContain(path);
    }
    expect(paths("base").filter((path) => !paths("full").includes(path))).toEqual([]);
  });
}

test("a new agent changes the image's key and not the body's", () => {
  const [one, two] = [composeOwn(Buffer.from("one")), composeOwn(Buffer.from("two"))];
  expect(hashWithOwn("body", one)).not.toBe(hashWithOwn("body", two));
  expect(hashWithOwn("body", one)).toBe(hashWithOwn("body", composeOwn(Buffer.from("one"))));
});

test("a compiled program that lies elsewhere, or another archive, is another body", () => {
  const tree = (path: string, archive: string): Tree =>
    new Map([
      [path, { kind: "file", mode: 0o755, bytes: Buffer.from("program"), from: "slipway:kubernetes" }],
      ["images/pause.tar", { kind: "file", mode: 0o644, bytes: Buffer.from(archive), from: "slipway:kubernetes" }],
    ]);
  const keys = [tree("usr/bin/a", "x"), tree("usr/bin/b", "x"), tree("usr/bin/a", "y")];
  expect(new Set(keys.map((each) => JSON.stringify(placesOf(each)))).size).toBe(3);
});

test("our own units are enabled beside themselves", () => {
  const own = composeOwn(Buffer.alloc(0));
  expect(own.get("slipway/system/multi-user.target.wants/slipway-agent.service")).toMatchObject({
    kind: "link",
    target: "../slipway-agent.service",
  });
  expect([...own.keys()].every((path) => path === "slipway" || path.startsWith("slipway/"))).toBe(true);
});

test("variants, and the key of the compiled programs, have bodies of their own", () => {
  const inputs = { arch: "amd64", version: "1", packages: [], others: ["a"] } as const;
  const keys = [
    ...VARIANTS.map((variant) => hashInputs({ ...inputs, variant })),
    hashInputs({ ...inputs, variant: "full", others: ["b"] }),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});
