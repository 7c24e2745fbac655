// Container images on the appliance's disk: blobs by their digest, and one index of names. Imports are whole or not at all; a
// blob that two images share is kept once and goes with the last. The registry routes read, the admin API writes. Edge.
import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  copyFileSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { SlipwayError } from "../contract/errors.ts";
import { formatReference, parseReference } from "./image-reference.ts";
import { type ImportPlan, type PlannedImage, planImport } from "./plan-import.ts";
import { readArchive, type StagedFile } from "./read-archive.ts";
import { INDEX_SCHEMA, readIndex } from "./read-index.ts";

export type StoredImage = PlannedImage & { /** ISO-8601 UTC. */ importedAt: string };
export type Blob = { digest: string; bytes: number; modifiedMs: number; read(start: number, end: number): Readable };

export type ImageStore = {
  list(): readonly StoredImage[];
  /** @throws BAD_IMPORT, DISK_FULL; then nothing of the archive is kept. @returns what it held. */
  import(source: Readable, name: string | undefined): Promise<StoredImage[]>;
  /** @throws NOT_FOUND. */
  remove(name: string): Promise<StoredImage>;
  /** A blob of an image that is in the index; undefined for all others. */
  findBlob(digest: string): Blob | undefined;
  /** What was wrong with the index when the store was opened; undefined: nothing. */
  damage: IndexDamage | undefined;
  /** Paths of damaged indexes that lie there, of earlier starts too. Until they are gone no blob is swept. */
  setAside(): string[];
};
/** `kept` images are served all the same; the damaged file is `aside` now. */
export type IndexDamage = { path: string; reason: string; aside: string; kept: number };

const INDEX = "index.json";
const ASIDE = `${INDEX}.damaged-`;

/** @param dir made when the first image comes. @param now milliseconds since 1970. */
export function openImageStore(dir: string, now: () => number): ImageStore {
  const blobDir = join(dir, "blobs", "sha256");
  const found = readIndex(join(dir, INDEX));
  let images = found.images;
  let served = digestsOf(images);
  let last: Promise<unknown> = Promise.resolve();
  forgetStaging(dir);
  const setAside = () =>
    listOf(dir)
      .filter((name) => name.startsWith(ASIDE))
      .map((name) => join(dir, name));
  const damage = found.damage === undefined ? undefined : putAside(dir, found.damage, images, now());

  const keep = (next: StoredImage[]) => {
    writeWhole(dir, INDEX, indexText(next));
    images = next;
    served = digestsOf(next);
    // Blobs that only a damaged index names may be all that is left of an image.
    if (setAside().length > 0) return;
    for (const hex of listOf(blobDir)) if (!served.has(`sha256:${hex}`)) rmSync(join(blobDir, hex), { force: true });
  };
  /** One writer at a time: the sweep of one must not take the blobs of the next. */
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const turn = last.then(task);
    last = turn.catch(() => {});
    return turn;
  };
  const take = (
    plan: Extract<ImportPlan, { kind: "images" }>,
    files: ReadonlyMap<string, StagedFile>,
  ): StoredImage[] => {
    mkdirSync(blobDir, { recursive: true, mode: 0o700 });
    const wanted = new Set(plan.images.flatMap((image) => image.digests));
    for (const { digest, text } of plan.made) if (wanted.has(digest)) writeWhole(blobDir, hexOf(digest), text);
    for (const { digest, path } of files.values()) {
      const target = join(blobDir, hexOf(digest));
      if (wanted.has(digest) && existsSync(path) && !existsSync(target)) renameSync(path, target);
    }
    syncDirectory(blobDir);
    const importedAt = new Date(now()).toISOString();
    const added = plan.images.map((image) => ({ ...image, importedAt }));
    const names = new Set(added.map((image) => image.name));
    keep([...images.filter((image) => !names.has(image.name)), ...added].sort((a, b) => (a.name < b.name ? -1 : 1)));
    return added;
  };
  return {
    damage,
    setAside,
    list: () => images,
    import: async (source, name) => {
      const staging = join(dir, `.staging-${randomUUID()}`);
      try {
        mkdirSync(staging, { recursive: true, mode: 0o700 });
        const files = await readArchive(source, staging, () => assertRoom(dir));
        const plan = planImport(files, name, (text) => `sha256:${createHash("sha256").update(text).digest("hex")}`);
        if (plan.kind === "fault")
          throw new SlipwayError(
            "BAD_IMPORT",
            `the archive ${plan.reason}`,
            plan.remedy ? { remedy: plan.remedy } : {},
          );
        return await inTurn(async () => take(plan, files));
      } catch (cause) {
        throw asFault(cause, dir);
      } finally {
        // A file that was being opened when the archive ended may come a moment later.
        await rm(staging, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      }
    },
    remove: (text) =>
      inTurn(async () => {
        const reference = parseReference(text);
        const name = reference === undefined ? text : formatReference(reference);
        const found = images.find((image) => image.name === name);
        if (found === undefined)
          throw new SlipwayError("NOT_FOUND", `there is no image ${name} here`, {
            remedy: "`slipway images list` shows those that are.",
          });
        keep(images.filter((image) => image !== found));
        return found;
      }),
    findBlob(digest) {
      if (!served.has(digest)) return undefined;
      const path = join(blobDir, hexOf(digest));
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined) return undefined;
      const read = (start: number, end: number) => createReadStream(path, { start, end: Math.max(start, end - 1) });
      return { digest, bytes: stat.size, modifiedMs: stat.mtimeMs, read };
    },
  };
}

const hexOf = (digest: string): string => digest.slice("sha256:".length);
const digestsOf = (images: readonly StoredImage[]): Set<string> => new Set(images.flatMap((image) => image.digests));

const indexText = (images: readonly StoredImage[]): string => JSON.stringify({ schema: INDEX_SCHEMA, images }, null, 2);

/** Under another name, with what is whole in its place: a copy first, so that a cut between the two loses neither. */
function putAside(dir: string, reason: string, whole: readonly StoredImage[], nowMs: number): IndexDamage {
  const path = join(dir, INDEX);
  const aside = join(dir, `${ASIDE}${nowMs}`);
  if (whole.length === 0) renameSync(path, aside);
  else {
    copyFileSync(path, aside);
    writeWhole(dir, INDEX, indexText(whole));
  }
  syncDirectory(dir);
  return { path, reason, aside, kept: whole.length };
}

const listOf = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir) : []);

/** What a power cut left of an import. */
function forgetStaging(dir: string): void {
  for (const name of listOf(dir))
    if (name.startsWith(".staging-")) rmSync(join(dir, name), { recursive: true, force: true });
}

function syncDirectory(dir: string): void {
  const fd = openSync(dir, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeWhole(dir: string, name: string, text: string): void {
  const partial = join(dir, `.${name}.new`);
  rmSync(partial, { force: true });
  const fd = openSync(partial, "wx", 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(partial, join(dir, name));
  syncDirectory(dir);
}

/** The inventory lies on the same disk, as a rule: leases must be written while an archive comes. */
const SPARE_BYTES = 512 * 2 ** 20;

function assertRoom(dir: string): void {
  const { bavail, blocks, bsize } = statfsSync(dir);
  const spare = Math.min(SPARE_BYTES, (blocks * bsize) / 20);
  if (bavail * bsize > spare) return;
  const left = `${Math.round(spare / 2 ** 20)} MiB`;
  throw new SlipwayError(
    "DISK_FULL",
    `${dir}: the archive does not fit, ${left} must stay free; nothing of it was kept`,
  );
}

function asFault(cause: unknown, dir: string): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new SlipwayError("DISK_FULL", `${dir}: the file system is full; nothing of the archive was kept`, { cause });
  return cause;
}
