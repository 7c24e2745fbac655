// A small asset directory for tests: images whose bytes are made from a seed, and loaders. Real files in a real folder.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AssetsOptions, openAssets } from "../../boot-assets/store.ts";

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Bytes that differ at every offset within 251, so that a shifted range shows. */
export function pattern(length: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i + seed) * 7 + (i >> 8);
  return bytes;
}

export type ImageOver = {
  version?: string;
  arch?: "amd64" | "arm64";
  variant?: "base" | "full";
  bytes?: number;
  seed?: number;
  /** Row of the manifest → bytes: systemd-boot and GRUB's parts, beside the image. */
  diskLoaders?: Partial<Record<"loader" | "grubCore" | "grubBoot", Buffer>>;
};

function writeDiskLoaders(folder: string, loaders: NonNullable<ImageOver["diskLoaders"]>) {
  mkdirSync(folder, { recursive: true });
  const rows = Object.entries(loaders).map(([row, contents]) => {
    writeFileSync(join(folder, `${row}.bin`), contents);
    return [row, { file: `${row}.bin`, bytes: contents.length, sha256: sha256(contents) }];
  });
  return Object.fromEntries(rows) as Record<string, { file: string; bytes: number; sha256: string }>;
}

/** Writes one image and returns what its manifest says. */
export function writeImage(dir: string, over: ImageOver = {}) {
  const { version = "1.0.0", arch = "amd64", variant = "base", bytes = 3_000_000, seed = 0 } = over;
  const uki = pattern(bytes, seed);
  const part = (offset: number, length: number) => ({
    offset,
    bytes: length,
    sha256: sha256(uki.subarray(offset, offset + length)),
  });
  const third = Math.floor(bytes / 3);
  const manifest = {
    schema: 1,
    name: "Slipway OS",
    version,
    variant,
    arch,
    id: sha256(uki).slice(0, 16),
    uki: { file: "slipway.uki.efi", bytes, sha256: sha256(uki) },
    kernel: part(100, third),
    initrd: part(100 + third, third),
    cmdline: "panic=10 console=ttyS0",
    ...writeDiskLoaders(join(dir, "images", `${arch}-${variant}`), over.diskLoaders ?? {}),
    packages: [{ name: "linux", version: "6.12" }],
  };
  const folder = join(dir, "images", `${arch}-${variant}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "slipway.uki.efi"), uki);
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  return { manifest, uki, folder };
}

/** Writes the three loaders and their list. */
export function writeLoaders(dir: string): Record<string, Buffer> {
  const contents: Record<string, Buffer> = {
    "bios/undionly.kpxe": pattern(70_001, 1),
    "x86_64/snponly.efi": pattern(285_184, 2),
    "arm64/ipxe-arm64.efi": pattern(300_000, 3),
  };
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const [path, bytes] of Object.entries(contents)) {
    mkdirSync(join(dir, "ipxe", path, ".."), { recursive: true });
    writeFileSync(join(dir, "ipxe", path), bytes);
    files[path] = { bytes: bytes.length, sha256: sha256(bytes) };
  }
  writeFileSync(join(dir, "ipxe", "ipxe.json"), JSON.stringify({ version: "1.21.1", files }));
  return contents;
}

export type Told = { kind: string; detail: { file: string; reason: string } };

/** An asset folder that is removed at the end, and a way to open stores on it that share their marks. */
export function assetFolder() {
  const dir = mkdtempSync(join(tmpdir(), "slipway-assets-"));
  const marks = new Map<string, string>();
  const events: Told[] = [];
  const lines: string[] = [];
  const line = (text: string) => void lines.push(text);
  return {
    dir,
    marks,
    events,
    lines,
    open: (cacheBytes = 64 * 1024 * 1024, over: Partial<AssetsOptions> = {}) =>
      openAssets({
        dir,
        cacheBytes,
        rescanMs: 0,
        log: { info: line, warn: line, error: line },
        record: (event) => void events.push(event),
        marks: {
          read: async (name) => marks.get(name),
          write: async (name, value) => void marks.set(name, value),
        },
        ...over,
      }),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
