// One OS image that is open: its descriptor, whether it was verified, and its copy in RAM. store.ts holds one of these per
// image. The descriptor pins the bytes: while a new build replaces the files, machines that boot the old one get all of it.
import { type FileHandle, open } from "node:fs/promises";
import { relative } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { SlipwayError } from "../server/contract/errors.ts";
import type { ByteBudgetCache } from "./cache.ts";
import type { FoundImage } from "./read-folder.ts";
import { fillFrom, findDamage, identityOf, streamBuffer, streamFile } from "./read-image.ts";
import { SmallFiles } from "./read-small-files.ts";
import type { AssetState, AssetsOptions, ImagePart, OpenPart } from "./store.ts";

/** A first request waits this long for the RAM copy, then streams from disk: firmware gives up after 5 s (pxe.md 2.8). */
const WAIT_FOR_RAM_MS = 250;

/** An image in RAM; `isWhole` once its last byte is in. */
export type RamCopy = { buffer: Buffer; isWhole: boolean };
export type ImageCache = ByteBudgetCache<RamCopy>;

export class OpenImage {
  readonly found: FoundImage;
  readonly small: SmallFiles;
  state: AssetState = "unverified";
  reason: string | undefined;
  readonly #handle: FileHandle;
  readonly #options: AssetsOptions;
  readonly #cache: ImageCache;
  readonly #key: string;
  /** The time of change (ctime), which nobody can set back as they can mtime. Another one only means: hash it again. */
  #changedNs: bigint;
  /** Single flight: all who need the verdict, or the copy, wait for the same reading. */
  #checking: Promise<void> | undefined;
  #loading: Promise<void> | undefined;
  #users = 0;
  #isClosing = false;

  private constructor(
    found: FoundImage,
    small: SmallFiles,
    handle: FileHandle,
    changedNs: bigint,
    options: AssetsOptions,
    cache: ImageCache,
  ) {
    this.found = found;
    this.small = small;
    this.#handle = handle;
    this.#options = options;
    this.#cache = cache;
    this.#key = `${found.manifestSha256} ${found.identity}`;
    this.#changedNs = changedNs;
  }

  /** Opens the file and recalls whether these very bytes were verified before. */
  static async open(found: FoundImage, options: AssetsOptions, cache: ImageCache): Promise<OpenImage> {
    const handle = await open(found.path);
    const { ctimeNs } = await handle.stat({ bigint: true });
    const small = await SmallFiles.read(found);
    for (const { file, error } of small.faults) {
      options.record({ kind: "asset-damaged", detail: { file, reason: error.message } });
      options.log.error(`${error.message}. It is not served. Run \`npm run assets\`.`);
    }
    const image = new OpenImage(found, small, handle, ctimeNs, options, cache);
    const mark = await options.marks.read(image.#markName).catch(() => undefined);
    if (mark === image.#markValue && (await image.#hasItsIdentity())) image.state = "verified";
    return image;
  }

  /** Hashes the file unless it is known to be whole. @throws ASSET_DAMAGED, also on every later call. */
  async assertWhole(): Promise<void> {
    const stats = await this.#handle.stat({ bigint: true });
    if (identityOf(stats) !== this.found.identity) this.#condemn("it was changed in place after it was opened");
    else if (stats.ctimeNs !== this.#changedNs && this.state === "verified") this.state = "unverified";
    this.#changedNs = stats.ctimeNs;
    if (this.state === "unverified") {
      this.#checking ??= this.#check().finally(() => {
        this.#checking = undefined;
      });
      await this.#checking;
    }
    if (this.state === "damaged") {
      throw new SlipwayError("ASSET_DAMAGED", `${this.found.path} is not what its manifest says: ${this.reason}`);
    }
  }

  /** A verified part, from RAM when the image fits there. @throws ASSET_DAMAGED */
  async openPart(part: ImagePart): Promise<OpenPart> {
    this.#use();
    try {
      await this.assertWhole();
      this.#loading ??= this.#load().finally(() => {
        this.#loading = undefined;
      });
      await Promise.race([this.#loading, wait(WAIT_FOR_RAM_MS, undefined, { ref: false })]);
    } finally {
      this.#release();
    }
    const { manifest, modifiedMs } = this.found;
    const range = part === "uki" ? { offset: 0, ...manifest.uki } : manifest[part];
    const read = (start: number, end: number) => this.#read(range.offset + start, range.offset + end);
    return { bytes: range.bytes, sha256: range.sha256, modifiedMs, read };
  }

  /** Closes the descriptor as soon as nobody reads from it. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#cache.drop(this.#key);
    await Promise.allSettled([this.#checking, this.#loading]);
    if (this.#users === 0) await this.#handle.close();
  }

  /** What a verification is noted as. */
  get #markValue(): string {
    return `${this.#key} ${this.#changedNs}`;
  }

  get #markName(): string {
    return `asset:${relative(this.#options.dir, this.found.path)}`;
  }

  async #hasItsIdentity(): Promise<boolean> {
    return identityOf(await this.#handle.stat({ bigint: true })) === this.found.identity;
  }

  async #check(): Promise<void> {
    const { path, manifest } = this.found;
    const startedAt = performance.now();
    const damage = await findDamage(this.#handle, manifest);
    if (damage !== undefined) return this.#condemn(damage);
    if (!(await this.#hasItsIdentity())) return this.#condemn("it changed while it was being hashed");
    this.state = "verified";
    this.#options.log.info(`${path} is whole.`, {
      bytes: manifest.uki.bytes,
      ms: Math.round(performance.now() - startedAt),
    });
    await this.#options.marks.write(this.#markName, this.#markValue).catch((cause) => {
      this.#options.log.warn(`${path} was verified, but that could not be noted; the next start hashes it again.`, {
        cause,
      });
    });
  }

  #condemn(reason: string): void {
    if (this.state === "damaged") return;
    this.state = "damaged";
    this.reason = reason;
    this.#cache.drop(this.#key);
    this.#options.record({ kind: "asset-damaged", detail: { file: this.found.path, reason } });
    this.#options.log.error(
      `${this.found.path} is not what its manifest says: ${reason}. It is not served. Run \`npm run assets\`.`,
    );
  }

  /** Brings the image into RAM when it fits under the budget; otherwise it stays on disk, which is no fault. */
  async #load(): Promise<void> {
    const { bytes } = this.found.manifest.uki;
    if (this.#cache.find(this.#key) !== undefined || !this.#cache.makeRoom(bytes)) return;
    const copy: RamCopy = { buffer: Buffer.allocUnsafeSlow(bytes), isWhole: false };
    this.#cache.add(this.#key, copy, bytes);
    const unpin = this.#cache.pin(this.#key);
    try {
      await fillFrom(this.#handle, copy.buffer, this.found.path);
      copy.isWhole = await this.#hasItsIdentity();
    } catch (cause) {
      this.#options.log.warn(`${this.found.path} could not be read into RAM; it is streamed from disk.`, { cause });
    } finally {
      unpin();
      if (!copy.isWhole) this.#cache.drop(this.#key);
    }
  }

  #read(start: number, end: number): Readable {
    this.#use();
    const copy = this.#cache.find(this.#key);
    if (copy?.isWhole !== true) return streamFile(this.#handle, this.found.path, start, end, () => this.#release());
    const unpin = this.#cache.pin(this.#key);
    return streamBuffer(copy.buffer, start, end, () => {
      unpin();
      this.#release();
    });
  }

  #use(): void {
    this.#users++;
  }

  #release(): void {
    this.#users--;
    if (this.#isClosing && this.#users === 0) void this.#handle.close();
  }
}
