// Manifests of container images: image (config and layers) and index (one image per platform), in OCI's and Docker's words.
// Which blobs an image needs, and whether they are all there. Source: OCI image spec 1.1, Docker's schema 2. Pure.
import { isDigest } from "./image-reference.ts";

export const MEDIA = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
} as const;

export type Descriptor = {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os?: string; architecture?: string };
  annotations?: Readonly<Record<string, string>>;
};
export type Manifest =
  | { kind: "image"; mediaType: string; config: Descriptor; layers: readonly Descriptor[] }
  | { kind: "index"; mediaType: string; manifests: readonly Descriptor[] };
export type ParsedManifest = { kind: "manifest"; manifest: Manifest } | { kind: "fault"; reason: string };

const INDEXES: readonly string[] = [MEDIA.ociIndex, MEDIA.dockerList];
const IMAGES: readonly string[] = [MEDIA.ociManifest, MEDIA.dockerManifest];
type Plain = Record<string, unknown>;

/** @param text of a manifest; @param announced the media type that its descriptor says, for those that say none themselves. */
export function parseManifest(text: string, announced?: string): ParsedManifest {
  const fault = (reason: string): ParsedManifest => ({ kind: "fault", reason });
  const value = parseJson(text);
  if (value === undefined) return fault("is no JSON object");
  const own = typeof value.mediaType === "string" ? value.mediaType : announced;
  const guessed = Array.isArray(value.manifests) ? MEDIA.ociIndex : MEDIA.ociManifest;
  const mediaType = own ?? guessed;
  if (INDEXES.includes(mediaType)) {
    const manifests = descriptors(value.manifests);
    return manifests === undefined
      ? fault("has no list of manifests with SHA-256 digests")
      : { kind: "manifest", manifest: { kind: "index", mediaType, manifests } };
  }
  if (!IMAGES.includes(mediaType)) return fault(`is a ${JSON.stringify(mediaType)}, which is no container image`);
  const [config] = descriptors([value.config]) ?? [];
  const layers = descriptors(value.layers);
  if (config === undefined || layers === undefined) return fault("has no config and layers with SHA-256 digests");
  return { kind: "manifest", manifest: { kind: "image", mediaType, config, layers } };
}

function parseJson(text: string): Plain | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Plain) : undefined;
  } catch {
    return undefined;
  }
}

function descriptors(list: unknown): Descriptor[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const isGood = (d: unknown): d is Descriptor =>
    typeof d === "object" &&
    d !== null &&
    isDigest(String((d as Plain).digest)) &&
    Number.isSafeInteger((d as Plain).size) &&
    typeof (d as Plain).mediaType === "string";
  return list.every(isGood) ? list : undefined;
}

/** What an archive or a store holds: bytes of a blob by digest, and small ones as text. */
export type Blobs = { sizeOf(digest: string): number | undefined; textOf(digest: string): string | undefined };
export type Needed =
  | {
      kind: "whole";
      /** Manifests, configs and layers of all platforms that are whole. */
      digests: string[];
      bytes: number;
      platforms: string[];
      /** Digest of each manifest among them → what it is. */
      mediaTypes: Readonly<Record<string, string>>;
    }
  | { kind: "fault"; reason: string };

/** Depth of indexes within indexes. */
const MAX_DEPTH = 3;

/**
 * All that an image needs. Of an index those platforms count that are whole: Docker saves the index of all platforms with
 * the blobs of one.
 */
export function neededBlobs(digest: string, blobs: Blobs, mediaType?: string, depth = 0): Needed {
  const fault = (reason: string): Needed => ({ kind: "fault", reason });
  const text = blobs.textOf(digest);
  if (text === undefined) return fault(`the manifest ${digest} is not in the archive`);
  const parsed = parseManifest(text, mediaType);
  if (parsed.kind === "fault") return fault(`the manifest ${digest} ${parsed.reason}`);
  const { manifest } = parsed;
  const textBytes = Buffer.byteLength(text);
  if (manifest.kind === "image") return neededOfImage(digest, manifest, blobs, textBytes);
  if (depth === MAX_DEPTH) return fault(`the index ${digest} lies in ${MAX_DEPTH} others`);
  const children = manifest.manifests.map((d) => neededBlobs(d.digest, blobs, d.mediaType, depth + 1));
  const whole = children.filter((child) => child.kind === "whole");
  const first = children.find((child) => child.kind === "fault");
  if (whole.every((child) => child.platforms.length === 0))
    return first ?? fault(`the index ${digest} names no image of a platform`);
  const all = [digest, ...whole.flatMap((child) => child.digests)];
  const bytes = textBytes + whole.reduce((sum, child) => sum + child.bytes, 0);
  const mediaTypes = Object.assign({ [digest]: manifest.mediaType }, ...whole.map((child) => child.mediaTypes));
  const platforms = whole.flatMap((child) => child.platforms);
  return { kind: "whole", digests: [...new Set(all)], bytes, platforms, mediaTypes };
}

function neededOfImage(
  digest: string,
  { mediaType, config, layers }: Extract<Manifest, { kind: "image" }>,
  blobs: Blobs,
  manifestBytes: number,
): Needed {
  for (const { digest: part, size } of [config, ...layers]) {
    const found = blobs.sizeOf(part);
    if (found === undefined) return { kind: "fault", reason: `the blob ${part} is not in the archive` };
    if (found !== size)
      return { kind: "fault", reason: `the blob ${part} has ${found} bytes, its manifest ${digest} says ${size}` };
  }
  const platform = platformOf(blobs.textOf(config.digest));
  const bytes = manifestBytes + config.size + layers.reduce((sum, layer) => sum + layer.size, 0);
  const digests = [digest, config.digest, ...layers.map((layer) => layer.digest)];
  const platforms = platform === undefined ? [] : [platform];
  return { kind: "whole", digests: [...new Set(digests)], bytes, platforms, mediaTypes: { [digest]: mediaType } };
}

/** `linux/amd64`; undefined for attestations and the like, whose config is none. */
function platformOf(config: string | undefined): string | undefined {
  const { os, architecture } = parseJson(config ?? "") ?? {};
  const isKnown = (word: unknown) => typeof word === "string" && word !== "" && word !== "unknown";
  return isKnown(os) && isKnown(architecture) ? `${os}/${architecture}` : undefined;
}
