// The three ways of smuggling that issue 8 names, on made files; allow-list.integration.test.ts does the same with the real
// dash and BusyBox on the real tree.
import { expect, test } from "vitest";
import { findDisallowed, listPrograms, readAllowList } from "../../../boot-assets/image/allow-list.ts";
import { elfFile } from "./elf-file.ts";
import { treeOf } from "./tree-of.ts";

const mount = elfFile({ needed: ["libmount.so.1"], strings: ["usage: mount"] });
const shell = elfFile({ strings: ["PATH", "IFS", "OPTIND", "getopts", "esac", "unset", "umask"] });
const files = { "usr/bin/mount*": mount, "usr/lib/x/libmount.so.1.1.0": elfFile(), "etc/passwd": "root:x:0:0\n" };
const rows = listPrograms(treeOf(files, "mount"));
const faults = (over: Record<string, string | Uint8Array>, relocked?: Set<string>) =>
  findDisallowed(treeOf({ ...files, ...over }, "mount"), rows, relocked);

test("findDisallowed passes the tree that the list was made from", () => expect(faults({})).toEqual([]));

const REFUSED: { name: string; over: Record<string, string | Uint8Array>; want: RegExp }[] = [
  {
    name: "a program that is not listed",
    over: { "usr/bin/extra*": elfFile() },
    want: /usr\/bin\/extra .* is not in the allow-list/,
  },
  {
    name: "an ELF file without the x bit",
    over: { "usr/share/data": elfFile() },
    want: /usr\/share\/data .* is not in the allow-list/,
  },
  { name: "text with the x bit", over: { "usr/bin/t*": "echo" }, want: /usr\/bin\/t .* is not in the allow-list/ },
  {
    name: "other bytes under a listed name",
    over: { "usr/bin/mount*": elfFile() },
    want: /usr\/bin\/mount has sha256/,
  },
  {
    name: "a shell under a listed name",
    over: { "usr/bin/mount*": shell },
    want: /usr\/bin\/mount is a shell, whatever its name/,
  },
  { name: "a script, executable", over: { "usr/lib/s*": "#!/usr/bin/node\n" }, want: /usr\/lib\/s is a script/ },
  { name: "a script that is not even executable", over: { "etc/s": "#!/bin/sh\n" }, want: /etc\/s is a script/ },
  {
    name: "a kernel module from elsewhere",
    over: { "usr/lib/modules/6/x.ko": elfFile({ type: 1 }) },
    want: /is a kernel module from mount/,
  },
  { name: "an object file", over: { "usr/lib/x.o": elfFile({ type: 1 }) }, want: /usr\/lib\/x.o is an object file/ },
  {
    name: "a program linked to Perl",
    over: { "usr/bin/mount*": elfFile({ needed: ["libperl.so.5.40"] }) },
    want: /is an interpreter/,
  },
  { name: "SSH by its own words", over: { "usr/bin/mount*": elfFile({ strings: ["SSH_AUTH_SOCK"] }) }, want: /is SSH/ },
];
for (const { name, over, want } of REFUSED) {
  test(`findDisallowed refuses ${name}`, () => expect(faults(over).join("\n")).toMatch(want));
}

test("findDisallowed knows a relocked package by its files' names without versions, and still reads their content", () => {
  const relocked = new Set(["mount"]);
  const newer = { "usr/bin/mount*": elfFile({ strings: ["2.42"] }) };
  expect(faults(newer, relocked)).toEqual([]);
  const tree = treeOf({ "usr/bin/mount*": mount, "usr/lib/x/libmount.so.1.2.0": elfFile() }, "mount");
  expect(findDisallowed(tree, rows, relocked)).toEqual([]);
  expect(faults({ "usr/bin/extra*": elfFile() }, relocked)).toEqual([
    "/usr/bin/extra (mount) is not in the allow-list",
  ]);
  expect(faults({ "usr/bin/mount*": shell }, relocked)).toEqual(["/usr/bin/mount is a shell, whatever its name"]);
});

test("the committed list names no shell, interpreter or package manager", () => {
  const names = Object.values(readAllowList()).flatMap((each) => each.map(({ path }) => path.split("/").at(-1)!));
  expect(names.length).toBeGreaterThan(50);
  for (const name of names)
    expect(name).not.toMatch(/^(.*sh|busybox|toybox|perl.*|python.*|apt.*|dpkg.*|ssh.*|lua.*|awk)$/);
});
