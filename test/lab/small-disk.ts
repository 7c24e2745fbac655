// A small file system of its own on a directory, which a test fills to the last byte and frees again: how an appliance or a
// node meets a full disk. A loop device with ext4. Called by end-to-end tests. Needs root.
import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

export type SmallDisk = {
  /** Takes all the room that is left. @returns bytes taken. */
  fill(): number;
  /** Gives it back. */
  free(): void;
  unmount(): void;
};

const FILLER = ".filler";

/** Mounts `bytes` of room on the directory. @param image where the file system lies; it is made. */
export function mountSmallDisk(dir: string, image: string, bytes: number): SmallDisk {
  writeFileSync(image, "", { mode: 0o600 });
  truncateSync(image, bytes);
  // Nothing is kept back for root, as which tests run.
  execFileSync("mkfs.ext4", ["-q", "-F", "-m", "0", image], { stdio: "pipe" });
  execFileSync("mount", ["-o", "loop", image, dir], { stdio: "pipe" });
  const filler = join(dir, FILLER);
  return {
    fill: () => fill(filler),
    free: () => rmSync(filler, { force: true }),
    unmount: () => void execFileSync("umount", ["--lazy", dir], { stdio: "pipe" }),
  };
}

/** In pieces that get smaller, so that not even one block is left. */
function fill(file: string): number {
  const fd = openSync(file, "a", 0o600);
  let taken = 0;
  try {
    for (const piece of [1 << 20, 1 << 12, 1 << 9]) {
      const bytes = Buffer.alloc(piece, 1);
      for (;;) {
        try {
          taken += writeSync(fd, bytes);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
          break;
        }
      }
    }
  } finally {
    closeSync(fd);
  }
  return taken;
}
