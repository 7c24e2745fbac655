// A kept file survives what a cut leaves behind: torn text, a half-made rename, a stranger's bytes.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type KeptFile, openKeptFile } from "../../node-agent/open-kept-file.ts";

let dir: string;
let path: string;
let said: string[];
let file: KeptFile<number>;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "slipway-kept-"));
  path = join(dir, "n.txt");
  said = [];
  file = openKeptFile(
    path,
    (text) => (/^\d+$/.test(text) ? Number(text) : undefined),
    (text) => void said.push(text),
  );
});
afterEach(() => rmSync(dir, { recursive: true }));

test("a file is for root alone, and the one before it is kept", () => {
  expect(file.read()).toBeUndefined();
  file.write("1");
  expect(existsSync(`${path}.previous`)).toBe(false);
  file.write("2");
  expect([file.read(), readFileSync(`${path}.previous`, "utf8")]).toEqual([2, "1"]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir).sort()).toEqual(["n.txt", "n.txt.previous"]);
  expect(said).toEqual([]);
});

test("a damaged file falls back to the one before it, and says so", () => {
  file.write("1");
  file.write("2");
  writeFileSync(path, "2x");
  expect(file.read()).toBe(1);
  expect(said).toEqual([`${path} is damaged; the one before it is used.`]);
  rmSync(`${path}.previous`);
  expect(file.read()).toBeUndefined();
  expect(said.at(-1)).toBe(`${path} is damaged; there is no older one.`);
});

test("a damaged file does not push out the last whole one", () => {
  file.write("1");
  file.write("2");
  writeFileSync(path, "torn!");
  file.write("3");
  expect([file.read(), readFileSync(`${path}.previous`, "utf8")]).toEqual([3, "1"]);
});

test("what a cut leaves half made is passed over", () => {
  file.write("1");
  for (const left of [`${path}.new`, `${path}.previous.new`]) writeFileSync(left, "garbage");
  expect(file.read()).toBe(1);
  file.write("2");
  file.write("3");
  expect([file.read(), readFileSync(`${path}.previous`, "utf8")]).toEqual([3, "2"]);
});

test("the same text is not written again", () => {
  file.write("1");
  const { ino } = statSync(path);
  file.write("1");
  expect(statSync(path).ino).toBe(ino);
});

test("remove takes all of it", () => {
  file.write("1");
  file.write("2");
  file.remove();
  file.remove();
  expect(readdirSync(dir)).toEqual([]);
});
