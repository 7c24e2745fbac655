import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTar, writeTar } from "../../../boot-assets/image/tar.ts";
import { addParents } from "../../../boot-assets/image/tree.ts";
import { treeOf } from "./tree-of.ts";

const LONG = `usr/${"long-directory/".repeat(12)}file`;

function archive() {
  const tree = treeOf({ "usr/a": "", [LONG]: "x".repeat(513), "usr/b*": "y".repeat(512), "usr/link -> a": "" });
  addParents(tree);
  return { tree, bytes: Buffer.concat([...writeTar(tree)]) };
}

test("writeTar is what GNU tar reads: names, modes, owner 0, time 0", () => {
  const { bytes } = archive();
  const list = execFileSync("tar", ["--numeric-owner", "-tvf", "-"], {
    input: bytes,
    env: { PATH: process.env.PATH, TZ: "UTC" },
  });
  expect(list.toString()).toContain(`-rw-r--r-- 0/0             513 1970-01-01 00:00 ${LONG}`);
  expect(list.toString()).toMatch(/-rwxr-xr-x 0\/0 +512 1970-01-01 00:00 usr\/b\n/);
  expect(list.toString()).toContain("usr/link -> a");
});

test("readTar reads back what writeTar wrote", () => {
  const { tree, bytes } = archive();
  const back = [...readTar(bytes)].map(({ path, kind, mode, target, bytes: content }) => [
    path.replace(/\/$/, ""),
    kind === "symlink" ? target : kind === "file" ? [mode, Buffer.from(content).toString()] : kind,
  ]);
  const want = [...tree]
    .map(([path, entry]) => [
      path,
      entry.kind === "link"
        ? entry.target
        : entry.kind === "file"
          ? [entry.mode, Buffer.from(entry.bytes).toString()]
          : "dir",
    ])
    .sort(([a], [b]) => (a! < b! ? -1 : 1));
  expect(back).toEqual(want);
});

for (const format of ["gnu", "pax", "ustar"]) {
  test(`readTar reads GNU tar's ${format} format with hard links`, () => {
    const dir = mkdtempSync(join(tmpdir(), "slipway-tar-"));
    const long = format === "ustar" ? `${"d/".repeat(60)}f` : `${"d".repeat(130)}/f`;
    mkdirSync(join(dir, long, ".."), { recursive: true });
    writeFileSync(join(dir, long), "hello");
    symlinkSync(long.slice(0, 90), join(dir, "s"));
    writeFileSync(join(dir, "y"), "same");
    linkSync(join(dir, "y"), join(dir, "z"));
    const bytes = execFileSync("tar", [`--format=${format}`, "-C", dir, "--sort=name", "-cf", "-", "."]);
    rmSync(dir, { recursive: true });
    const entries = [...readTar(bytes)];
    expect(entries.filter(({ kind }) => kind === "file").map(({ path }) => path)).toEqual([`./${long}`, "./y"]);
    expect(entries.find(({ kind }) => kind === "symlink")).toMatchObject({ path: "./s", target: long.slice(0, 90) });
    expect(entries.find(({ kind }) => kind === "hardlink")).toMatchObject({ path: "./z", target: "./y" });
  });
}

test("readTar says where an archive was cut off", () => {
  const { bytes } = archive();
  // Whole blocks, so that it is the content that is missing, not the header.
  for (let end = 512; end < bytes.length - 1024; end += 512) {
    try {
      for (const _ of readTar(bytes.subarray(0, end)));
    } catch (error) {
      expect(error).toMatchObject({ code: "ASSET_DAMAGED" });
    }
  }
  expect(() => [...readTar(bytes.subarray(0, bytes.length - 1024 - 512))]).toThrow(/are left/);
});

test("readTar refuses a number that is none", () => {
  const { bytes } = archive();
  bytes.write("9", 124 + 3);
  expect(() => [...readTar(bytes)]).toThrow(/tar: size is/);
});
