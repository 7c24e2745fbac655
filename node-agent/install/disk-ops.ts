// A step, taken apart: every single operation in the order that survives a power cut. The executor runs these one by one
// and knows no order of its own, so that the order is data, and a test can cut after each of them. Pure.
// Why this order (tried on Linux's vfat): rename, then fsync of the directory alone, leaves the new name with 0 bytes after
// a cut; fsync of the file first, then of its directory, does not. A read-back through the page cache misses a flipped byte.
import { encodeGpt } from "./gpt.ts";
import type { DiskRange, FileContent, FileSpec, Step, Volume } from "./install-step.ts";
import type { PartitionLabel } from "./layout.ts";
import { encodeMarker } from "./marker.ts";
import { encodeMeta } from "./meta.ts";
import { temporaryPath } from "./slot-files.ts";

export type DiskOp =
  /** pwrite(2) on the disk. */
  | { op: "disk-write"; offset: number; bytes: Uint8Array }
  /** Zeros, or BLKZEROOUT. */
  | { op: "disk-zero"; range: DiskRange }
  /** fsync(2) on the disk, which also flushes its own cache. */
  | { op: "disk-sync" }
  /** BLKRRPART, and the wait for udev. */
  | { op: "reread-table" }
  | { op: "make-file-system"; partition: PartitionLabel; format: "fat32" | "xfs"; id: string }
  | { op: "make-dir"; on: Volume; path: string }
  | { op: "write"; on: Volume; path: string; content: FileContent }
  | { op: "sync-file"; on: Volume; path: string }
  /** Reads past the page cache (POSIX_FADV_DONTNEED or O_DIRECT), compares length and SHA-256; a difference ends the install. */
  | { op: "verify"; on: Volume; path: string; bytes: number; sha256: string }
  | { op: "rename"; on: Volume; from: string; to: string }
  | { op: "sync-dir"; on: Volume; path: string }
  | { op: "remove"; on: Volume; path: string }
  | { op: "write-boot-code"; part: "core" | "boot"; offset: number }
  | { op: "set-variable"; variable: string; bytes: Uint8Array }
  | { op: "remove-variable"; variable: string };

type Ops = { [K in Step["kind"]]: (step: Extract<Step, { kind: K }>) => DiskOp[] };

/** A step without a row does not compile. */
const OPS: Ops = {
  "write-marker": ({ marker }) => [{ op: "disk-write", ...encodeMarker(marker) }, { op: "disk-sync" }],
  erase: ({ ranges }) => [
    ...ranges.map((range): DiskOp => ({ op: "disk-zero", range })),
    { op: "disk-sync" },
    { op: "reread-table" },
  ],
  "write-table": ({ gpt }) => {
    const { backup, primary } = encodeGpt(gpt);
    return [
      { op: "disk-write", ...backup },
      { op: "disk-sync" },
      { op: "disk-write", ...primary },
      { op: "disk-sync" },
      { op: "reread-table" },
    ];
  },
  format: ({ partition, format, id }) => [{ op: "make-file-system", partition, format, id }, { op: "disk-sync" }],
  "write-meta": ({ offset, tags }) =>
    encodeMeta(tags).flatMap((copy): DiskOp[] => [
      { op: "disk-write", offset: offset + copy.offset, bytes: copy.bytes },
      { op: "disk-sync" },
    ]),
  "remove-file": ({ on, path }) => [
    { op: "remove", on, path },
    { op: "sync-dir", on, path: dirOf(path) },
  ],
  "write-file": ({ file }) => fileOps(file),
  // The boot code is the pointer: it comes when the core that it loads is on the disk.
  "write-boot-code": ({ coreOffset }) => [
    { op: "write-boot-code", part: "core", offset: coreOffset },
    { op: "disk-sync" },
    { op: "write-boot-code", part: "boot", offset: 0 },
    { op: "disk-sync" },
  ],
  "set-boot-variable": ({ step }) => [
    step.kind === "write"
      ? { op: "set-variable", variable: step.variable, bytes: step.bytes }
      : { op: "remove-variable", variable: step.variable },
  ],
};

/** The operations of one step, in their order. */
export function opsOf(step: Step): DiskOp[] {
  const ops = OPS[step.kind] as (step: Step) => DiskOp[];
  return ops(step);
}

/** One file, whole or not at all under its name; docs/install.md says it in words. */
export function fileOps(file: FileSpec): DiskOp[] {
  const { on, path, content, bytes, sha256 } = file;
  const temporary = temporaryPath(path);
  return [
    ...parents(path).flatMap((dir): DiskOp[] => [
      { op: "make-dir", on, path: dir },
      { op: "sync-dir", on, path: dirOf(dir) },
    ]),
    { op: "write", on, path: temporary, content },
    { op: "sync-file", on, path: temporary },
    { op: "verify", on, path: temporary, bytes, sha256 },
    { op: "rename", on, from: temporary, to: path },
    { op: "sync-file", on, path },
    { op: "sync-dir", on, path: dirOf(path) },
  ];
}

export const dirOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";

/** `/EFI/BOOT/X` → `/EFI`, `/EFI/BOOT`. */
function parents(path: string): string[] {
  const names = path.split("/").slice(1, -1);
  return names.map((_, n) => `/${names.slice(0, n + 1).join("/")}`);
}
