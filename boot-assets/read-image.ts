// The bytes of one image file: hash them against the manifest, and stream a range from RAM or from the descriptor.
// Called by store.ts only. Chunks are large because createReadStream's 64 KiB take three to six times the
// CPU of nginx (test/bench/http.ts measures), and small enough that one hash step keeps the event loop free (about 1 ms).
import { createHash, type Hash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { SlipwayError } from "../server/contract/errors.ts";
import type { Manifest } from "./manifest.ts";

/** Bytes per read of a descriptor. */
const FILE_CHUNK_BYTES = 512 * 1024;
/** Bytes per write from RAM; no copy is made. */
const RAM_CHUNK_BYTES = 1024 * 1024;

/** What tells a changed file from an unchanged one without reading it: size, modification time (ns) and inode. */
export const identityOf = (stat: BigIntStats): string => `${stat.size}:${stat.mtimeNs}:${stat.ino}`;

/**
 * Reads the whole file once and compares the UKI, kernel and initrd digests with the manifest.
 * @returns undefined when all agree, else the first difference in words.
 */
export async function findDamage(handle: FileHandle, manifest: Manifest): Promise<string | undefined> {
  const parts = { uki: { offset: 0, ...manifest.uki }, kernel: manifest.kernel, initrd: manifest.initrd };
  const checks = Object.entries(parts).map(([name, range]) => ({ name, range, hash: createHash("sha256") }));
  const { size } = await handle.stat();
  if (size !== manifest.uki.bytes) return `it has ${size} bytes, the manifest says ${manifest.uki.bytes}`;
  const chunk = Buffer.allocUnsafe(FILE_CHUNK_BYTES);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await handle.read(chunk, 0, FILE_CHUNK_BYTES, at);
    if (bytesRead === 0) return `it ends at byte ${at} of ${size}`;
    for (const { range, hash } of checks) updateInside(hash, chunk.subarray(0, bytesRead), at, range);
    at += bytesRead;
  }
  for (const { name, range, hash } of checks) {
    const found = hash.digest("hex");
    if (found !== range.sha256) return `the SHA-256 of its ${name} is ${found}, the manifest says ${range.sha256}`;
  }
  return undefined;
}

/** Hashes the part of a chunk (which begins at `at`) that lies inside a range. */
function updateInside(hash: Hash, chunk: Uint8Array, at: number, range: { offset: number; bytes: number }): void {
  const start = Math.max(range.offset - at, 0);
  const end = Math.min(range.offset + range.bytes - at, chunk.length);
  if (start < end) hash.update(chunk.subarray(start, end));
}

/** Fills a buffer with the file's first bytes. @throws ASSET_DAMAGED when the file is shorter. */
export async function fillFrom(handle: FileHandle, into: Buffer, path: string): Promise<void> {
  for (let at = 0; at < into.length; ) {
    const { bytesRead } = await handle.read(into, at, Math.min(FILE_CHUNK_BYTES, into.length - at), at);
    if (bytesRead === 0) throw tooShort(path, at, into.length);
    at += bytesRead;
  }
}

/** Streams bytes `start` to `end` (exclusive) of a buffer without copying them. `done` runs once, however it ends. */
export function streamBuffer(buffer: Buffer, start: number, end: number, done: () => void): Readable {
  let at = start;
  return new Readable({
    highWaterMark: RAM_CHUNK_BYTES,
    read() {
      const next = Math.min(at + RAM_CHUNK_BYTES, end);
      this.push(at < end ? buffer.subarray(at, next) : null);
      at = next;
    },
    destroy(error, callback) {
      done();
      callback(error);
    },
  });
}

/** Streams bytes `start` to `end` (exclusive) of a descriptor with back-pressure. `done` runs once, however it ends. */
export function streamFile(handle: FileHandle, path: string, start: number, end: number, done: () => void): Readable {
  let at = start;
  return new Readable({
    highWaterMark: FILE_CHUNK_BYTES,
    async read() {
      if (at >= end) return void this.push(null);
      try {
        // A fresh buffer per chunk: the socket may still be sending the last one.
        const chunk = Buffer.allocUnsafeSlow(Math.min(FILE_CHUNK_BYTES, end - at));
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
        if (bytesRead === 0) throw tooShort(path, at, end);
        at += bytesRead;
        this.push(bytesRead === chunk.length ? chunk : chunk.subarray(0, bytesRead));
      } catch (error) {
        this.destroy(error as Error);
      }
    },
    destroy(error, callback) {
      done();
      callback(error);
    },
  });
}

const tooShort = (path: string, at: number, expected: number) =>
  new SlipwayError("ASSET_DAMAGED", `${path} ends at byte ${at}, ${expected} were expected`);
