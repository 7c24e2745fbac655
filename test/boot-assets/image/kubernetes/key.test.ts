import { expect, test } from "vitest";
import { hashSources, readSources, type Source } from "../../../../boot-assets/image/kubernetes/key.ts";

const source = (name: string, text: string): Source => ({ name, bytes: Buffer.from(text) });
const SOURCES = [source("go.mod", "module x"), source("go.sum", ""), source("programs/a/main.go", "package main")];

test("the key is the same for the same sources, in whatever order they were read", () => {
  expect(hashSources("amd64", [...SOURCES].reverse())).toBe(hashSources("amd64", SOURCES));
  expect(hashSources("amd64", SOURCES)).toMatch(/^[0-9a-f]{64}$/);
});

test("architecture, name, content, and where one file ends all count", () => {
  const keys = [
    hashSources("amd64", SOURCES),
    hashSources("arm64", SOURCES),
    hashSources("amd64", [...SOURCES.slice(0, 2), source("programs/b/main.go", "package main")]),
    hashSources("amd64", [...SOURCES.slice(0, 2), source("programs/a/main.go", "package main\n")]),
    hashSources("amd64", [source("go.mod", "module "), source("go.sum", "x"), SOURCES[2]!]),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

test("readSources takes go.mod, go.sum and the Go files, no TypeScript", () => {
  const names = readSources("boot-assets/image/kubernetes").map(({ name }) => name);
  expect(names).toContain("go.sum");
  expect(names).toContain("programs/kubernetes/main.go");
  expect(names.filter((name) => !/^(go\.(mod|sum)|programs\/.*\.go)$/.test(name))).toEqual([]);
});
