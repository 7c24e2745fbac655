// Reads a tar archive as a stream: each file goes to a directory under a number, hashed on its way, so that a gigabyte costs
// no memory. store.ts calls it. gzip is seen by its first bytes. Links of a docker-archive lead to the file they mean. Edge.
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { join, posix } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { SlipwayError } from "../contract/errors.ts";
import type { ArchiveFile } from "./plan-import.ts";

/** Manifests and configs are far smaller; a layer is never read as text. */
const TEXT_BYTES = 4 * 2 ** 20;
/** Images have some dozens of files; a million entries would be an attack, or a file system. */
const MAX_ENTRIES = 20_000;

export type StagedFile = ArchiveFile & { path: string };

/** All that is kept in memory of one archive: an index of hundreds of images has some. */
const ALL_TEXT_BYTES = 64 * 2 ** 20;
/** The room on the disk is looked at each time so much has come: gzip makes a gigabyte of zeros out of a megabyte. */
const LOOK_EVERY_BYTES = 16 * 2 ** 20;

/** What one archive has taken so far. */
type Taken = { textBytes: number; sinceLook: number; assertRoom: () => void };

/**
 * @param assertRoom throws when the disk has no more room for an archive.
 * @throws BAD_IMPORT for what is no tar archive or ends too early. Files lie in `dir` afterwards, whatever happened.
 */
export async function readArchive(
  source: Readable,
  dir: string,
  assertRoom: () => void = () => {},
): Promise<Map<string, StagedFile>> {
  const taken: Taken = { textBytes: 0, sinceLook: 0, assertRoom };
  const files = new Map<string, StagedFile>();
  const links: [from: string, to: string][] = [];
  const tar = extract();
  const body = new PassThrough();
  const feeding = pipeline(source, body);
  const reading = (async () => {
    const first = await firstBytes(body);
    const isGzip = first[0] === 0x1f && first[1] === 0x8b;
    await (isGzip ? pipeline(body, createGunzip(), tar) : pipeline(body, tar));
  })();
  const taking = (async () => {
    let count = 0;
    for await (const entry of tar) {
      if (++count > MAX_ENTRIES)
        throw new SlipwayError("BAD_IMPORT", `the archive has more than ${MAX_ENTRIES} entries`);
      const name = posix.normalize(entry.header.name).replace(/^\.?\//, "");
      if (entry.header.type === "file") files.set(name, await stage(entry, join(dir, String(count)), taken));
      else {
        const target = linkTarget(entry.header, name);
        if (target !== undefined) links.push([name, target]);
        entry.resume();
      }
    }
  })();
  const results = await Promise.allSettled([taking, reading, feeding]);
  const failed = results.find((r): r is PromiseRejectedResult => r.status === "rejected");
  if (failed !== undefined) throw asFault(failed.reason);
  for (const [from, to] of links) {
    const file = files.get(to);
    if (file !== undefined && !files.has(from)) files.set(from, file);
  }
  return files;
}

const JSON_HEAD = /^\s*[[{]/;

function countIn(taken: Taken, bytes: number, isText: boolean): void {
  if (isText) taken.textBytes += bytes;
  if (taken.textBytes > ALL_TEXT_BYTES)
    throw new SlipwayError("BAD_IMPORT", `the archive has more than ${ALL_TEXT_BYTES} bytes of manifests`);
  taken.sinceLook += bytes;
  if (taken.sinceLook < LOOK_EVERY_BYTES) return;
  taken.sinceLook = 0;
  taken.assertRoom();
}

/** Waits for the head without taking it off the stream. */
async function firstBytes(stream: PassThrough): Promise<Uint8Array> {
  await new Promise<void>((resolve) => {
    for (const event of ["readable", "end", "close"]) stream.once(event, () => resolve());
  });
  const head = (stream.read() as Buffer | null) ?? Buffer.alloc(0);
  if (head.length > 0) stream.unshift(head);
  return head;
}

async function stage(
  entry: AsyncIterable<unknown> & { header: Header },
  path: string,
  taken: Taken,
): Promise<StagedFile> {
  const hash = createHash("sha256");
  const kept: Buffer[] = [];
  const isSmall = (entry.header.size ?? 0) <= TEXT_BYTES;
  let isText = isSmall;
  let bytes = 0;
  const count = async function* (chunks: AsyncIterable<unknown>) {
    for await (const part of chunks) {
      const chunk = part as Buffer;
      // Manifests and configs are JSON; a small layer is not.
      if (bytes === 0) isText = isSmall && JSON_HEAD.test(chunk.toString("latin1", 0, 64));
      hash.update(chunk);
      bytes += chunk.length;
      if (isText) kept.push(chunk);
      countIn(taken, chunk.length, isText);
      yield chunk;
    }
  };
  await pipeline(entry, count, createWriteStream(path, { mode: 0o600, flush: true }));
  const digest = `sha256:${hash.digest("hex")}`;
  return { path, digest, bytes, ...(isText ? { text: Buffer.concat(kept).toString("utf8") } : {}) };
}

/** `docker save` of old writes a layer that comes twice as a link to the first: relative for symbolic ones. */
function linkTarget({ type, linkname }: Header, name: string): string | undefined {
  if (!linkname) return undefined;
  if (type === "link") return posix.normalize(linkname).replace(/^\.?\//, "");
  return type === "symlink" ? posix.normalize(posix.join(posix.dirname(name), linkname)) : undefined;
}

function asFault(cause: unknown): unknown {
  if (cause instanceof SlipwayError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new SlipwayError("DISK_FULL", "the file system of dataDir is full; nothing of the archive was kept", {
      cause,
    });
  if (code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE")
    return new SlipwayError("BAD_IMPORT", "the archive ended in the middle; nothing of it was kept", { cause });
  const isOurs = code?.startsWith("E") && !code.startsWith("ERR_") && code !== "EPIPE";
  return isOurs
    ? cause
    : new SlipwayError("BAD_IMPORT", `the file is no tar archive, or it is damaged: ${message}`, {
        cause,
        remedy: "Make it with `docker save`, `podman save` or `ctr images export`.",
      });
}
