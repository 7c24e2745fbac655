// Imports are whole or not at all, what is served is what came, and every refusal says which file and what to do.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SlipwayError } from "../../../server/contract/errors.ts";
import { MEDIA } from "../../../server/oci/image-manifest.ts";
import { formatReference, parseReference } from "../../../server/oci/image-reference.ts";
import { readArchive } from "../../../server/oci/read-archive.ts";
import { type ImageStore, openImageStore } from "../../../server/oci/store.ts";
import { CONFIG, dockerEntries, type Entry, LAYER, layoutEntries, sha, tar } from "./archive.ts";

let dir: string;
let store: ImageStore;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "slipway-images-"));
  store = openImageStore(dir, () => Date.UTC(2026, 0, 2));
});
afterEach(() => rmSync(dir, { recursive: true }));

const put = (bytes: Uint8Array, name?: string) => store.import(Readable.from([bytes]), name);
const putEntries = async (entries: readonly Entry[], name?: string) => put(await tar(entries), name);
const blobs = () => readdirSync(join(dir, "blobs", "sha256")).sort();
const left = () => readdirSync(dir).filter((name) => name.startsWith("."));

test.each([
  ["busybox", "docker.io/library/busybox:latest"],
  ["index.docker.io/x/y", "docker.io/x/y:latest"],
  ["x/y:1", "docker.io/x/y:1"],
  ["localhost/x", "localhost/x:latest"],
  ["10.0.0.1:5000/a/b/c:v1.2_3", "10.0.0.1:5000/a/b/c:v1.2_3"],
  ["ghcr.io/X/y", undefined],
  ["a@sha256:00", undefined],
  ["a b", undefined],
  ["../x", undefined],
  ["", undefined],
])("the name %s", (name, wanted) => {
  const parsed = parseReference(name);
  expect(parsed && formatReference(parsed)).toBe(wanted);
});

test("a docker-archive is served with a manifest over its layers, links included", async () => {
  const [image] = await putEntries(dockerEntries());
  expect(image).toMatchObject({ name: "docker.io/library/web:1.2", platforms: ["linux/amd64"], mediaTypes: {} });
  const manifest = JSON.parse(await text(store.findBlob(image!.digest)!.read(0, 1e6)));
  expect(manifest.mediaType).toBe(MEDIA.ociManifest);
  expect(manifest.layers).toEqual(
    [1, 2].map(() => ({ mediaType: MEDIA.ociLayer, digest: sha(LAYER), size: LAYER.length })),
  );
  expect(await text(store.findBlob(sha(CONFIG))!.read(0, CONFIG.length))).toBe(CONFIG);
  expect(blobs()).toHaveLength(3);
  expect(left()).toEqual([]);
});

test("an OCI layout keeps its index byte for byte; compressed by gzip it is the same", async () => {
  const bytes = await tar(layoutEntries());
  const [image] = await put(gzipSync(bytes));
  expect(image).toMatchObject({ name: "registry.example.org/team/web:2.0", platforms: ["linux/amd64"] });
  expect(Object.values(image!.mediaTypes)).toEqual([MEDIA.ociIndex, MEDIA.ociManifest]);
  const again = await put(bytes, "other.example.org/web:3");
  expect(again[0]!.digest).toBe(image!.digest);
  expect(store.list().map((i) => i.name)).toEqual(["other.example.org/web:3", "registry.example.org/team/web:2.0"]);
});

test("what two images share goes with the last of them, and all is there after a restart", async () => {
  await putEntries(dockerEntries());
  await putEntries(layoutEntries());
  await store.remove("web:1.2");
  expect(store.findBlob(sha(LAYER))?.bytes).toBe(LAYER.length);
  const reopened = openImageStore(dir, Date.now);
  expect(reopened.list()).toEqual(store.list());
  await reopened.remove("registry.example.org/team/web:2.0");
  expect(blobs()).toEqual([]);
  await expect(reopened.remove("web:1.2")).rejects.toMatchObject({ code: "NOT_FOUND" });
});

const without = (entries: readonly Entry[], part: string) => entries.filter((e) => !e.name.includes(part));
const FAULTS: { name: string; entries: Entry[]; as?: string; wanted: RegExp }[] = [
  {
    name: "no image at all",
    entries: [{ name: "etc/passwd", body: "root" }],
    wanted: /neither an OCI layout .* nor a docker-archive/,
  },
  { name: "no name", entries: dockerEntries(null), wanted: /holds an image without a name/ },
  { name: "a bad name", entries: dockerEntries(), as: "Web:1", wanted: /"Web:1" is no name of an image/ },
  {
    name: "a missing config",
    entries: without(dockerEntries(), "cfg.json"),
    wanted: /names cfg\.json, which is not in the archive/,
  },
  {
    name: "a missing layer",
    entries: without(layoutEntries(), sha(LAYER).slice(7)),
    wanted: /blob sha256:[0-9a-f]{64} is not in the archive/,
  },
  {
    name: "a flipped byte",
    entries: layoutEntries().map((e) =>
      e.name.includes(sha(LAYER).slice(7)) ? { name: e.name, body: Buffer.alloc(70_000) } : e,
    ),
    wanted: /blobs\/sha256\/[0-9a-f]+ is damaged/,
  },
];
describe("refused, and nothing is kept", () => {
  test.each(FAULTS)("$name", async ({ entries, as, wanted }) => {
    await expect(putEntries(entries, as)).rejects.toMatchObject({
      code: "BAD_IMPORT",
      message: expect.stringMatching(wanted),
    });
    expect([store.list(), left()]).toEqual([[], []]);
  });
  test("an archive that ends in the middle, at each of some places", async () => {
    const bytes = await tar(layoutEntries());
    for (const part of [0.1, 0.3, 0.5, 0.7, 0.9])
      await expect(put(bytes.subarray(0, Math.floor(bytes.length * part)))).rejects.toMatchObject({
        code: "BAD_IMPORT",
      });
    await expect(put(gzipSync(bytes).subarray(0, 200))).rejects.toMatchObject({ code: "BAD_IMPORT" });
    await expect(put(Buffer.from("hello"))).rejects.toMatchObject({ code: "BAD_IMPORT" });
    await expect(put(Buffer.alloc(0))).rejects.toMatchObject({ code: "BAD_IMPORT" });
    expect([store.list(), left()]).toEqual([[], []]);
  });
});

test("what a power cut left is swept", () => {
  mkdirSync(join(dir, ".staging-1"));
  expect(openImageStore(dir, Date.now).damage).toBeUndefined();
  expect(left()).toEqual([]);
});

describe("a damaged index", () => {
  const index = () => join(dir, "index.json");
  const aside = () => join(dir, "index.json.damaged-7");
  type Index = { schema: number; images: Record<string, unknown>[] };
  const change = (over: (content: Index) => unknown) =>
    writeFileSync(index(), JSON.stringify(over(JSON.parse(readFileSync(index(), "utf8")))));
  const WHOLLY: [string, (text: string) => string, RegExp][] = [
    ["that ends in the middle", (text) => text.slice(0, 100), /^it is no JSON$/],
    ["that is empty", () => "", /^it is no JSON$/],
    ["of another kind", () => "[]", /^it must have schema 1 and a list of images$/],
    ["of another schema", (text) => text.replace('"schema": 1', '"schema": 2'), /^it must have schema 1/],
    ["without its images", () => '{"schema":1,"images":null}', /^it must have schema 1/],
  ];
  test.each(WHOLLY)("%s is kept aside, and the store opens empty", async (_, over, reason) => {
    await putEntries(layoutEntries());
    const damaged = over(readFileSync(index(), "utf8"));
    writeFileSync(index(), damaged);
    const opened = openImageStore(dir, () => 7);
    expect(opened.damage).toEqual({
      ...{ path: index(), aside: aside(), kept: 0 },
      reason: expect.stringMatching(reason),
    });
    expect(opened.list()).toEqual([]);
    expect(readFileSync(aside(), "utf8")).toBe(damaged);
    expect(openImageStore(dir, () => 8)).toMatchObject({ damage: undefined });
    expect(openImageStore(dir, () => 8).setAside()).toEqual([aside()]);
  });
  test.each<[string, object | null]>([
    ["name", { name: "../../etc/passwd" }],
    ["digest", { digest: "sha256:00" }],
    ["digests", { digests: ["../../../secrets/ca.age"] }],
    ["mediaTypes", { mediaTypes: [] }],
    ["bytes", { bytes: "many" }],
    ["platforms", { platforms: undefined }],
    ["importedAt", { importedAt: "yesterday" }],
    ["all", null],
  ])("of which one image is broken (%s) serves the others, and sweeps nothing", async (_, over) => {
    await putEntries(dockerEntries());
    const [good] = await putEntries(layoutEntries());
    const before = blobs();
    change(({ schema, images }) => ({
      ...{ schema, images: images.map((one) => (one.name === good!.name ? one : over && { ...one, ...over })) },
    }));
    const opened = openImageStore(dir, () => 7);
    expect(opened.damage).toMatchObject({ kept: 1, reason: "1 of its 2 images are not as Slipway writes them" });
    expect(opened.list()).toEqual([good]);
    expect(opened.findBlob(good!.digest)).toBeDefined();
    await opened.remove(good!.name);
    expect(blobs()).toEqual(before);
    const again = openImageStore(dir, () => 8);
    rmSync(aside());
    const [docker] = await again.import(Readable.from([await tar(dockerEntries())]), undefined);
    expect(blobs().map((hex) => `sha256:${hex}`)).toEqual([...docker!.digests].sort());
  });
  test("that cannot be read is kept aside", () => {
    mkdirSync(index());
    expect(openImageStore(dir, () => 7).damage).toMatchObject({
      reason: expect.stringMatching(/^it cannot be read: /),
    });
    expect(readdirSync(dir)).toEqual(["index.json.damaged-7"]);
  });
});

test("the index names only what is on the disk", async () => {
  await putEntries(layoutEntries());
  const { images } = JSON.parse(readFileSync(join(dir, "index.json"), "utf8"));
  for (const digest of images[0].digests) expect(blobs()).toContain(digest.slice(7));
});

test("an archive that unpacks to more than the disk has room for is stopped on its way", async () => {
  const bomb = gzipSync(await tar([{ name: "layer", body: Buffer.alloc(96 * 2 ** 20) }]));
  expect(bomb.length).toBeLessThan(2 ** 20);
  let looks = 0;
  const assertRoom = () => {
    if (++looks === 2) throw new SlipwayError("DISK_FULL", "the archive does not fit");
  };
  const staging = join(dir, "staging");
  mkdirSync(staging);
  await expect(readArchive(Readable.from([bomb]), staging, assertRoom)).rejects.toMatchObject({ code: "DISK_FULL" });
  expect(looks).toBe(2);
});

test("only what may be a manifest is kept in memory", async () => {
  const staging = join(dir, "staging");
  mkdirSync(staging);
  const entries = [
    { name: "small-layer", body: Buffer.alloc(1000, "x") },
    { name: "manifest.json", body: ' [{"a":1}]' },
  ];
  const files = await readArchive(Readable.from([await tar(entries)]), staging);
  expect([files.get("small-layer")?.text, files.get("manifest.json")?.text]).toEqual([undefined, ' [{"a":1}]']);
});
