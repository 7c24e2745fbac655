// Puts finished files in their place: first into the cache under the hash of their inputs, then, as copies, into the asset
// directory that an appliance reads: damage there must not reach the cache, which repairs it. Directories appear whole or
// not at all. Every file has one fixed time, so that a later write to it shows without hashing. Called by build.ts.
import {
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** The modification time of all that this file writes. */
const STAMP = new Date("2000-01-01T00:00:00Z");

/** Names that start with a dot are not read by the appliance (boot-assets/read-folder.ts). */
const draftOf = (dir: string, tag: string) => join(dirname(dir), `.${dir.split("/").at(-1)}.${process.pid}.${tag}`);

const filesBelow = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1));

const isUntouched = (file: string): boolean => statSync(file).mtimeMs === STAMP.getTime();

/** The directory of a finished build; undefined when there is none, or when someone wrote to it since. */
export function findBuilt(cacheDir: string, key: string): string | undefined {
  const dir = join(cacheDir, "built", key);
  if (!existsSync(dir)) return undefined;
  if (filesBelow(dir).every((file) => isUntouched(join(dir, file)))) return dir;
  rmSync(dir, { recursive: true });
  return undefined;
}

/** Keeps a build's files; returns their directory. A second build of the same inputs changes nothing. */
export function keepBuilt(cacheDir: string, key: string, files: ReadonlyMap<string, Uint8Array>): string {
  const dir = join(cacheDir, "built", key);
  const draft = draftOf(dir, "draft");
  rmSync(draft, { recursive: true, force: true });
  for (const [name, bytes] of files) {
    const file = join(draft, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes, { mode: 0o444 });
    utimesSync(file, STAMP, STAMP);
  }
  if (existsSync(dir)) rmSync(draft, { recursive: true });
  else renameSync(draft, dir);
  return dir;
}

/** Lets all builds of one kind (`prefix`: "amd64-base-") go but the one in use. */
export function forgetOldBuilds(cacheDir: string, prefix: string, inUse: string): void {
  const base = join(cacheDir, "built");
  for (const name of readdirSync(base)) {
    if (name.startsWith(prefix) && name !== inUse) rmSync(join(base, name), { recursive: true });
  }
}

/** Whether `target` has every file of `built`, untouched since it was put there; what it has more does not matter. */
function holds(target: string, built: string, mark: string): boolean {
  const isSame = (file: string) =>
    existsSync(join(target, file)) &&
    statSync(join(target, file)).size === statSync(join(built, file)).size &&
    isUntouched(join(target, file));
  return filesBelow(built).every(isSame) && readFileSync(join(target, mark)).equals(readFileSync(join(built, mark)));
}

/**
 * Makes `target` hold what `built` holds, in one rename.
 *
 * @param mark the small file that names the hashes of all others.
 * @returns false when there was nothing to do.
 */
export function publish(built: string, target: string, mark: string): boolean {
  if (holds(target, built, mark)) return false;
  const draft = draftOf(target, "draft");
  const old = draftOf(target, "old");
  rmSync(draft, { recursive: true, force: true });
  for (const file of filesBelow(built)) {
    mkdirSync(dirname(join(draft, file)), { recursive: true });
    copyFileSync(join(built, file), join(draft, file), constants.COPYFILE_FICLONE);
    utimesSync(join(draft, file), STAMP, STAMP);
  }
  if (existsSync(target)) renameSync(target, old);
  renameSync(draft, target);
  rmSync(old, { recursive: true, force: true });
  return true;
}
