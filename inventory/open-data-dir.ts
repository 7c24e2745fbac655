// The directory that holds all that the appliance knows. Called by store.ts before anything in it is opened.
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { SlipwayError } from "../server/contract/errors.ts";
import { storageFault } from "./storage-fault.ts";
import type { StoreLog } from "./store-log.ts";

const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, "0");

/** Makes the directory and those above it that are missing. Modes are set apart: a umask of 077 would turn them into 0700. */
function makeWay(dataDir: string): void {
  const first = mkdirSync(dataDir, { recursive: true });
  if (first === undefined) return;
  for (let dir = resolve(dataDir); dir.length >= first.length; dir = dirname(dir)) chmodSync(dir, 0o711);
}

/**
 * Makes `dataDir` (0711), or takes others' right to write from one that is there. The group of `adminGroup` must pass through
 * it to admin.sock, so it is not 0700; what is secret in it is 0600 by itself.
 * @throws NO_PERMISSION when it cannot be made, or when everybody may write into it: then it is no place for secrets,
 *   and it may be `/tmp`, whose mode is not ours to change.
 */
export function openDataDir(dataDir: string, log: StoreLog): void {
  try {
    makeWay(dataDir);
    const { mode } = statSync(dataDir);
    if ((mode & 0o002) !== 0) {
      throw new SlipwayError(
        "NO_PERMISSION",
        `dataDir ${dataDir} has mode ${octal(mode)}: everybody may replace files in it`,
        { remedy: "Give dataDir a directory of its own, or take the right away: `chmod o-w` on it." },
      );
    }
    if ((mode & 0o020) !== 0) {
      chmodSync(dataDir, mode & 0o7755);
      log.warn(`dataDir ${dataDir} was writable by its group (mode ${octal(mode)}); now it is not`, { dataDir });
    }
  } catch (cause) {
    throw storageFault(cause, dataDir);
  }
}
