// `npm run assets:update`: writes boot-assets/image/lock/*.json and allow-list.json anew, for a person to read as a diff and
// commit. With --allow-list the locks stay as they are (after a change of packages.ts that needs no new package).
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundleAgentFile } from "../../node-agent/run-bundle.ts";
import { type AllowedProgram, listPrograms, writeAllowList } from "./allow-list.ts";
import { cacheDirOf, lockCache } from "./cache.ts";
import { downloadAll } from "./download.ts";
import { composeImage } from "./image.ts";
import { readLock } from "./lock.ts";
import type { Arch } from "./packages.ts";
import { openProgress, type Progress } from "./progress.ts";
import { openBuildTools } from "./tools.ts";
import { updateLocks } from "./update-lock.ts";

/** The programs of both trees; a program that is in both is one row. */
async function programsOf(
  arch: Arch,
  agent: Uint8Array,
  cacheDir: string,
  progress: Progress,
): Promise<AllowedProgram[]> {
  const [lock, toolsLock] = [readLock(arch), readLock("tools")];
  const outcome = await downloadAll([...lock.packages, ...toolsLock.packages], cacheDir, progress);
  if (outcome.kind === "gone")
    throw new Error(`the mirror no longer has ${outcome.packages.map(({ file }) => file).join(", ")}`);
  const workDir = join(cacheDir, "work", `update-${arch}-${process.pid}`);
  const tools = await openBuildTools(cacheDir, toolsLock);
  try {
    const { root, initrd } = await composeImage({
      arch,
      version: "0",
      lock,
      agent,
      cacheDir,
      workDir,
      tools,
      progress,
    });
    const rows = new Map([root, initrd].flatMap(listPrograms).map((row) => [row.path, row]));
    return [...rows.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
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
  const agent = await bundleAgentFile();
  writeAllowList({
    amd64: await programsOf("amd64", agent, cacheDir, progress),
    arm64: await programsOf("arm64", agent, cacheDir, progress),
  });
  progress.say("boot-assets/image/lock/*.json and allow-list.json are written: read the diff before you commit it");
} finally {
  unlock();
}
