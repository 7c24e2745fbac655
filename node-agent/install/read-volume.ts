// Files of a mounted volume, read past the page cache: what the disk really holds, not what the kernel remembers of a write.
// Edge. read-install-facts.ts, run-ops.ts and run-slot-check.ts call it. A plain read-back misses a flipped byte.
import { createHash } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Sized } from "./install-step.ts";
import { type DiskCalls, FADV_DONTNEED } from "./open-disk-calls.ts";

const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Length and SHA-256 of a file as it is on the disk. It must have been synced: pages that are not written yet stay.
 * @param onRead is told of each piece, and awaited: whoever wants to be slow waits there.
 */
export async function digestFile(
  path: string,
  calls: DiskCalls,
  onRead: (bytes: number) => void | Promise<void> = () => {},
): Promise<Sized> {
  const handle = await open(path, "r");
  try {
    // Length 0: to the file's end.
    calls.fadvise(handle.fd, 0, 0, FADV_DONTNEED);
    const hash = createHash("sha256");
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, PIECE_BYTES, bytes);
      if (bytesRead === 0) return { bytes, sha256: hash.digest("hex") };
      hash.update(piece.subarray(0, bytesRead));
      // A machine of 1 GiB must not fill its memory with 200 MB that are read once.
      calls.fadvise(handle.fd, bytes, bytesRead, FADV_DONTNEED);
      bytes += bytesRead;
      await onRead(bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** Every file below a directory, by its path from there, which starts with a slash. */
export async function digestFiles(dir: string, calls: DiskCalls): Promise<Map<string, Sized>> {
  const files = new Map<string, Sized>();
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(dir.length), await digestFile(path, calls));
  }
  return files;
}
