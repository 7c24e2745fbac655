// What lies beside an image and is fetched with it: manifest, signature, and the loaders that an installer puts onto a disk.
// They are small: read whole when the image is opened, checked against the manifest, and kept, so that an installer gets what
// belongs to its image also while a new build takes its place. Called by open-image.ts and store.ts.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SlipwayError } from "../server/contract/errors.ts";
import type { Manifest, Whole } from "./manifest.ts";
import type { Fault, FoundImage } from "./read-folder.ts";
import { streamBuffer } from "./read-image.ts";
import type { ImagePart, OpenPart, SmallFile } from "./store.ts";

/** Name in URLs → row of the manifest. */
const LISTED = { loader: "loader", "grub-core": "grubCore", "grub-boot": "grubBoot" } as const satisfies Partial<
  Record<SmallFile, keyof Manifest>
>;
const NAMES: readonly string[] = ["manifest.json", "manifest.sig", ...Object.keys(LISTED)] satisfies
  | SmallFile[]
  | string[];

export const isSmallFile = (part: ImagePart | SmallFile): part is SmallFile => NAMES.includes(part);

export class SmallFiles {
  readonly #modifiedMs: number;
  readonly #files = new Map<SmallFile, { bytes: Buffer; sha256: string } | Fault>();

  private constructor(modifiedMs: number) {
    this.#modifiedMs = modifiedMs;
  }

  /** Reads all that the manifest lists. What is wrong with one is told when it is asked for, and in `faults`. */
  static async read(found: FoundImage): Promise<SmallFiles> {
    const small = new SmallFiles(found.modifiedMs);
    small.#keep("manifest.json", found.manifestBytes);
    if (found.signature !== undefined) small.#keep("manifest.sig", found.signature);
    for (const [name, row] of Object.entries(LISTED) as [keyof typeof LISTED, (typeof LISTED)[keyof typeof LISTED]][]) {
      const listed = found.manifest[row];
      if (listed !== undefined) await small.#readListed(name, join(dirname(found.path), listed.file), listed);
    }
    return small;
  }

  get faults(): Fault[] {
    return [...this.#files.values()].filter((file) => "error" in file);
  }

  /** @returns undefined when this image has no such file. @throws ASSET_DAMAGED, ASSET_MISSING */
  open(name: SmallFile): OpenPart | undefined {
    const file = this.#files.get(name);
    if (file === undefined) return undefined;
    if ("error" in file) throw file.error;
    const { bytes, sha256 } = file;
    return {
      bytes: bytes.length,
      sha256,
      modifiedMs: this.#modifiedMs,
      read: (start, end) => streamBuffer(bytes, start, end, () => undefined),
    };
  }

  async #readListed(name: SmallFile, path: string, listed: Whole): Promise<void> {
    const refuse = (code: "ASSET_MISSING" | "ASSET_DAMAGED", text: string) =>
      void this.#files.set(name, { file: path, error: new SlipwayError(code, text) });
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes === undefined) return refuse("ASSET_MISSING", `${path} cannot be read, yet the manifest lists it`);
    const digest = sha256Of(bytes);
    if (digest === listed.sha256 && bytes.length === listed.bytes) return this.#keep(name, bytes);
    const found = `${bytes.length} bytes with the SHA-256 ${digest}`;
    const said = `${listed.bytes} bytes with ${listed.sha256}`;
    refuse("ASSET_DAMAGED", `${path} has ${found}; the manifest says ${said}`);
  }

  #keep(name: SmallFile, bytes: Buffer): void {
    this.#files.set(name, { bytes, sha256: sha256Of(bytes) });
  }
}

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
