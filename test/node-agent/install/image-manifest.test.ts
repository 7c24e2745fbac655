// manifest.json as the installer reads it: each wrong member by name, and signatures of the owner, of another, of nobody.
import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { getPart, isOwnersSignature, parseImageManifest } from "../../../node-agent/install/image-manifest.ts";

const SHA = "ab".repeat(32);
const MANIFEST = {
  schema: 1,
  arch: "amd64",
  version: "1.2.3",
  cmdline: "quiet",
  uki: { file: "slipway.uki.efi", bytes: 9, sha256: SHA },
  kernel: { offset: 1, bytes: 2, sha256: SHA },
  initrd: { offset: 3, bytes: 4, sha256: SHA },
  loader: { file: "loader.efi", bytes: 5, sha256: SHA },
  packages: [{ name: "not looked at" }],
};
const read = (over: object) => parseImageManifest(JSON.stringify({ ...MANIFEST, ...over }), "http://a/manifest.json");

describe("parseImageManifest", () => {
  test("takes the parts with their lengths and digests", () => {
    const manifest = read({});
    expect(manifest).toMatchObject({ arch: "amd64", version: "1.2.3", cmdline: "quiet" });
    expect(getPart(manifest, "loader", "x")).toEqual({ bytes: 5, sha256: SHA });
  });
  test("names the part that an image lacks, and what for", () =>
    expect(() => getPart(read({}), "grub-core", "a BIOS starts it")).toThrow(
      "image 1.2.3 (amd64) has no grub-core: a BIOS starts it",
    ));
  const WRONG: [string, object, string][] = [
    ["another schema", { schema: 2 }, "schema 2; this agent reads schema 1"],
    ["no arch", { arch: "riscv" }, 'arch must be amd64 or arm64, found "riscv"'],
    ["a length that is none", { uki: { bytes: -1, sha256: SHA } }, "uki.bytes must be a count, found -1"],
    ["a digest that is none", { loader: { bytes: 1, sha256: "AB" } }, "loader.sha256 must be 64 lower-case hex digits"],
    ["a part that is no object", { kernel: 7 }, "kernel.bytes must be a count"],
    ["a version of two lines", { version: "1\n2" }, "version must be one line of text"],
  ];
  for (const [name, over, says] of WRONG) test(`refuses ${name}`, () => expect(() => read(over)).toThrow(says));
  for (const text of ["", "[]", "null", "{"]) {
    test(`refuses ${JSON.stringify(text)}`, () => expect(() => parseImageManifest(text, "m")).toThrow(/^m /));
  }
});

describe("isOwnersSignature", () => {
  const owner = generateKeyPairSync("ed25519");
  const other = generateKeyPairSync("ed25519");
  const pem = owner.publicKey.export({ type: "spki", format: "pem" }) as string;
  const bytes = Buffer.from("manifest");
  const ROWS: [string, Uint8Array, Uint8Array, string, boolean][] = [
    ["the owner's", bytes, sign(null, bytes, owner.privateKey), pem, true],
    ["another's", bytes, sign(null, bytes, other.privateKey), pem, false],
    ["over other bytes", Buffer.from("manifesT"), sign(null, bytes, owner.privateKey), pem, false],
    ["a short one", bytes, Buffer.alloc(10), pem, false],
    ["none", bytes, Buffer.alloc(0), pem, false],
    ["no key", bytes, sign(null, bytes, owner.privateKey), "", false],
  ];
  for (const [name, over, signature, key, want] of ROWS) {
    test(name, () => expect(isOwnersSignature(over, signature, key)).toBe(want));
  }
});
