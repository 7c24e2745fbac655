// Folders for what a lab or a test writes: gone when they are closed, when the process ends, and, after a process that was
// killed hard, when the next one opens its own.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MARK = "slipway-lab-";

/** A process that has ended may stay listed (state Z) until its parent, perhaps an idle init, takes note. */
function isAlive(pid: string): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Removes the folders of processes that are no more. A reused pid keeps a folder a little longer, and does no harm. */
function removeStale(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${MARK}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !isAlive(pid)) removeFolder(join(tmpdir(), name));
  }
}

/** What is mounted in it (small-disk.ts) would keep it, and its test's other ends from being made. */
function removeFolder(path: string): void {
  for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const [, at = ""] = line.split(" ");
    if (at.startsWith(`${path}/`)) execFileSync("umount", ["--lazy", at], { stdio: "pipe" });
  }
  rmSync(path, { recursive: true, force: true });
}

/** Makes a folder; `remove` may be called twice. */
export function openScratchFolder(): { path: string; remove(): void } {
  removeStale();
  const path = mkdtempSync(join(tmpdir(), `${MARK}${process.pid}-`));
  const remove = () => {
    removeFolder(path);
    process.removeListener("exit", remove);
  };
  process.on("exit", remove);
  return { path, remove };
}
