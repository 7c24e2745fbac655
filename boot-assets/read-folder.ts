// What lies in the asset directory right now: the images' manifests and the loaders. Called by store.ts at start and
// every few seconds, so that a new build appears without a restart. Reads no image bytes.
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../server/contract/errors.ts";
import { type LoaderEntry, type Manifest, parseLoaderList, parseManifest } from "./manifest.ts";
import { identityOf } from "./read-image.ts";

export type FoundImage = {
  manifest: Manifest;
  /** SHA-256 of manifest.json, hex: a mark of an earlier verification holds only for the same manifest. */
  manifestSha256: string;
  /** The image file. */
  path: string;
  identity: string;
  modifiedMs: number;
  /** manifest.json as it lies there: the signature is over these bytes. */
  manifestBytes: Buffer;
  /** 64 bytes; undefined when there is none and nobody asks for one. */
  signature: Buffer | undefined;
};

/** Directory of an image, or the loader list, that cannot be used, and why. */
export type Fault = { file: string; error: SlipwayError };
export type Findings<T> = { found: T[]; faults: Fault[] };

/** Whether a manifest's signature is the owner's; undefined accepts all (no owner key is known yet). */
export type SignatureCheck = ((manifest: Uint8Array, signature: Uint8Array) => boolean) | undefined;

/** Reads every `images/<name>/manifest.json`. A folder without one is not an image yet and no fault. */
export async function readImages(dir: string, isSigned: SignatureCheck): Promise<Findings<FoundImage>> {
  const findings: Findings<FoundImage> = { found: [], faults: [] };
  const images = join(dir, "images");
  const names = await namesIn(images).catch((cause) => {
    findings.faults.push({ file: images, error: asFault(cause, images) });
    return [];
  });
  for (const name of names) {
    const folder = join(images, name);
    try {
      const image = await readImage(folder, isSigned);
      if (image !== undefined) findings.found.push(image);
    } catch (cause) {
      findings.faults.push({ file: folder, error: asFault(cause, folder) });
    }
  }
  return findings;
}

async function readImage(folder: string, isSigned: SignatureCheck): Promise<FoundImage | undefined> {
  const where = join(folder, "manifest.json");
  const bytes = await readFile(where).catch(undefinedIfAbsent);
  if (bytes === undefined) return undefined;
  const manifest = parseManifest(bytes.toString("utf8"), where);
  const signature = await readSignature(folder);
  assertSigned(folder, bytes, signature, isSigned);
  const path = join(folder, manifest.uki.file);
  const stats = await stat(path, { bigint: true }).catch(undefinedIfAbsent);
  if (stats === undefined) throw new SlipwayError("ASSET_MISSING", `${path} is not there, yet ${where} lists it`);
  return {
    manifest,
    manifestSha256: createHash("sha256").update(bytes).digest("hex"),
    path,
    identity: identityOf(stats),
    modifiedMs: Number(stats.mtimeMs),
    manifestBytes: bytes,
    signature,
  };
}

/** 64 raw bytes, or the same as base64 text. */
async function readSignature(folder: string): Promise<Buffer | undefined> {
  const found = await readFile(join(folder, "manifest.sig")).catch(undefinedIfAbsent);
  return found === undefined || found.length === 64 ? found : Buffer.from(found.toString("latin1"), "base64");
}

function assertSigned(
  folder: string,
  manifest: Uint8Array,
  signature: Buffer | undefined,
  isSigned: SignatureCheck,
): void {
  if (isSigned === undefined) return;
  if (signature === undefined) throw new SlipwayError("ASSET_DAMAGED", `${folder}: manifest.sig is missing`);
  if (!isSigned(manifest, signature)) {
    throw new SlipwayError("ASSET_DAMAGED", `${folder}: manifest.sig is no signature of this appliance's owner key`);
  }
}

export type FoundLoader = LoaderEntry & { file: string; version: string; contents: Buffer; modifiedMs: number };

/**
 * Reads every loader that ipxe.json lists, whole: they are small, TFTP serves them from memory, and so no unverified
 * byte can leave.
 */
export async function readLoaders(dir: string): Promise<Findings<FoundLoader>> {
  const where = join(dir, "ipxe", "ipxe.json");
  const findings: Findings<FoundLoader> = { found: [], faults: [] };
  try {
    const text = await readFile(where, "utf8");
    const { version, files } = parseLoaderList(text, where);
    for (const entry of files) await readLoader(dir, version, entry, findings);
  } catch (cause) {
    const isAbsent = isAbsence(cause);
    const error = isAbsent
      ? new SlipwayError("ASSET_MISSING", `${where} is not there`, { cause })
      : asFault(cause, where);
    findings.faults.push({ file: where, error });
  }
  return findings;
}

async function readLoader(dir: string, version: string, entry: LoaderEntry, into: Findings<FoundLoader>) {
  const file = join(dir, "ipxe", entry.path);
  try {
    const { mtimeMs } = await stat(file);
    const contents = await readFile(file);
    const sha256 = createHash("sha256").update(contents).digest("hex");
    if (contents.length !== entry.bytes || sha256 !== entry.sha256) {
      const found = `${contents.length} bytes, SHA-256 ${sha256}`;
      const said = `${entry.bytes} bytes, SHA-256 ${entry.sha256}`;
      throw new SlipwayError("ASSET_DAMAGED", `${file}: it has ${found}; ipxe.json says ${said}`);
    }
    into.found.push({ ...entry, file, version, contents, modifiedMs: mtimeMs });
  } catch (cause) {
    const isAbsent = isAbsence(cause);
    const error = isAbsent
      ? new SlipwayError("ASSET_MISSING", `${file} is not there`, { cause })
      : asFault(cause, file);
    into.faults.push({ file, error });
  }
}

/** Text that changes when one of these files, or the list itself, changes. */
export async function loaderPrint(dir: string, files: readonly string[]): Promise<string> {
  const all = [join(dir, "ipxe", "ipxe.json"), ...files];
  const stats = await Promise.all(all.map((file) => stat(file, { bigint: true }).then(identityOf, () => "absent")));
  return stats.join(" ");
}

const namesIn = async (dir: string): Promise<string[]> =>
  (await readdir(dir).catch(undefinedIfAbsent))?.filter((name) => !name.startsWith(".")).sort() ?? [];

const isAbsence = (cause: unknown): boolean =>
  ["ENOENT", "ENOTDIR"].includes((cause as NodeJS.ErrnoException).code ?? "");

function undefinedIfAbsent(cause: unknown): undefined {
  if (!isAbsence(cause)) throw cause;
}

/** What keeps a file from being used, in words; a file of another user is no damage. */
export function asFault(cause: unknown, file: string): SlipwayError {
  if (cause instanceof SlipwayError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "EACCES" || code === "EPERM")
    return new SlipwayError("NO_PERMISSION", `${file} may not be read by the user that the appliance runs as`, {
      cause,
      remedy: "Give dataDir/assets to that user (`chown -R`), or let everybody read it (`chmod -R a+rX`).",
    });
  return new SlipwayError("ASSET_DAMAGED", `${file} cannot be read: ${message}`, { cause });
}
