// What an archive holds: the images of an OCI layout (`oci-layout`, `index.json`, `blobs/`) or of a docker-archive
// (`manifest.json` of `docker save`), each with its name and all its blobs; or why nothing of it can be served. store.ts has
// read the archive. Sources: OCI image layout 1.1, Docker's image spec 1.2. Pure: hashing is an argument.
import { type Descriptor, MEDIA, neededBlobs } from "./image-manifest.ts";
import { formatReference, parseReference } from "./image-reference.ts";

/** One file of the archive, hashed. */
export type ArchiveFile = { digest: string; bytes: number /** Only of small files. */; text?: string };
export type Archive = ReadonlyMap<string, ArchiveFile>;
/** A blob that the archive does not hold as a file: a manifest made here. */
export type MadeBlob = { digest: string; text: string };
export type PlannedImage = {
  name: string;
  /** Of its manifest. */
  digest: string;
  /** Digest of each of its manifests → media type. */
  mediaTypes: Readonly<Record<string, string>>;
  /** All its blobs, manifests included. */
  digests: readonly string[];
  bytes: number;
  platforms: readonly string[];
};
export type ImportPlan =
  | { kind: "images"; images: PlannedImage[]; made: MadeBlob[] }
  | { kind: "fault"; reason: string; remedy?: string };

type Sha256 = (text: string) => string;
const fault = (reason: string, remedy?: string): ImportPlan => ({
  kind: "fault",
  reason,
  ...(remedy === undefined ? {} : { remedy }),
});

/** @param name for an archive of one image that has none, or another name for it. */
export function planImport(archive: Archive, name: string | undefined, sha256: Sha256): ImportPlan {
  const wrong = [...archive].find(([path, file]) => isMisnamed(path, file));
  if (wrong !== undefined)
    return fault(`${wrong[0]} is damaged: its content has the digest ${wrong[1].digest}`, "Make the archive anew.");
  const index = parse(archive.get("index.json")?.text);
  const list = parse(archive.get("manifest.json")?.text);
  if (archive.has("oci-layout") && isObject(index) && Array.isArray(index.manifests)) {
    const plan = planLayout(index.manifests as Descriptor[], archive, name);
    // Docker writes both; its own list has names where the layout has none.
    if (plan.kind === "images" || !Array.isArray(list)) return plan;
  }
  if (Array.isArray(list)) return planDocker(list as DockerImage[], archive, name, sha256);
  return fault(
    "is neither an OCI layout (index.json, oci-layout) nor a docker-archive (manifest.json)",
    "Make it with `docker save`, `podman save`, `ctr images export` or `skopeo copy … oci-archive:FILE.tar`.",
  );
}

const isMisnamed = (path: string, { digest }: ArchiveFile): boolean => {
  const [, hex] = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path) ?? [];
  return hex !== undefined && `sha256:${hex}` !== digest;
};
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** In this order: the first is a whole name wherever it is written, the second may be a tag alone. */
const NAMES = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

function planLayout(manifests: readonly Descriptor[], archive: Archive, name: string | undefined): ImportPlan {
  const blobs = blobsOf(archive);
  const images: PlannedImage[] = [];
  for (const one of manifests) {
    const needed = neededBlobs(String(one.digest), blobs, one.mediaType);
    if (needed.kind === "fault") return fault(needed.reason, "Export the image whole, with the layers of a platform.");
    const own = NAMES.map((key) => one.annotations?.[key]).find((text) => text?.includes("/") || text?.includes(":"));
    const named = name !== undefined && manifests.length === 1 ? name : own;
    const judged = judgeName(named, manifests.length);
    if (judged.kind === "fault") return judged;
    const { kind: _, ...parts } = needed;
    images.push({ name: judged.name, digest: one.digest, ...parts });
  }
  return images.length === 0 ? fault("holds no image: its index is empty") : { kind: "images", images, made: [] };
}

function judgeName(
  text: string | undefined,
  count: number,
): { kind: "name"; name: string } | Extract<ImportPlan, { kind: "fault" }> {
  const bad = (reason: string, remedy: string) => ({ kind: "fault" as const, reason, remedy });
  if (text === undefined)
    return count === 1
      ? bad("holds an image without a name", "Name it: `slipway images import FILE --name registry/repository:tag`.")
      : bad(
          `holds ${count} images, not all of which have a name`,
          "Export them one by one, and name each with --name.",
        );
  const reference = parseReference(text);
  return reference === undefined
    ? bad(
        `${JSON.stringify(text.slice(0, 300))} is no name of an image`,
        "It must be such as docker.io/library/busybox:1.36.",
      )
    : { kind: "name", name: formatReference(reference) };
}

type DockerImage = { Config?: unknown; RepoTags?: unknown; Layers?: unknown };

/** A docker-archive has no manifest of the registry's kind: one is made, over the layers as they lie there. */
function planDocker(
  list: readonly DockerImage[],
  archive: Archive,
  name: string | undefined,
  sha256: Sha256,
): ImportPlan {
  const images: PlannedImage[] = [];
  const made: MadeBlob[] = [];
  for (const { Config, RepoTags, Layers } of list) {
    const paths = [Config, ...(Array.isArray(Layers) ? Layers : [])].map(String);
    const missing = paths.find((path) => !archive.has(path));
    if (missing !== undefined)
      return fault(`manifest.json names ${missing}, which is not in the archive`, "Make the archive anew.");
    const [config, ...layers] = paths.map((path) => archive.get(path)!) as [ArchiveFile, ...ArchiveFile[]];
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      config: { mediaType: MEDIA.ociConfig, digest: config.digest, size: config.bytes },
      layers: layers.map(({ digest, bytes }, i) => ({ mediaType: layerType(paths[i + 1]!), digest, size: bytes })),
    });
    const digest = sha256(text);
    const tags = name !== undefined && list.length === 1 ? [name] : Array.isArray(RepoTags) ? RepoTags.map(String) : [];
    for (const tag of tags.length === 0 ? [undefined] : tags) {
      const judged = judgeName(tag, list.length);
      if (judged.kind === "fault") return judged;
      const needed = neededBlobs(digest, withBlob(blobsOf(archive), digest, text));
      if (needed.kind === "fault") return fault(needed.reason, "Make the archive anew.");
      const { kind: _, ...parts } = needed;
      images.push({ name: judged.name, digest, ...parts });
    }
    made.push({ digest, text });
  }
  return images.length === 0 ? fault("holds no image: manifest.json is empty") : { kind: "images", images, made };
}

/** `podman save` may leave layers compressed. */
const layerType = (path: string): string => (/\.(tgz|tar\.gz)$/.test(path) ? `${MEDIA.ociLayer}+gzip` : MEDIA.ociLayer);

function blobsOf(archive: Archive) {
  const byDigest = new Map([...archive.values()].map((file) => [file.digest, file]));
  return {
    sizeOf: (digest: string) => byDigest.get(digest)?.bytes,
    textOf: (digest: string) => byDigest.get(digest)?.text,
  };
}

const withBlob = (blobs: ReturnType<typeof blobsOf>, digest: string, text: string): ReturnType<typeof blobsOf> => ({
  sizeOf: (d) => (d === digest ? Buffer.byteLength(text) : blobs.sizeOf(d)),
  textOf: (d) => (d === digest ? text : blobs.textOf(d)),
});
