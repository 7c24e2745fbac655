// The initramfs format: cpio "newc" (Linux Documentation/driver-api/early-userspace/buffer-format.rst). Pure.
// The kernel unpacks several archives one after the other, each on a 4-byte boundary, compressed or not: the small user
// space is compressed, the root file system (compressed already) is not, and iPXE appends the ticket as a third.
import { sortedPaths, type Tree } from "./tree.ts";

const FILE_TYPE = { file: 0o100000, dir: 0o040000, link: 0o120000 } as const;

const pad4 = (length: number): Uint8Array => new Uint8Array((4 - (length % 4)) % 4);

function record(inode: number, mode: number, links: number, name: string, content: Uint8Array): Uint8Array[] {
  const nameBytes = Buffer.from(`${name}\0`);
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, nameBytes.length, 0];
  const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`, "latin1");
  return [head, nameBytes, pad4(head.length + nameBytes.length), content, pad4(content.length)];
}

/** One archive with its trailer; its length is a multiple of 4. Root owns all, times are 0. */
export function encodeCpio(tree: Tree): Uint8Array {
  const parts: Uint8Array[] = [];
  let inode = 1;
  for (const path of sortedPaths(tree)) {
    const entry = tree.get(path)!;
    const content =
      entry.kind === "file" ? entry.bytes : entry.kind === "link" ? Buffer.from(entry.target) : new Uint8Array();
    const mode = FILE_TYPE[entry.kind] | (entry.kind === "link" ? 0o777 : entry.mode);
    parts.push(...record(inode++, mode, entry.kind === "dir" ? 2 : 1, path, content));
  }
  parts.push(...record(0, 0, 1, "TRAILER!!!", new Uint8Array()));
  return Buffer.concat(parts);
}

/** Archives one after the other, each starting on a 4-byte boundary. */
export const joinInitrds = (parts: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat(parts.flatMap((part) => [part, pad4(part.length)]));
