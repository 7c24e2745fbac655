// The locked packages, in the cache: the committed lock, or a local one when the mirror has moved on. Called by build.ts.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../../server/contract/errors.ts";
import { downloadAll } from "./download.ts";
import { lockedFor } from "./kubernetes/packages.ts";
import { type Lock, type LockedPackage, readLock } from "./lock.ts";
import type { Arch, LockName, Variant } from "./packages.ts";
import type { Progress } from "./progress.ts";
import { updateLocks } from "./update-lock.ts";

type LockSet = Record<LockName, Lock>;
/** `relocked`: names of packages that are newer than the committed lock's. */
export type Locks = LockSet & { relocked: ReadonlySet<string> };
export type FetchOptions = {
  arches: readonly Arch[];
  variant: Variant;
  cacheDir: string;
  isLocked: boolean;
  progress: Progress;
};

/** Two shells are in the tools' lock for the allow-list's tests only. */
const SPECIMENS = ["dash", "busybox-static"];
export const isBuilt = ({ name }: { name: string }): boolean => !SPECIMENS.includes(name);

function readLocks(dir: string | undefined): LockSet {
  return { amd64: readLock("amd64", dir), arm64: readLock("arm64", dir), tools: readLock("tools", dir) };
}

/** Names of packages whose bytes are not the committed lock's. */
function namesChanged(committed: LockSet, local: LockSet): Set<string> {
  const pinned = new Set(Object.values(committed).flatMap((lock) => lock.packages.map(({ sha256 }) => sha256)));
  const rows = Object.values(local).flatMap((lock) => lock.packages);
  return new Set(rows.filter(({ sha256 }) => !pinned.has(sha256)).map(({ name }) => name));
}

/** The rows of a lock that a variant is made from: wanted packages in their order, metapackages' kernels, npm's. */
export function rowsFor(name: LockName, lock: Lock, variant: Variant): LockedPackage[] {
  const wanted = new Set(lockedFor(name, variant).map((row) => row.name));
  const others = new Set(lockedFor(name, "full").map((row) => row.name));
  return lock.packages.filter((row) => isBuilt(row) && (wanted.has(row.name) || !others.has(row.name)));
}

const rowsOf = ({ arches, variant }: FetchOptions, locks: LockSet): LockedPackage[] =>
  ([...arches, "tools"] as const).flatMap((name) => rowsFor(name, locks[name], variant));

const missingText = (rows: readonly LockedPackage[]) =>
  rows.map(({ name, version }) => `${name} ${version}`).join(", ");

/**
 * Fetches what the build needs. Packages go from the mirror when Debian has newer ones: then the newest are locked here,
 * for this host only, and it says so.
 *
 * @throws SlipwayError COMMAND_FAILED when `isLocked` forbids that, or the mirror is not whole.
 */
export async function fetchPackages(options: FetchOptions): Promise<Locks> {
  const { cacheDir, progress } = options;
  const committed = readLocks(undefined);
  const outcome = await downloadAll(rowsOf(options, committed), cacheDir, progress);
  if (outcome.kind === "complete") return { ...committed, relocked: new Set() };
  const missing = missingText(outcome.packages);
  if (options.isLocked) {
    throw new SlipwayError("COMMAND_FAILED", `the mirror no longer has ${missing}, and --locked forbids newer ones`, {
      remedy: "Run `npm run assets:update` and commit the new lock, or build without --locked.",
    });
  }
  progress.say(`\n*** The mirror no longer has ${missing}.
*** Slipway OS is built from the newest packages of Debian 13 instead: this image differs from the committed lock.
*** \`npm run assets:update\` writes them into the lock.\n`);
  // An earlier relock of the same committed lock still holds while the mirror has its packages.
  const dir = join(cacheDir, "local-lock", hashOf(committed));
  if (existsSync(dir) && (await downloadAll(rowsOf(options, readLocks(dir)), cacheDir, progress)).kind === "complete") {
    return { ...readLocks(dir), relocked: namesChanged(committed, readLocks(dir)) };
  }
  await updateLocks(cacheDir, dir);
  const local = readLocks(dir);
  const second = await downloadAll(rowsOf(options, local), cacheDir, progress);
  if (second.kind === "gone") {
    throw new SlipwayError("COMMAND_FAILED", `the mirror lists but does not have ${missingText(second.packages)}`, {
      remedy: "The mirror is being updated: try again in an hour.",
    });
  }
  return { ...local, relocked: namesChanged(committed, local) };
}

const hashOf = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
