// Where downloads, tools and finished images are kept between builds, outside the work tree; one build at a time uses it.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Progress } from "./progress.ts";

/** $SLIPWAY_CACHE, else $XDG_CACHE_HOME/slipway, else ~/.cache/slipway. */
export const cacheDirOf = (env: NodeJS.ProcessEnv): string =>
  env.SLIPWAY_CACHE ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "slipway");

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Process id of the build that holds the cache; undefined when the lock was taken. A dead holder's lock is taken over. */
function tryLock(file: string): number | undefined {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return undefined;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
  }
  const holder = Number(readFileSync(file, "utf8"));
  if (isAlive(holder)) return holder;
  rmSync(file);
  return tryLock(file);
}

/** Waits until no other build uses the cache; says so once. @returns what lets it go. */
export async function lockCache(cacheDir: string, progress: Progress): Promise<() => void> {
  mkdirSync(cacheDir, { recursive: true });
  const file = join(cacheDir, "build.pid");
  let told = false;
  for (let holder = tryLock(file); holder !== undefined; holder = tryLock(file)) {
    if (!told) progress.say(`Waiting for the asset build of process ${holder}`);
    told = true;
    await sleep(500);
  }
  return () => rmSync(file);
}
