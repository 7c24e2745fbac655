// `npm run assets:update`: writes boot-assets/image/lock/*.json and allow-list.json anew, for a person to read as a diff and
// commit. With --allow-list the locks stay as they are (after a change of packages.ts that needs no new package).
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type AllowedProgram, COMPILED, listPrograms, writeAllowList } from "./allow-list.ts";
import { cacheDirOf, lockCache } from "./cache.ts";
import { downloadAll } from "./download.ts";
import { composeImage } from "./image.ts";
import { PROGRAMS } from "./kubernetes/programs.ts";
import { readLock } from "./lock.ts";
import type { Arch, Variant } from "./packages.ts";
import { openProgress, type Progress } from "./progress.ts";
import { openBuildTools } from "./tools.ts";
import { updateLocks } from "./update-lock.ts";

/** The programs of a variant's trees; a program that is in both is one row. */
async function programsOf(
  arch: Arch,
  variant: Variant,
  cacheDir: string,
  progress: Progress,
): Promise<Map<string, AllowedProgram>> {
  const [lock, toolsLock] = [readLock(arch), readLock("tools")];
  const outcome = await downloadAll([...lock.packages, ...toolsLock.packages], cacheDir, progress);
  if (outcome.kind === "gone")
    throw new Error(`the mirror no longer has ${outcome.packages.map(({ file }) => file).join(", ")}`);
  const workDir = join(cacheDir, "work", `update-${arch}-${process.pid}`);
  const tools = await openBuildTools(cacheDir, toolsLock, "base");
  try {
    const { root, initrd } = await composeImage({
      arch,
      variant,
      version: "0",
      lock,
      cacheDir,
      workDir,
      tools,
      progress,
    });
    return new Map([root, initrd].flatMap(listPrograms).map((row) => [row.path, row]));
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
}

/** Those that are compiled: by the table, not by a build. */
const compiledRows = (): AllowedProgram[] =>
  PROGRAMS.map(({ path }) => ({ path, package: COMPILED, sha256: "compiled", variant: "full" }));

/** Rows of both variants; what only one has says so. */
async function rowsOf(arch: Arch, cacheDir: string, progress: Progress): Promise<AllowedProgram[]> {
  const base = await programsOf(arch, "base", cacheDir, progress);
  const full = await programsOf(arch, "full", cacheDir, progress);
  const more = [...full.values()]
    .filter(({ path }) => !base.has(path))
    .map((row): AllowedProgram => ({ ...row, variant: "full" }));
  return [...base.values(), ...more, ...compiledRows()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

const { values } = parseArgs({ options: { "allow-list": { type: "boolean", default: false } } });
const cacheDir = cacheDirOf(process.env);
const progress = openProgress(process.stderr);
const unlock = await lockCache(cacheDir, progress);
try {
  if (!values["allow-list"]) {
    progress.say("Asking the mirror for the newest packages of Debian 13");
    await updateLocks(cacheDir);
  }
  writeAllowList({
    amd64: await rowsOf("amd64", cacheDir, progress),
    arm64: await rowsOf("arm64", cacheDir, progress),
  });
  progress.say("boot-assets/image/lock/*.json and allow-list.json are written: read the diff before you commit it");
} finally {
  unlock();
}
