// Where the kubectl lies that was built for this machine's own architecture: one of the names of the multi-call program in the
// build's cache. `slipway kubectl` runs it. It builds nothing and changes nothing.
import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { cacheDirOf } from "../cache.ts";

const ARCH: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Path of the newest one that may be run; undefined when none is built, or the cache is another user's. */
export function findKubectl(env: NodeJS.ProcessEnv): string | undefined {
  const base = join(cacheDirOf(env), "built");
  const prefix = `kubernetes-${ARCH[arch()] ?? arch()}-`;
  return entriesOf(base)
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(base, name, "kubernetes"))
    .filter(mayRun)
    .sort((a, b) => statSync(b).ctimeMs - statSync(a).ctimeMs)[0];
}

function entriesOf(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // Nothing was built yet, or by another user.
  }
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
