import { expect, test } from "vitest";
import { findMissingLibraries } from "../../../boot-assets/image/closure.ts";
import type { Tree } from "../../../boot-assets/image/tree.ts";
import { elfFile } from "./elf-file.ts";
import { treeOf } from "./tree-of.ts";

const LIB = "usr/lib/x86_64-linux-gnu";
const LOADER = "/lib64/ld-linux-x86-64.so.2";
const program = (over: Parameters<typeof elfFile>[0] = {}) =>
  elfFile({ interpreter: LOADER, needed: ["libc.so.6"], ...over });
const base = (): Record<string, Uint8Array | string> => ({
  "lib64 -> usr/lib64": "",
  "usr/lib64/ld-linux-x86-64.so.2 -> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": "",
  [`${LIB}/ld-linux-x86-64.so.2*`]: elfFile({ soname: "ld-linux-x86-64.so.2" }),
  [`${LIB}/libc.so.6`]: elfFile({ soname: "libc.so.6" }),
});
const faults = (files: Record<string, Uint8Array | string>): string[] =>
  findMissingLibraries(treeOf({ ...base(), ...files }) as Tree, "amd64");

const CASES: { name: string; files: Record<string, Uint8Array | string>; want: string[] }[] = [
  { name: "whole", files: { "usr/bin/a*": program() }, want: [] },
  {
    name: "a missing library is named with its file",
    files: { "usr/bin/a*": program({ needed: ["libx.so.1"] }) },
    want: ["/usr/bin/a needs libx.so.1, which the tree lacks"],
  },
  {
    name: "a missing library of a library",
    files: {
      "usr/bin/a*": program({ needed: ["liby.so.1"] }),
      [`${LIB}/liby.so.1`]: elfFile({ needed: ["libz.so.1"] }),
    },
    want: [`/${LIB}/liby.so.1 needs libz.so.1, which the tree lacks`],
  },
  {
    name: "a library that is a link to nowhere is missing",
    files: { "usr/bin/a*": program({ needed: ["libx.so.1"] }), [`${LIB}/libx.so.1 -> libx.so.1.2`]: "" },
    want: ["/usr/bin/a needs libx.so.1, which the tree lacks"],
  },
  {
    name: "a private directory by run path",
    files: { "usr/bin/a*": program({ needed: ["p.so"], runpath: `/${LIB}/p` }), [`${LIB}/p/p.so`]: elfFile() },
    want: [],
  },
  {
    name: "a sibling that the program loaded already (systemd's core library)",
    files: {
      "usr/bin/a*": program({ needed: ["core.so", "shared.so"], runpath: "$ORIGIN/../lib/p" }),
      "usr/lib/p/core.so": elfFile({ needed: ["shared.so"] }),
      "usr/lib/p/shared.so": elfFile(),
    },
    want: [],
  },
  {
    name: "a library that only dlopen could want is checked too",
    files: { [`${LIB}/plugin.so`]: elfFile({ needed: ["gone.so"] }) },
    want: [`/${LIB}/plugin.so needs gone.so, which the tree lacks`],
  },
  {
    name: "dlopen: required and recommended count, suggested does not, one name of several is enough",
    files: {
      "usr/bin/a*": program({
        dlopen: [
          { soname: ["libk.so.2"], priority: "recommended", feature: "kmod" },
          { soname: ["libr.so.2"], priority: "required", feature: "r" },
          { soname: ["libs.so.2"], priority: "suggested", feature: "s" },
          { soname: ["libold.so", "libc.so.6"], priority: "required", feature: "c" },
        ],
      }),
    },
    want: [
      "/usr/bin/a opens libk.so.2 for kmod (recommended), which the tree lacks",
      "/usr/bin/a opens libr.so.2 for r (required), which the tree lacks",
    ],
  },
  {
    name: "a program for another processor",
    files: { "usr/bin/a*": program({ machine: 183 }) },
    want: ["/usr/bin/a is for ELF machine 183, the image for amd64"],
  },
  {
    name: "kernel modules and firmware are not loaded by ld.so",
    files: { "usr/lib/modules/6/a.ko": elfFile({ needed: ["x"] }), "usr/lib/firmware/f": elfFile({ machine: 24576 }) },
    want: [],
  },
];
for (const { name, files, want } of CASES)
  test(`findMissingLibraries: ${name}`, () => expect(faults(files)).toEqual(want));

test("findMissingLibraries: the loader itself", () => {
  const tree = treeOf({ "usr/bin/a*": program(), [`${LIB}/libc.so.6`]: elfFile() });
  expect(findMissingLibraries(tree, "amd64")).toEqual([`/usr/bin/a needs the loader ${LOADER}, which the tree lacks`]);
});
