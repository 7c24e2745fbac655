import { generateKeyPairSync, sign, verify } from "node:crypto";
import { renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AssetStore, ImagePart, SmallFile } from "../../boot-assets/store.ts";
import { assetFolder, pattern, sha256, writeImage, writeLoaders } from "./asset-folder.ts";

let folder: ReturnType<typeof assetFolder>;
let store: AssetStore | undefined;
beforeEach(() => {
  folder = assetFolder();
});
afterEach(async () => {
  await store?.close();
  folder.remove();
});

async function bytesOf(id: string, part: ImagePart | SmallFile, start = 0, end?: number): Promise<Buffer> {
  const opened = await store!.openPart(id, part);
  return buffer(opened!.read(start, end ?? opened!.bytes));
}

test.each([
  { name: "from RAM", cacheBytes: 64_000_000 },
  { name: "from disk, when the image is larger than the budget", cacheBytes: 1_000_000 },
])("openPart streams each part $name", async ({ cacheBytes }) => {
  const { manifest, uki } = writeImage(folder.dir);
  store = await folder.open(cacheBytes);
  for (const part of ["kernel", "initrd"] as const) {
    const { offset, bytes } = manifest[part];
    const found = await bytesOf(manifest.id, part);
    expect(found.equals(uki.subarray(offset, offset + bytes))).toBe(true);
    expect(sha256(found)).toBe((await store.openPart(manifest.id, part))!.sha256);
    expect((await bytesOf(manifest.id, part, 7, 9)).equals(uki.subarray(offset + 7, offset + 9))).toBe(true);
    expect(await bytesOf(manifest.id, part, 5, 5)).toHaveLength(0);
  }
  expect((await bytesOf(manifest.id, "uki")).equals(uki)).toBe(true);
  const expected = cacheBytes > uki.length ? uki.length : 0;
  expect(store.status().cache).toEqual({ usedBytes: expected, budgetBytes: cacheBytes });
});

test("many first readers share one copy in RAM", async () => {
  const { manifest, uki } = writeImage(folder.dir);
  store = await folder.open();
  const all = await Promise.all(Array.from({ length: 40 }, () => bytesOf(manifest.id, "uki")));
  expect(all.every((one) => one.equals(uki))).toBe(true);
  expect(store.status().cache.usedBytes).toBe(uki.length);
});

test("the budget holds for two images, and what is being sent stays", async () => {
  const one = writeImage(folder.dir, { arch: "amd64", seed: 1 });
  const two = writeImage(folder.dir, { arch: "arm64", seed: 2 });
  store = await folder.open(4_000_000);
  const open = (await store.openPart(one.manifest.id, "uki"))!;
  const reading = open.read(0, open.bytes);
  reading.read(0);
  expect((await bytesOf(two.manifest.id, "uki")).equals(two.uki)).toBe(true);
  expect(store.status().cache.usedBytes).toBe(one.uki.length);
  expect((await buffer(reading)).equals(one.uki)).toBe(true);
  await bytesOf(two.manifest.id, "uki");
  expect(store.status().cache.usedBytes).toBe(two.uki.length);
});

test("a verified image is not hashed again by the next store, until it changes", async () => {
  const { manifest, folder: place } = writeImage(folder.dir);
  store = await folder.open();
  expect(store.status().images[0]!.state).toBe("unverified");
  await store.settled();
  expect(store.status().images[0]!.state).toBe("verified");
  await store.close();
  store = await folder.open();
  expect(store.status().images[0]!.state).toBe("verified");
  await store.close();
  utimesSync(join(place, "slipway.uki.efi"), 1, 1);
  store = await folder.open();
  expect(store.status().images[0]!.state).toBe("unverified");
  await bytesOf(manifest.id, "kernel");
  expect(store.status().images[0]!.state).toBe("verified");
});

const DAMAGE = [
  {
    name: "a flipped byte",
    says: "SHA-256 of its uki is",
    break: (path: string, uki: Buffer) => writeFileSync(path, flip(uki)),
  },
  {
    name: "a short file",
    says: "it has 2999999 bytes, the manifest says 3000000",
    break: (path: string) => truncateSync(path, 2_999_999),
  },
  { name: "an empty file", says: "it has 0 bytes", break: (path: string) => truncateSync(path, 0) },
];
const flip = (uki: Buffer) => {
  const copy = Buffer.from(uki);
  copy[2_500_000]! ^= 1;
  return copy;
};

for (const { name, says, break: damage } of DAMAGE) {
  test(`${name} is an event and a fault, and no byte is served`, async () => {
    const { manifest, uki, folder: place } = writeImage(folder.dir);
    damage(join(place, "slipway.uki.efi"), uki);
    store = await folder.open();
    await expect(store.openPart(manifest.id, "kernel")).rejects.toMatchObject({
      code: "ASSET_DAMAGED",
      message: expect.stringContaining(says),
      remedy: expect.stringContaining("npm run assets"),
    });
    await store.settled();
    expect(folder.events).toHaveLength(1);
    expect(folder.events[0]).toMatchObject({
      kind: "asset-damaged",
      detail: { reason: expect.stringContaining(says) },
    });
    expect(store.find({ arch: "amd64" })).toBeUndefined();
    expect(store.status().images[0]).toMatchObject({ state: "damaged", reason: expect.stringContaining(says) });
  });
}

test("an image that was damaged after it was verified and cached is not served", async () => {
  const { manifest, uki, folder: place } = writeImage(folder.dir);
  store = await folder.open();
  await bytesOf(manifest.id, "kernel");
  writeFileSync(join(place, "slipway.uki.efi"), flip(uki));
  await expect(store.openPart(manifest.id, "kernel")).rejects.toMatchObject({ code: "ASSET_DAMAGED" });
  await store.rescan();
  await expect(store.openPart(manifest.id, "kernel")).rejects.toMatchObject({ code: "ASSET_DAMAGED" });
  expect(store.status().cache.usedBytes).toBe(0);
  writeFileSync(join(place, "slipway.uki.efi"), uki);
  await store.rescan();
  expect((await bytesOf(manifest.id, "uki")).equals(uki)).toBe(true);
});

test("a wrong digest of a part is found, not only one of the whole", async () => {
  const { manifest, folder: place } = writeImage(folder.dir);
  const wrong = { ...manifest, kernel: { ...manifest.kernel, offset: manifest.kernel.offset + 1 } };
  writeFileSync(join(place, "manifest.json"), JSON.stringify(wrong));
  store = await folder.open();
  await expect(store.openPart(manifest.id, "initrd")).rejects.toThrowError("SHA-256 of its kernel is");
});

test("a new image appears, and the old one can still be read by those who have its id", async () => {
  const old = writeImage(folder.dir, { version: "1.0.0", seed: 1 });
  store = await folder.open();
  const half = (await store.openPart(old.manifest.id, "uki"))!.read(0, old.uki.length);
  renameSync(old.folder, `${old.folder}.old`);
  rmSync(join(`${old.folder}.old`, "manifest.json"));
  const next = writeImage(folder.dir, { version: "1.1.0", seed: 2 });
  await store.rescan();
  rmSync(`${old.folder}.old`, { recursive: true });
  expect(store.find({ arch: "amd64" })).toMatchObject({ version: "1.1.0", id: next.manifest.id });
  expect(store.list()).toHaveLength(1);
  expect((await buffer(half)).equals(old.uki)).toBe(true);
  expect((await bytesOf(old.manifest.id, "kernel")).equals(old.uki.subarray(100, 1_000_100))).toBe(true);
  expect((await bytesOf(next.manifest.id, "uki")).equals(next.uki)).toBe(true);
});

test("a replaced image is closed after a quarter of an hour", async () => {
  const old = writeImage(folder.dir, { seed: 1 });
  store = await folder.open();
  writeImage(folder.dir, { seed: 2, version: "2.0.0" });
  await store.rescan();
  expect(await store.openPart(old.manifest.id, "kernel").catch((error) => error.code)).toBe("ASSET_DAMAGED");
  const later = Date.now() + 15 * 60_000;
  vi.spyOn(Date, "now").mockReturnValue(later);
  await store.rescan();
  vi.restoreAllMocks();
  expect(await store.openPart(old.manifest.id, "kernel")).toBeUndefined();
});

test("an unknown id is an outcome, not a fault", async () => {
  store = await folder.open();
  expect(await store.openPart("nothing", "kernel")).toBeUndefined();
  expect(store.list()).toEqual([]);
});

test("openLoader gives verified bytes, in any case of letters", async () => {
  const contents = writeLoaders(folder.dir);
  store = await folder.open();
  for (const [path, bytes] of Object.entries(contents)) {
    expect(store.openLoader(path)!.contents.equals(bytes)).toBe(true);
    expect(store.openLoader(path.toUpperCase())!.sha256).toBe(sha256(bytes));
  }
  expect(store.openLoader("bios/nothing")).toBeUndefined();
  expect(store.openLoader("../images/x")).toBeUndefined();
});

test("a damaged and a missing loader are told once and refused; a repaired one is served", async () => {
  const contents = writeLoaders(folder.dir);
  writeFileSync(join(folder.dir, "ipxe/bios/undionly.kpxe"), pattern(70_001, 9));
  rmSync(join(folder.dir, "ipxe/arm64/ipxe-arm64.efi"));
  store = await folder.open();
  expect(() => store!.openLoader("bios/undionly.kpxe")).toThrowError("ipxe.json says");
  expect(() => store!.openLoader("arm64/ipxe-arm64.efi")).toThrowError("is not there");
  expect(store.openLoader("x86_64/snponly.efi")).toBeDefined();
  await store.rescan();
  expect(folder.events).toHaveLength(1);
  expect(folder.lines.filter((line) => line.includes("ipxe"))).toHaveLength(2);
  writeFileSync(join(folder.dir, "ipxe/bios/undionly.kpxe"), contents["bios/undionly.kpxe"]!);
  await store.rescan();
  expect(store.openLoader("bios/undionly.kpxe")!.contents.equals(contents["bios/undionly.kpxe"]!)).toBe(true);
});

test("a missing asset directory is told with its remedy, and files that appear are seen", async () => {
  store = await folder.open();
  expect(store.status().faults).toMatchObject([{ remedy: expect.stringContaining("npm run assets") }]);
  expect(folder.events).toEqual([]);
  writeLoaders(folder.dir);
  const { manifest } = writeImage(folder.dir);
  await store.rescan();
  expect(store.status().faults).toEqual([]);
  expect(store.find({ arch: "amd64" })!.id).toBe(manifest.id);
  expect(store.openLoader("bios/undionly.kpxe")).toBeDefined();
});

test("a manifest that cannot be read, or lists a file that is absent, is a fault with its place", async () => {
  const { folder: place } = writeImage(folder.dir);
  writeFileSync(join(place, "manifest.json"), "{");
  const other = writeImage(folder.dir, { arch: "arm64" });
  rmSync(join(other.folder, "slipway.uki.efi"));
  store = await folder.open();
  const reasons = store.status().faults.map((fault) => fault.reason);
  expect(reasons[0]).toContain("amd64-base/manifest.json is not JSON");
  expect(reasons[1]).toContain("slipway.uki.efi is not there");
  expect(store.list()).toEqual([]);
});

test("only images that the owner signed are served, once there is an owner", async () => {
  const owner = generateKeyPairSync("ed25519");
  const stranger = generateKeyPairSync("ed25519");
  const isSigned = (bytes: Uint8Array, signature: Uint8Array) => verify(null, bytes, owner.publicKey, signature);
  const { manifest, folder: place } = writeImage(folder.dir);
  const bytes = Buffer.from(JSON.stringify(manifest));
  const signAs = (key: typeof owner, form: (raw: Buffer) => string | Buffer) =>
    writeFileSync(join(place, "manifest.sig"), form(sign(null, bytes, key.privateKey)));
  store = await folder.open(undefined, { isSigned });
  expect(store.list()).toEqual([]);
  expect(store.status().faults.map((fault) => fault.reason)[0]).toContain("manifest.sig is missing");
  signAs(stranger, (raw) => raw);
  await store.rescan();
  expect(store.status().faults.map((fault) => fault.reason)[0]).toContain("no signature of this appliance's owner key");
  for (const form of [(raw: Buffer) => raw, (raw: Buffer) => raw.toString("base64")]) {
    signAs(owner, form);
    await store.rescan();
    expect(store.list()).toHaveLength(1);
  }
  writeFileSync(join(place, "manifest.json"), JSON.stringify({ ...manifest, cmdline: "init=/bin/evil" }));
  await store.rescan();
  expect(store.list()).toEqual([]);
});

test("the directory is looked at again by itself", async () => {
  store = await folder.open(undefined, { rescanMs: 10 });
  const { manifest } = writeImage(folder.dir);
  await vi.waitFor(() => expect(store!.find({ arch: "amd64" })?.id).toBe(manifest.id), { timeout: 5000 });
});

test("a file that ends early while it is streamed breaks the stream, it does not end it", async () => {
  const { manifest, folder: place } = writeImage(folder.dir);
  store = await folder.open(1_000_000);
  const opened = (await store.openPart(manifest.id, "uki"))!;
  truncateSync(join(place, "slipway.uki.efi"), 600_000);
  await expect(buffer(opened.read(0, opened.bytes))).rejects.toMatchObject({ code: "ASSET_DAMAGED" });
});

test("a mark that cannot be written costs a warning, not the image", async () => {
  const { manifest } = writeImage(folder.dir);
  const marks = {
    read: async () => Promise.reject(new Error("no")),
    write: async () => Promise.reject(new Error("disk full")),
  };
  store = await folder.open(undefined, { marks });
  await store.settled();
  expect(folder.lines.some((line) => line.includes("that could not be noted"))).toBe(true);
  expect(await bytesOf(manifest.id, "kernel")).toHaveLength(1_000_000);
});

test("close waits for readers: their descriptor stays until they end", async () => {
  const { manifest, uki } = writeImage(folder.dir);
  store = await folder.open(1_000_000);
  const opened = (await store.openPart(manifest.id, "uki"))!;
  const reading = opened.read(0, opened.bytes);
  reading.read(0);
  await store.close();
  store = undefined;
  expect((await buffer(reading)).equals(uki)).toBe(true);
});

test("what lies beside an image is served whole, in ranges, and with its digest as ETag", async () => {
  const [loader, grubCore] = [pattern(5000, 4), pattern(7000, 5)];
  const { manifest, folder: image } = writeImage(folder.dir, { diskLoaders: { loader, grubCore } });
  const signature = pattern(64, 9);
  writeFileSync(join(image, "manifest.sig"), signature);
  store = await folder.open();
  const id = manifest.id;
  expect(JSON.parse((await bytesOf(id, "manifest.json")).toString())).toEqual(manifest);
  expect((await bytesOf(id, "manifest.sig")).equals(signature)).toBe(true);
  expect((await bytesOf(id, "loader")).equals(loader)).toBe(true);
  expect((await bytesOf(id, "grub-core", 10, 20)).equals(grubCore.subarray(10, 20))).toBe(true);
  expect((await store.openPart(id, "grub-core"))!.sha256).toBe(sha256(grubCore));
  // This image has none: a 404, not a fault.
  expect(await store.openPart(id, "grub-boot")).toBeUndefined();
});

test("a loader that is not what the manifest says is told once and never served; the image is", async () => {
  const { manifest, folder: image } = writeImage(folder.dir, {
    diskLoaders: { loader: pattern(5000, 4), grubBoot: pattern(440, 6) },
  });
  writeFileSync(join(image, "loader.bin"), pattern(5000, 8));
  rmSync(join(image, "grubBoot.bin"));
  store = await folder.open();
  await expect(store.openPart(manifest.id, "loader")).rejects.toMatchObject({ code: "ASSET_DAMAGED" });
  await expect(store.openPart(manifest.id, "grub-boot")).rejects.toMatchObject({ code: "ASSET_MISSING" });
  expect((await bytesOf(manifest.id, "kernel")).length).toBe(manifest.kernel.bytes);
  await store.rescan();
  expect(folder.events.map(({ kind, detail }) => `${kind} ${detail.file.split("/").at(-1)}`)).toEqual([
    "asset-damaged loader.bin",
    "asset-damaged grubBoot.bin",
  ]);
});

test("an installer gets its image's loader also after a new build took its place", async () => {
  const loader = pattern(5000, 4);
  const { manifest } = writeImage(folder.dir, { diskLoaders: { loader } });
  store = await folder.open();
  writeImage(folder.dir, { seed: 1, version: "2.0.0", diskLoaders: { loader: pattern(6000, 5) } });
  await store.rescan();
  expect((await bytesOf(manifest.id, "loader")).equals(loader)).toBe(true);
});

test("the full image is what machines get as soon as it is there, and the log says so", async () => {
  const base = writeImage(folder.dir, { variant: "base" });
  store = await folder.open();
  expect(store.find({ arch: "amd64" })?.id).toBe(base.manifest.id);
  const full = writeImage(folder.dir, { variant: "full", seed: 1 });
  await store.rescan();
  expect(store.find({ arch: "amd64" })?.id).toBe(full.manifest.id);
  expect(folder.lines).toContain(
    "Slipway OS 1.0.0 (full) for amd64 is there; machines with amd64 boot and install 1.0.0 (full).",
  );
});
