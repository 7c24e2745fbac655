// Unpacks a .deb or an npm .tgz from the download cache into trees; maintainer scripts never run. dpkg-deb of the host
// only decompresses: what it prints is the tar inside, the same on every release.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { SlipwayError } from "../../server/contract/errors.ts";
import { downloadPath } from "./download.ts";
import type { LockedPackage } from "./lock.ts";
import { readTar } from "./tar.ts";
import { globToRegExp, normalizePath, type Tree } from "./tree.ts";

const run = promisify(execFile);
const MAX_BUFFER = 1024 * 1024 * 1024;

/** Copied, not shared: a kept file of 1 kB must not hold a tar of 100 MB in memory. */
function toTree(archive: Uint8Array, keep: (path: string) => boolean, from: string): Tree {
  const tree: Tree = new Map();
  const links: [string, string, number][] = [];
  for (const entry of readTar(archive)) {
    const path = normalizePath(entry.path);
    if (!keep(path)) continue;
    // setuid and setgid bits are dropped: root alone runs programs here.
    const mode = entry.mode & 0o755;
    if (entry.kind === "file") tree.set(path, { kind: "file", mode, bytes: Buffer.from(entry.bytes), from });
    else if (entry.kind === "symlink") tree.set(path, { kind: "link", target: entry.target, from });
    else if (entry.kind === "hardlink") links.push([path, normalizePath(entry.target), mode]);
  }
  for (const [path, target, mode] of links) {
    const original = tree.get(target);
    if (original?.kind !== "file") {
      throw new SlipwayError("INTERNAL", `/${path} of ${from} is a hard link to /${target}, which is not kept`);
    }
    tree.set(path, { ...original, mode });
  }
  return tree;
}

/** Files and links of a package whose path a glob names. */
export async function unpack(cacheDir: string, row: LockedPackage, keep: readonly string[]): Promise<Tree> {
  const patterns = keep.map(globToRegExp);
  return unpackIf(cacheDir, row, (path) => patterns.some((pattern) => pattern.test(path)));
}

/** Files and links of a package that `keep` says yes to. npm packages lie below "package/". */
export async function unpackIf(cacheDir: string, row: LockedPackage, keep: (path: string) => boolean): Promise<Tree> {
  const file = downloadPath(cacheDir, row);
  if (row.archive === "npm") return toTree(gunzipSync(readFileSync(file)), keep, `npm:${row.name}`);
  const { stdout } = await run("dpkg-deb", ["--fsys-tarfile", file], { encoding: "buffer", maxBuffer: MAX_BUFFER });
  return toTree(stdout, keep, row.name);
}
