// The OS image's root file system as a file of its own, for container nodes: the squashfs that the UKI's initramfs carries
// (boot-assets/image/pack.ts), taken out once per image and kept in the build's cache. Called by container.ts.
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDirOf } from "../../boot-assets/image/cache.ts";
import { parseManifest } from "../../boot-assets/manifest.ts";
import { SlipwayError } from "../../server/contract/errors.ts";

/** Where encodeCpio puts it; a record's head is 110 bytes of hex digits before its name. */
const NAME = Buffer.from("slipway/root.squashfs\0");
const HEAD_BYTES = 110;

export type ImageRoot = { file: string; variant: "base" | "full"; id: string };

/**
 * The content of one file in a cpio archive (newc) that holds it uncompressed.
 * @returns undefined when no record has that name.
 */
export function fileInCpio(archive: Buffer, name: Buffer): Buffer | undefined {
  for (let at = archive.indexOf(name); at >= 0; at = archive.indexOf(name, at + 1)) {
    const head = at - HEAD_BYTES;
    if (head < 0 || archive.toString("latin1", head, head + 6) !== "070701") continue;
    const bytes = Number.parseInt(archive.toString("latin1", head + 54, head + 62), 16);
    const start = head + Math.ceil((HEAD_BYTES + name.length) / 4) * 4;
    return archive.subarray(start, start + bytes);
  }
  return undefined;
}

/** The image that a node of this host's processor would boot: `full` when it is there, else `base`. */
function chooseImage(imagesDir: string): string {
  const found = ["amd64-full", "amd64-base"]
    .map((name) => join(imagesDir, name))
    .find((dir) => existsSync(join(dir, "manifest.json")));
  if (found !== undefined) return found;
  throw new SlipwayError("ASSET_MISSING", `${imagesDir} has no image for amd64: container nodes run its root`, {
    remedy: "Run `npm run assets -- --arch amd64`.",
  });
}

/**
 * The root's file in the cache; made when it is not there.
 * @param assetsDir the appliance's `<dataDir>/assets`.
 * @throws ASSET_MISSING without an image, ASSET_DAMAGED when the root is not what its manifest says.
 */
export function imageRoot(assetsDir: string): ImageRoot {
  const dir = chooseImage(join(assetsDir, "images"));
  const where = join(dir, "manifest.json");
  const text = readFileSync(where, "utf8");
  const { id, initrd, uki, variant } = parseManifest(text, where);
  const { sha256 } = (JSON.parse(text) as { root: { sha256: string } }).root;
  const cache = join(cacheDirOf(process.env), "lab-roots");
  const file = join(cache, `${sha256.slice(0, 32)}.squashfs`);
  if (!existsSync(file)) {
    mkdirSync(cache, { recursive: true });
    const root = fileInCpio(readRange(join(dir, uki.file), initrd), NAME);
    const found = root === undefined ? "none" : createHash("sha256").update(root).digest("hex");
    if (found !== sha256) {
      throw new SlipwayError(
        "ASSET_DAMAGED",
        `${uki.file}: its root file system has sha256 ${found}, ${where} says ${sha256}`,
      );
    }
    writeFileSync(`${file}.${process.pid}`, root!);
    renameSync(`${file}.${process.pid}`, file);
  }
  return { file, variant, id };
}

function readRange(file: string, { offset, bytes }: { offset: number; bytes: number }): Buffer {
  const fd = openSync(file, "r");
  try {
    const range = Buffer.alloc(bytes);
    let done = 0;
    while (done < bytes) {
      const count = readSync(fd, range, done, bytes - done, offset + done);
      if (count === 0) throw new SlipwayError("ASSET_DAMAGED", `${file} ends at byte ${offset + done}`);
      done += count;
    }
    return range;
  } finally {
    closeSync(fd);
  }
}
