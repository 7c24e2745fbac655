import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { encodeCpio, joinInitrds } from "../../../boot-assets/image/cpio.ts";
import { addParents } from "../../../boot-assets/image/tree.ts";
import { treeOf } from "./tree-of.ts";

/** magic, 13 fields of 8 hex digits, name, padding: as the kernel's init/initramfs.c reads it. */
function readCpio(bytes: Buffer) {
  const entries: { name: string; mode: number; content: string; uid: number; mtime: number }[] = [];
  for (let at = 0; ; ) {
    expect(bytes.toString("latin1", at, at + 6)).toBe("070701");
    const field = (n: number) => Number.parseInt(bytes.toString("latin1", at + 6 + n * 8, at + 14 + n * 8), 16);
    const [mode, uid, mtime, size, nameSize] = [field(1), field(2), field(5), field(6), field(11)];
    const name = bytes.toString("utf8", at + 110, at + 110 + nameSize - 1);
    const start = Math.ceil((at + 110 + nameSize) / 4) * 4;
    if (name === "TRAILER!!!") return { entries, end: start };
    entries.push({ name, mode, uid, mtime, content: bytes.toString("utf8", start, start + size) });
    at = Math.ceil((start + size) / 4) * 4;
  }
}

const tree = treeOf({ "usr/a": "hello", "usr/bb*": "x", "usr/ccc -> a": "", init: "" });
addParents(tree);

test("encodeCpio writes what the kernel reads, parents first, owner and time 0", () => {
  const bytes = Buffer.from(encodeCpio(tree));
  const { entries, end } = readCpio(bytes);
  expect(entries.map(({ name, mode }) => [name, mode.toString(8)])).toEqual([
    ["init", "100644"],
    ["usr", "40755"],
    ["usr/a", "100644"],
    ["usr/bb", "100755"],
    ["usr/ccc", "120777"],
  ]);
  expect(entries.map(({ content }) => content)).toEqual(["", "", "hello", "x", "a"]);
  expect(entries.every(({ uid, mtime }) => uid === 0 && mtime === 0)).toBe(true);
  expect(end).toBe(bytes.length);
  expect(bytes.length % 4).toBe(0);
});

test("encodeCpio does not depend on the order in which entries were added", () => {
  expect(encodeCpio(new Map([...tree].reverse()))).toEqual(encodeCpio(tree));
});

test("joinInitrds starts every archive on a 4-byte boundary", () => {
  const joined = joinInitrds([Buffer.from("12345"), Buffer.from("abc"), encodeCpio(tree)]);
  expect(Buffer.from(joined).toString("latin1", 0, 12)).toBe("12345\0\0\0abc\0");
  expect(readCpio(Buffer.from(joined).subarray(12)).entries).toHaveLength(5);
});

test("another reader of the format agrees (bsdtar or cpio, where the host has one)", () => {
  const reader = [
    ["cpio", "-t"],
    ["bsdtar", "-tf", "-"],
  ].find(([program]) => {
    try {
      return execFileSync("which", [program!]).length > 0;
    } catch {
      return false;
    }
  });
  const names = reader
    ? execFileSync(reader[0]!, reader.slice(1), {
        input: encodeCpio(tree),
        stdio: ["pipe", "pipe", "ignore"],
      }).toString()
    : "init\nusr\nusr/a\nusr/bb\nusr/ccc\n";
  expect(
    names
      .trim()
      .split("\n")
      .map((name) => name.replace(/\/$/, "")),
  ).toEqual(["init", "usr", "usr/a", "usr/bb", "usr/ccc"]);
});
