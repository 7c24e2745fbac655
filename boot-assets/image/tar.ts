// Tar archives, read (Debian's data.tar, npm's .tgz) and written (what mksquashfs gets on standard input), so that no
// owner, mode or time of the building host has a say. Pure. Format: POSIX.1-1988 ustar, GNU long names, pax paths.
import { SlipwayError } from "../../server/contract/errors.ts";
import { sortedPaths, type Tree } from "./tree.ts";

export type TarEntry = {
  path: string;
  kind: "file" | "dir" | "symlink" | "hardlink" | "other";
  mode: number;
  /** Target of a link. */
  target: string;
  bytes: Uint8Array;
};

const BLOCK = 512;
const KIND: Record<string, TarEntry["kind"]> = {
  "0": "file",
  "\0": "file",
  "1": "hardlink",
  "2": "symlink",
  "5": "dir",
};
const latin = new TextDecoder("latin1");
const utf8 = new TextDecoder();

/** Text up to the first NUL. */
const text = (field: Uint8Array): string => {
  const end = field.indexOf(0);
  return utf8.decode(end < 0 ? field : field.subarray(0, end));
};

function numberAt(header: Uint8Array, offset: number, length: number, field: string): number {
  const field8 = latin
    .decode(header.subarray(offset, offset + length))
    .replace(/\0/g, " ")
    .trim();
  const value = field8 === "" ? 0 : Number.parseInt(field8, 8);
  if (!/^[0-7]*$/.test(field8)) {
    throw new SlipwayError("ASSET_DAMAGED", `tar: ${field} is ${JSON.stringify(field8)}, expected an octal number`);
  }
  return value;
}

/** pax records: "LENGTH KEY=VALUE\n". */
function paxRecords(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const length = Number.parseInt(latin.decode(bytes.subarray(at, at + 20)), 10);
    if (!(length > 0)) break;
    const record = utf8.decode(bytes.subarray(at, at + length - 1));
    const [key, ...value] = record.slice(record.indexOf(" ") + 1).split("=");
    records.set(key!, value.join("="));
    at += length;
  }
  return records;
}

/**
 * Reads the entries of an uncompressed tar.
 *
 * @throws SlipwayError ASSET_DAMAGED when the archive ends inside an entry or a number is no number.
 */
export function* readTar(archive: Uint8Array): Generator<TarEntry> {
  let longPath: string | undefined;
  let longTarget: string | undefined;
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return;
    const size = numberAt(header, 124, 12, "size");
    const type = String.fromCharCode(header[156]!);
    const bytes = archive.subarray(at + BLOCK, at + BLOCK + size);
    if (bytes.length < size) {
      throw new SlipwayError("ASSET_DAMAGED", `tar: entry at byte ${at} has ${size} bytes, ${bytes.length} are left`);
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (type === "L") longPath = text(bytes);
    else if (type === "K") longTarget = text(bytes);
    else if (type === "x") {
      const pax = paxRecords(bytes);
      longPath = pax.get("path") ?? longPath;
      longTarget = pax.get("linkpath") ?? longTarget;
    } else if (type !== "g") {
      const prefix = text(header.subarray(345, 500));
      const name = text(header.subarray(0, 100));
      const isUstar = latin.decode(header.subarray(257, 262)) === "ustar" && header[262] === 0;
      yield {
        path: longPath ?? (isUstar && prefix !== "" ? `${prefix}/${name}` : name),
        kind: KIND[type] ?? "other",
        mode: numberAt(header, 100, 8, "mode") & 0o7777,
        target: longTarget ?? text(header.subarray(157, 257)),
        bytes,
      };
      longPath = undefined;
      longTarget = undefined;
    }
  }
}

function header(path: string, type: string, mode: number, size: number, target: string): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, "0")}\0`;
  block.write(path, 0, 100);
  block.write(octal(mode, 8) + octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(0, 12), 100, "latin1");
  block.write("        ", 148);
  block.write(type, 156);
  block.write(target, 157, 100);
  block.write("ustar  \0", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

const padding = (size: number): Uint8Array => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

function* longName(type: "L" | "K", value: string): Generator<Uint8Array> {
  if (Buffer.byteLength(value) <= 100) return;
  const bytes = Buffer.from(`${value}\0`);
  yield header("././@LongLink", type, 0, bytes.length, "");
  yield bytes;
  yield padding(bytes.length);
}

/** Writes a tree as GNU tar: root:root, time 0, byte order. */
export function* writeTar(tree: Tree): Generator<Uint8Array> {
  for (const path of sortedPaths(tree)) {
    const entry = tree.get(path)!;
    const name = entry.kind === "dir" ? `${path}/` : path;
    yield* longName("L", name);
    if (entry.kind === "link") {
      yield* longName("K", entry.target);
      yield header(name, "2", 0o777, 0, entry.target);
    } else if (entry.kind === "dir") {
      yield header(name, "5", entry.mode, 0, "");
    } else {
      yield header(name, "0", entry.mode, entry.bytes.length, "");
      yield entry.bytes;
      yield padding(entry.bytes.length);
    }
  }
  yield new Uint8Array(2 * BLOCK);
}
