import { expect, test } from "vitest";
import { parseLoaderList, parseManifest } from "../../boot-assets/manifest.ts";
import { SlipwayError } from "../../server/contract/errors.ts";

const sha256 = "ab".repeat(32);
const GOOD = {
  schema: 1,
  name: "Slipway OS",
  version: "0.1.0",
  variant: "base",
  arch: "amd64",
  id: "0123456789abcdef",
  uki: { file: "slipway.uki.efi", bytes: 1000, sha256 },
  kernel: { offset: 10, bytes: 400, sha256 },
  initrd: { offset: 410, bytes: 590, sha256 },
  cmdline: "panic=10",
  packages: [],
};
const parse = (value: unknown) => parseManifest(JSON.stringify(value), "m.json");

test("parseManifest reads schema 1 and leaves out what it does not know", () => {
  const { packages, ...known } = GOOD;
  expect(packages).toEqual([]);
  expect(parse(GOOD)).toEqual(known);
});

test("parseManifest reads the loaders for a disk, as far as there are some", () => {
  const loader = { file: "loader.efi", bytes: 10, sha256 };
  expect(parse({ ...GOOD, loader })).toMatchObject({ loader });
  expect(parse({ ...GOOD, loader })).not.toHaveProperty("grubCore");
});

const WRONG = [
  {
    name: "a loader outside its directory",
    value: { ...GOOD, loader: { file: "../loader.efi", bytes: 1, sha256 } },
    says: "loader.file must be",
  },
  {
    name: "GRUB without a digest",
    value: { ...GOOD, grubCore: { file: "grub-core.img", bytes: 1 } },
    says: "grubCore.sha256 must be",
  },
  { name: "another schema", value: { ...GOOD, schema: 2 }, says: "m.json: schema must be one of 1, found 2" },
  { name: "an unknown arch", value: { ...GOOD, arch: "mips" }, says: 'arch must be one of amd64, arm64, found "mips"' },
  {
    name: "a path as file",
    value: { ...GOOD, uki: { ...GOOD.uki, file: "../../etc/passwd" } },
    says: "uki.file must be",
  },
  {
    name: "a negative size",
    value: { ...GOOD, uki: { ...GOOD.uki, bytes: -1 } },
    says: "uki.bytes must be a whole number",
  },
  {
    name: "a short digest",
    value: { ...GOOD, kernel: { ...GOOD.kernel, sha256: "ab" } },
    says: "kernel.sha256 must be",
  },
  {
    name: "a range outside",
    value: { ...GOOD, initrd: { ...GOOD.initrd, bytes: 591 } },
    says: 'initrd must be a range inside 1000 bytes, found "bytes 410 to 1001"',
  },
  { name: "an id that leaves its URL", value: { ...GOOD, id: "a/b/../c" }, says: "id must be" },
  { name: "a line break in the command line", value: { ...GOOD, cmdline: "a\nb" }, says: "cmdline must be" },
  { name: "a list", value: [], says: "m.json must hold one JSON object" },
  { name: "a missing part", value: { ...GOOD, kernel: undefined }, says: "kernel.offset must be" },
];
for (const { name, value, says } of WRONG) {
  test(`parseManifest refuses ${name}`, () => {
    expect(() => parse(value)).toThrowError(says);
    expect(() => parse(value)).toThrowError(SlipwayError);
  });
}

test("parseManifest refuses text that is not JSON", () => {
  expect(() => parseManifest("{", "m.json")).toThrowError("m.json is not JSON");
});

test("parseLoaderList reads an object of paths and a list alike", () => {
  const row = { bytes: 5, sha256 };
  const want = { version: "1.21.1", files: [{ path: "bios/undionly.kpxe", ...row }] };
  expect(
    parseLoaderList(JSON.stringify({ version: "1.21.1", files: { "bios/undionly.kpxe": row } }), "i.json"),
  ).toEqual(want);
  expect(
    parseLoaderList(JSON.stringify({ version: "1.21.1", files: [{ path: "bios/undionly.kpxe", ...row }] }), "i.json"),
  ).toEqual(want);
});

test.each(["../x/y", "a/b/c", "a/..", "/a/b", "x"])("parseLoaderList refuses the path %s", (path) => {
  const text = JSON.stringify({ version: "1", files: { [path]: { bytes: 5, sha256 } } });
  expect(() => parseLoaderList(text, "i.json")).toThrowError("a path such as");
});

test.each([{ version: "1" }, { version: "1", files: "x" }, { version: "1", files: { "a/b": null } }, { files: {} }])(
  "parseLoaderList refuses %j",
  (value) => expect(() => parseLoaderList(JSON.stringify(value), "i.json")).toThrowError(/^i\.json: /),
);
