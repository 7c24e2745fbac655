import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { canFetchToolchain, findGo } from "../../../../boot-assets/image/kubernetes/find-go.ts";

test.each([
  ["go version go1.19.8 linux/amd64", false],
  ["go version go1.20.14 linux/amd64", false],
  ["go version go1.21.0 linux/amd64", true],
  ["go version go1.24.4 linux/amd64", true],
  ["go version go2.0 linux/arm64", true],
  ["gccgo (Debian 12.2.0) 12.2.0", false],
  ["", false],
])("%s can fetch a toolchain: %s", (text, expected) => expect(canFetchToolchain(text)).toBe(expected));

const versions = (table: Record<string, string>) => (file: string) => table[file];

test("the first Go on the PATH that is new enough", () => {
  const known = versions({
    "/a/go": "go version go1.19.8",
    "/b/go": "go version go1.24.4",
    "/c/go": "go version go1.26.9",
  });
  expect(findGo("/a:/b:/c", undefined, known)).toEqual({ command: ["/b/go"], env: {} });
});

test("none: the fault names the one that is too old", () => {
  const known = versions({ "/a/go": "go version go1.19.8 linux/amd64" });
  expect(() => findGo("/a:/b", undefined, known)).toThrow("from 1.21 on; /a/go is go version go1.19.8 linux/amd64");
  expect(() => findGo("", undefined, versions({}))).toThrow("there is none on the PATH");
});

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "slipway-go-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("where the system's is too old, the locked one, with its own GOROOT", () => {
  mkdirSync(join(dir, "usr/lib/go-1.24/bin"), { recursive: true });
  writeFileSync(join(dir, "usr/lib/go-1.24/bin/go"), "");
  const go = findGo("/a", { dir }, versions({ "/a/go": "go version go1.19.8" }));
  const goRoot = join(dir, "usr/lib/go-1.24");
  expect(go).toEqual({ command: [join(goRoot, "bin/go")], env: { GOROOT: goRoot } });
});
