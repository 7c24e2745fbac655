import { expect, test } from "vitest";
import {
  addEntry,
  addParents,
  globToRegExp,
  normalizePath,
  resolvePath,
  sortedPaths,
} from "../../../boot-assets/image/tree.ts";
import { treeOf } from "./tree-of.ts";

const GLOBS = [
  {
    glob: "usr/lib/*/libc.so.6",
    yes: ["usr/lib/x86_64-linux-gnu/libc.so.6"],
    no: ["usr/lib/a/b/libc.so.6", "usr/lib/x/libcXso.6"],
  },
  { glob: "drivers/net/**", yes: ["drivers/net/a", "drivers/net/a/b"], no: ["drivers/network"] },
  { glob: "{mount,umount}", yes: ["mount", "umount"], no: ["mountx", "xmount"] },
  {
    glob: "fs/{nls/*,xfs/xfs,sunrpc/**}",
    yes: ["fs/nls/utf8", "fs/xfs/xfs", "fs/sunrpc/a/b"],
    no: ["fs/nls/a/b", "fs/xfs/x"],
  },
  { glob: "libstdc++.so.*", yes: ["libstdc++.so.6"], no: ["libstdcc.so.6"] },
];
for (const { glob, yes, no } of GLOBS) {
  test(`globToRegExp: ${glob}`, () => {
    for (const path of yes) expect(globToRegExp(glob).test(path), path).toBe(true);
    for (const path of no) expect(globToRegExp(glob).test(path), path).toBe(false);
  });
}

const PATHS = [
  ["./usr/bin/x", "usr/bin/x"],
  ["./", ""],
  ["./lib/modules/a", "usr/lib/modules/a"],
  ["./sbin", "usr/sbin"],
  ["./lib64/ld.so", "usr/lib64/ld.so"],
  ["package/bin/node", "package/bin/node"],
  ["./libexec/a", "libexec/a"],
] as const;
for (const [path, want] of PATHS) test(`normalizePath ${path}`, () => expect(normalizePath(path)).toBe(want));

test("resolvePath follows links of files and of parent directories", () => {
  const tree = treeOf({
    "usr/lib/a": "x",
    "lib -> usr/lib": "",
    "usr/lib/b -> a": "",
    "c -> /lib/b": "",
    "usr/d -> ../lib/a": "",
  });
  addParents(tree);
  for (const path of ["lib/a", "/lib/b", "c", "usr/d", "usr/../lib/./a"])
    expect(resolvePath(tree, path), path).toBe("usr/lib/a");
});

test("resolvePath gives undefined for what leads nowhere, or in a circle", () => {
  const tree = treeOf({ "a -> b": "", "b -> a": "", "c -> d": "" });
  for (const path of ["a", "c", "x"]) expect(resolvePath(tree, path), path).toBeUndefined();
});

test("addEntry refuses a path of two owners, but lets directories be", () => {
  const tree = treeOf({ a: "x" }, "one");
  expect(() => addEntry(tree, "a", { kind: "file", mode: 0o644, bytes: new Uint8Array(), from: "two" })).toThrow(
    "/a comes from one and from two",
  );
  addEntry(tree, "d", { kind: "dir", mode: 0o755, from: "one" });
  addEntry(tree, "d", { kind: "dir", mode: 0o755, from: "two" });
});

test("sortedPaths has parents before children", () => {
  const tree = treeOf({ "a/b/c": "", "a-b": "", "a/b.x": "" });
  addParents(tree);
  const paths = sortedPaths(tree);
  for (const path of paths) {
    const parent = path.split("/").slice(0, -1).join("/");
    if (parent !== "") expect(paths.indexOf(parent)).toBeLessThan(paths.indexOf(path));
  }
});
