// Image archives as docker and OCI tools write them, made here for tests.
import { createHash } from "node:crypto";
import { pack } from "tar-stream";
import { MEDIA } from "../../../server/oci/image-manifest.ts";

export const sha = (bytes: string | Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
export type Entry = { name: string; body: string | Buffer } | { name: string; linkname: string };

/** A tar archive of these entries. */
export async function tar(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const entry of entries) {
    if ("linkname" in entry) archive.entry({ name: entry.name, type: "symlink", linkname: entry.linkname });
    else archive.entry({ name: entry.name }, Buffer.from(entry.body));
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export const LAYER = Buffer.alloc(70_000, "layer");
export const CONFIG = JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [] } });

/** As `docker save` of old: directories by id, a layer that comes twice as a link. */
export const dockerEntries = (tags: readonly string[] | null = ["web:1.2"]): Entry[] => [
  { name: "aaaa/layer.tar", body: LAYER },
  { name: "bbbb/layer.tar", linkname: "../aaaa/layer.tar" },
  { name: "cfg.json", body: CONFIG },
  {
    name: "manifest.json",
    body: JSON.stringify([{ Config: "cfg.json", RepoTags: tags, Layers: ["aaaa/layer.tar", "bbbb/layer.tar"] }]),
  },
];

const blob = (body: string | Buffer): Entry => ({ name: `blobs/sha256/${sha(body).slice(7)}`, body });
const describeBlob = (mediaType: string, body: string | Buffer) => ({
  mediaType,
  digest: sha(body),
  size: Buffer.byteLength(body),
});

/** As an OCI layout with an index of two platforms, of which one is not there, as Docker saves them. */
export function layoutEntries(name: string | undefined = "registry.example.org/team/web:2.0"): Entry[] {
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    config: describeBlob(MEDIA.ociConfig, CONFIG),
    layers: [describeBlob(`${MEDIA.ociLayer}+gzip`, LAYER)],
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA.ociIndex,
    manifests: [
      { ...describeBlob(MEDIA.ociManifest, manifest), platform: { os: "linux", architecture: "amd64" } },
      { ...describeBlob(MEDIA.ociManifest, "elsewhere"), platform: { os: "linux", architecture: "arm64" } },
    ],
  });
  const annotations = name === undefined ? {} : { annotations: { "io.containerd.image.name": name } };
  const top = { schemaVersion: 2, manifests: [{ ...describeBlob(MEDIA.ociIndex, index), ...annotations }] };
  return [
    { name: "oci-layout", body: '{"imageLayoutVersion":"1.0.0"}' },
    { name: "index.json", body: JSON.stringify(top) },
    ...[LAYER, CONFIG, manifest, index].map(blob),
  ];
}
