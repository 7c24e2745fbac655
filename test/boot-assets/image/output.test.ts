import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { signImage } from "../../../boot-assets/image/build.ts";
import { findBuilt, forgetOldBuilds, keepBuilt, publish } from "../../../boot-assets/image/output.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "slipway-output-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const files = (text: string) =>
  new Map<string, Uint8Array>([
    ["manifest.json", Buffer.from(text)],
    ["a/b", Buffer.from("b")],
  ]);

/** As a failing disk or a person would: same size, other bytes. */
function overwrite(file: string): void {
  chmodSync(file, 0o644);
  writeFileSync(file, "x".repeat(statSync(file).size));
}

test("keepBuilt and publish: whole directories, read-only files, nothing left over", () => {
  const built = keepBuilt(dir, "amd64-base-1", files("one"));
  expect(findBuilt(dir, "amd64-base-1")).toBe(built);
  const target = join(dir, "out/images/amd64-base");
  expect(publish(built, target, "manifest.json")).toBe(true);
  expect(readFileSync(join(target, "a/b"), "utf8")).toBe("b");
  expect(statSync(join(target, "a/b")).mode & 0o222).toBe(0);
  expect(publish(built, target, "manifest.json")).toBe(false);
  const newer = keepBuilt(dir, "amd64-base-2", files("two"));
  expect(publish(newer, target, "manifest.json")).toBe(true);
  expect(readFileSync(join(target, "manifest.json"), "utf8")).toBe("two");
  expect(readdirSync(join(dir, "out/images"))).toEqual(["amd64-base"]);
  expect(readdirSync(join(dir, "built")).sort()).toEqual(["amd64-base-1", "amd64-base-2"]);
});

test("keepBuilt keeps the first of two builds of the same inputs", () => {
  keepBuilt(dir, "k", files("one"));
  expect(readFileSync(join(keepBuilt(dir, "k", files("two")), "manifest.json"), "utf8")).toBe("one");
});

test("publish repairs a file that was changed or lost, from a cache that the damage did not reach", () => {
  const target = join(dir, "out/images/amd64-base");
  const built = keepBuilt(dir, "k", files("one"));
  const damages = [
    () => rmSync(join(target, "a/b")),
    () => overwrite(join(target, "a/b")),
    () => overwrite(join(target, "manifest.json")),
  ];
  publish(built, target, "manifest.json");
  for (const damage of damages) {
    damage();
    expect(publish(built, target, "manifest.json")).toBe(true);
    expect(readFileSync(join(target, "a/b"), "utf8")).toBe("b");
    expect(publish(built, target, "manifest.json")).toBe(false);
  }
});

test("findBuilt gives up a build that someone wrote to", () => {
  const built = keepBuilt(dir, "k", files("one"));
  overwrite(join(built, "a/b"));
  expect(findBuilt(dir, "k")).toBeUndefined();
  expect(readdirSync(join(dir, "built"))).toEqual([]);
});

test("forgetOldBuilds lets go what is not in use, of its own kind only", () => {
  for (const key of ["amd64-base-1", "amd64-base-2", "arm64-base-1", "ipxe-1"]) keepBuilt(dir, key, files(key));
  forgetOldBuilds(dir, "amd64-base-", "amd64-base-2");
  expect(readdirSync(join(dir, "built")).sort()).toEqual(["amd64-base-2", "arm64-base-1", "ipxe-1"]);
});

test("signImage writes what the owner's key says over the exact bytes, and can do so again", () => {
  const target = join(dir, "out/images/amd64-base");
  publish(keepBuilt(dir, "k", files("the manifest")), target, "manifest.json");
  for (const mark of [1, 2]) {
    signImage(target, (bytes) => Buffer.from(`${mark}:${Buffer.from(bytes)}`));
    expect(readFileSync(join(target, "manifest.sig"), "utf8")).toBe(`${mark}:the manifest`);
  }
  // The cache, shared by appliances, stays unsigned.
  expect(readdirSync(join(dir, "built/k")).sort()).toEqual(["a", "manifest.json"]);
});
