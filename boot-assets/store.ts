// The only reader of the asset directory while the appliance runs: which images and loaders there are, whether they are
// what their manifests say, and their bytes. Called by server/main.ts (open), server/http and, for loaders, server/tftp.
// No byte of a file leaves before the file was hashed: a mark of an earlier hashing with the same size, times and inode
// makes the start warm-fast; else it is hashed in the background, and in any case before its first byte.

import { join } from "node:path";
import type { Readable } from "node:stream";
import { ByteBudgetCache } from "./cache.ts";
import { type ImageWish, pickImage } from "./catalog.ts";
import type { Manifest } from "./manifest.ts";
import { type ImageCache, OpenImage } from "./open-image.ts";
import {
  asFault,
  type Fault,
  type Findings,
  type FoundImage,
  type FoundLoader,
  loaderPrint,
  readImages,
  readLoaders,
  type SignatureCheck,
} from "./read-folder.ts";

import { isSmallFile } from "./read-small-files.ts";

/** Structural copies of server/boot's Log and RecordEvent: this room is a leaf. */
export type StoreLog = Record<"info" | "warn" | "error", (text: string, fields?: Record<string, unknown>) => void>;
export type RecordDamage = (event: { kind: "asset-damaged"; detail: { file: string; reason: string } }) => void;

/** Durable notes of what was verified: the inventory's readMark and writeMark. */
export type Marks = {
  read(name: string): Promise<string | undefined>;
  write(name: string, value: string): Promise<void>;
};

export type AssetsOptions = {
  /** `<assetsDir>`; see manifest.ts for what lies in it. */
  dir: string;
  /** Bytes of RAM for whole images; larger images are streamed from disk. */
  cacheBytes: number;
  log: StoreLog;
  record: RecordDamage;
  marks: Marks;
  isSigned?: SignatureCheck;
  /** How often the directory is looked at; 0 means never. */
  rescanMs?: number;
};

export type ImagePart = "kernel" | "initrd" | "uki";
/** What lies beside an image and is asked for under its id. */
export type SmallFile = "manifest.json" | "manifest.sig" | "loader" | "grub-core" | "grub-boot";

/** A verified part, ready to be sent. `sha256` is of the part's own bytes: the strong ETag. */
export type OpenPart = {
  bytes: number;
  sha256: string;
  modifiedMs: number;
  /** Streams bytes `start` to `end` (exclusive) of the part. */
  read(start: number, end: number): Readable;
};

export type Loader = Pick<FoundLoader, "path" | "version" | "sha256" | "bytes" | "contents" | "modifiedMs">;
export type AssetState = "verified" | "unverified" | "damaged";
export type AssetStatus = {
  images: {
    id: string;
    version: string;
    variant: string;
    arch: string;
    bytes: number;
    state: AssetState;
    reason?: string;
  }[];
  loaders: { path: string; version: string; bytes: number }[];
  faults: { file: string; reason: string; remedy: string }[];
  cache: { usedBytes: number; budgetBytes: number };
};

export type AssetStore = {
  /** Manifests of the images that can be served now. */
  list(): Manifest[];
  find(wish: ImageWish): Manifest | undefined;
  /**
   * @returns undefined for an unknown id, and for a file that this image does not have.
   * @throws ASSET_DAMAGED, ASSET_MISSING when the file is not what the manifest says.
   */
  openPart(imageId: string, part: ImagePart | SmallFile): Promise<OpenPart | undefined>;
  /**
   * A loader in memory by its path under `ipxe/`; case does not matter (firmware that speaks Windows paths).
   * @returns undefined when no such loader is listed. @throws ASSET_DAMAGED, ASSET_MISSING when it is, but not usable.
   */
  openLoader(path: string): Loader | undefined;
  status(): AssetStatus;
  /** Looks at the directory now. */
  rescan(): Promise<void>;
  /** Resolves when nothing is left to be hashed. */
  settled(): Promise<void>;
  close(): Promise<void>;
};

/** As long as a ticket: a machine that got its script before a new build may still fetch the old image. */
const KEEP_REPLACED_MS = 15 * 60_000;
const RESCAN_MS = 5000;

/** Opens the asset directory. A missing directory or image is no fault here: status() says what is missing. */
export async function openAssets(options: AssetsOptions): Promise<AssetStore> {
  const store = new Store(options);
  await store.rescan();
  store.watch(options.rescanMs ?? RESCAN_MS);
  return store;
}

type Replaced = { image: OpenImage; atMs: number };

class Store implements AssetStore {
  readonly #options: AssetsOptions;
  readonly #cache: ImageCache;
  readonly #images = new Map<string, OpenImage>();
  readonly #replaced = new Map<string, Replaced>();
  #loaders: Findings<FoundLoader> = { found: [], faults: [] };
  #loaderPrint = "";
  #imageFaults: Fault[] = [];
  #scanning: Promise<void> | undefined;
  #hashing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AssetsOptions) {
    this.#options = options;
    this.#cache = new ByteBudgetCache(options.cacheBytes);
  }

  list(): Manifest[] {
    return this.#usable().map((image) => image.found.manifest);
  }

  find(wish: ImageWish): Manifest | undefined {
    return pickImage(this.list(), wish);
  }

  async openPart(imageId: string, part: ImagePart | SmallFile): Promise<OpenPart | undefined> {
    const image = this.#images.get(imageId) ?? this.#replaced.get(imageId)?.image;
    return isSmallFile(part) ? image?.small.open(part) : image?.openPart(part);
  }

  openLoader(path: string): Loader | undefined {
    const wanted = path.toLowerCase();
    const loader = this.#loaders.found.find((one) => one.path.toLowerCase() === wanted);
    const file = join(this.#options.dir, "ipxe", wanted).toLowerCase();
    const fault = this.#loaders.faults.find((one) => one.file.toLowerCase() === file);
    if (loader === undefined && fault !== undefined) throw fault.error;
    return loader;
  }

  status(): AssetStatus {
    const faults = [...this.#imageFaults, ...this.#loaders.faults];
    return {
      images: [...this.#images.values()].map(statusOf),
      loaders: this.#loaders.found.map(({ path, version, bytes }) => ({ path, version, bytes })),
      faults: faults.map(({ file, error }) => ({ file, reason: error.message, remedy: error.remedy })),
      cache: { usedBytes: this.#cache.usedBytes, budgetBytes: this.#cache.budgetBytes },
    };
  }

  rescan(): Promise<void> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  async settled(): Promise<void> {
    await this.#hashing;
  }

  /** Looks at the directory every so often: a handful of stat calls, cheaper than a watch that misses renames. */
  watch(rescanMs: number): void {
    if (rescanMs === 0) return;
    this.#timer = setInterval(() => {
      this.rescan().catch((cause) => this.#options.log.warn(`${this.#options.dir} could not be looked at.`, { cause }));
    }, rescanMs);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#scanning;
    const images = [...this.#images.values(), ...[...this.#replaced.values()].map((one) => one.image)];
    this.#images.clear();
    this.#replaced.clear();
    await Promise.all(images.map((image) => image.close()));
    await this.#hashing;
  }

  #usable(): OpenImage[] {
    return [...this.#images.values()].filter((image) => image.state !== "damaged");
  }

  async #scan(): Promise<void> {
    const images = await readImages(this.#options.dir, this.#options.isSigned);
    const unopened = await this.#takeOver(images.found);
    const told = new Set([...this.#imageFaults, ...this.#loaders.faults].map(textOf));
    this.#imageFaults = [...images.faults, ...unopened];
    await this.#readLoadersIfChanged();
    for (const fault of [...this.#imageFaults, ...this.#loaders.faults])
      if (!told.has(textOf(fault))) this.#tell(fault);
    this.#hashing = this.#hashing.then(() => this.#hashInTurn());
  }

  /** Opens what is new, sets aside what is gone, closes what was set aside long ago. @returns what could not be opened. */
  async #takeOver(found: readonly FoundImage[]): Promise<Fault[]> {
    const faults: Fault[] = [];
    for (const [id, image] of this.#images) {
      if (found.some((one) => isSame(one, image.found))) continue;
      this.#images.delete(id);
      await this.#replaced.get(id)?.image.close();
      this.#replaced.set(id, { image, atMs: Date.now() });
    }
    for (const one of found) {
      if (this.#images.has(one.manifest.id)) continue;
      try {
        this.#images.set(one.manifest.id, await OpenImage.open(one, this.#options, this.#cache));
        this.#options.log.info(whatIsServed(one.manifest, this.find({ arch: one.manifest.arch })));
      } catch (cause) {
        faults.push({ file: one.path, error: asFault(cause, one.path) });
      }
    }
    for (const [id, { image, atMs }] of this.#replaced) {
      if (Date.now() - atMs < KEEP_REPLACED_MS && !this.#images.has(id)) continue;
      this.#replaced.delete(id);
      await image.close();
    }
    return faults;
  }

  async #readLoadersIfChanged(): Promise<void> {
    const { dir } = this.#options;
    if (this.#loaderPrint !== "" && (await this.#printOf(this.#loaders)) === this.#loaderPrint) return;
    this.#loaders = await readLoaders(dir);
    this.#loaderPrint = await this.#printOf(this.#loaders);
  }

  #printOf({ found, faults }: Findings<FoundLoader>): Promise<string> {
    return loaderPrint(
      this.#options.dir,
      [...found, ...faults].map((one) => one.file),
    );
  }

  async #hashInTurn(): Promise<void> {
    for (const image of this.#usable()) {
      if (this.#images.get(image.found.manifest.id) !== image) continue; // replaced or closed in the meantime
      await image.assertWhole().catch((cause) => {
        if (image.state !== "damaged") this.#options.log.warn(`${image.found.path} could not be hashed.`, { cause });
      });
    }
  }

  #tell({ file, error }: Fault): void {
    const isDamage = error.code === "ASSET_DAMAGED";
    if (isDamage) this.#options.record({ kind: "asset-damaged", detail: { file, reason: error.message } });
    this.#options.log[isDamage ? "error" : "warn"](`${error.message}. ${error.remedy}`, { code: error.code });
  }
}

const textOf = ({ file, error }: Fault) => `${file} ${error.message}`;

const isSame = (a: FoundImage, b: FoundImage) =>
  a.manifestSha256 === b.manifestSha256 && a.identity === b.identity && a.path === b.path;

/** Said when an image appears: machines boot and install the full one where there is one (catalog.ts). */
function whatIsServed({ arch, variant, version }: Manifest, served: Manifest | undefined): string {
  const found = `Slipway OS ${version} (${variant}) for ${arch} is there`;
  const choice = `machines with ${arch} boot and install ${served?.version} (${served?.variant})`;
  return served === undefined ? `${found}.` : `${found}; ${choice}.`;
}

const statusOf = ({ found: { manifest }, state, reason }: OpenImage): AssetStatus["images"][number] => ({
  id: manifest.id,
  version: manifest.version,
  variant: manifest.variant,
  arch: manifest.arch,
  bytes: manifest.uki.bytes,
  state,
  ...(reason !== undefined && { reason }),
});
