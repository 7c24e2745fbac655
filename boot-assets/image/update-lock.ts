// Writes locks anew from what Debian 13 offers now: the committed ones (update.ts), or local ones in the cache when the
// mirror no longer has a pinned package (build.ts).
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fetchIndexes, readHostMirrors, readOffers } from "./apt.ts";
import { newLock, writeLock } from "./lock.ts";
import { LOCKS, type LockName } from "./packages.ts";

/** Resolves every lock and writes it to `dir` (default: the committed ones). */
export async function updateLocks(cacheDir: string, dir?: string): Promise<void> {
  if (dir !== undefined) mkdirSync(dir, { recursive: true });
  const indexes = await fetchIndexes(join(cacheDir, "apt"), await readHostMirrors());
  for (const name of Object.keys(LOCKS) as LockName[]) {
    writeLock(name, newLock(name, await readOffers(indexes, LOCKS[name].arch)), dir);
  }
}
