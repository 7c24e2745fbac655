// Puts finished files in their place: first into the cache under the hash of their inputs, then, as hard links, into the
// asset directory that an appliance reads. Directories appear whole or not at all. Called by build.ts.
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Names that start with a dot are not read by the appliance (boot-assets/read-folder.ts). */
const draftOf = (dir: string, tag: string) => join(dirname(dir), `.${dir.split("/").at(-1)}.${process.pid}.${tag}`);

/** Files of a finished build, or undefined. */
export const findBuilt = (cacheDir: string, key: string): string | undefined => {
  const dir = join(cacheDir, "built", key);
  return existsSync(dir) ? dir : undefined;
};

/** Keeps a build's files; returns their directory. A second build of the same inputs changes nothing. */
export function keepBuilt(cacheDir: string, key: string, files: ReadonlyMap<string, Uint8Array>): string {
  const dir = join(cacheDir, "built", key);
  const draft = draftOf(dir, "draft");
  rmSync(draft, { recursive: true, force: true });
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(draft, name)), { recursive: true });
    writeFileSync(join(draft, name), bytes, { mode: 0o444 });
  }
  if (existsSync(dir)) rmSync(draft, { recursive: true });
  else renameSync(draft, dir);
  return dir;
}

/** Old builds are let go: the newest `keep` of one kind ("amd64-base-…") stay. `keys` are in use and always stay. */
export function forgetOldBuilds(cacheDir: string, prefix: string, inUse: string): void {
  const base = join(cacheDir, "built");
  for (const name of readdirSync(base)) {
    if (name.startsWith(prefix) && name !== inUse) rmSync(join(base, name), { recursive: true });
  }
}

const filesBelow = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1));

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    // Another file system, or one without hard links.
    copyFileSync(from, to);
  }
}

/**
 * Makes `target` hold what `built` holds, in one rename.
 *
 * @param mark a small file that tells whether it does already.
 * @returns false when there was nothing to do.
 */
export function publish(built: string, target: string, mark: string): boolean {
  const markOf = (dir: string) => (existsSync(join(dir, mark)) ? readFileSync(join(dir, mark), "utf8") : undefined);
  if (markOf(target) === markOf(built)) return false;
  const draft = draftOf(target, "draft");
  const old = draftOf(target, "old");
  rmSync(draft, { recursive: true, force: true });
  for (const file of filesBelow(built)) {
    mkdirSync(dirname(join(draft, file)), { recursive: true });
    linkOrCopy(join(built, file), join(draft, file));
  }
  if (existsSync(target)) renameSync(target, old);
  renameSync(draft, target);
  rmSync(old, { recursive: true, force: true });
  return true;
}
