// Writes a container image as one tar that `ctr images import` takes: an OCI image layout with one layer. No owner, time or
// order of the building host has a say: the same tree gives the same bytes. Source: OCI image-spec 1.1 (image-layout,
// manifest, config); containerd reads the name from the annotation. Pure but for SHA-256.
import { createHash } from "node:crypto";
import type { Arch } from "../packages.ts";
import { writeTar } from "../tar.ts";
import { addParents, type Tree } from "../tree.ts";

export type ContainerImage = {
  /** With registry and tag: "slipway.dev/pause:v1". */
  name: string;
  arch: Arch;
  /** ISO 8601, UTC. */
  created: string;
  root: Tree;
  entrypoint?: readonly string[];
  /** "uid:gid"; root without it. */
  user?: string;
};

const OCI = "application/vnd.oci.image";
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

type Blob = { mediaType: string; digest: string; size: number; bytes: Uint8Array };
function blob(mediaType: string, bytes: Uint8Array): Blob {
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { mediaType: `${OCI}.${mediaType}`, digest, size: bytes.length, bytes };
}
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const descriptor = ({ mediaType, digest, size }: Blob) => ({ mediaType, digest, size });

function configOf({ arch, created, entrypoint, user }: ContainerImage, layer: Blob) {
  return {
    created,
    architecture: arch,
    os: "linux",
    ...(arch === "arm64" ? { variant: "v8" } : {}),
    config: {
      Env: [`PATH=${PATH}`],
      ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
      ...(user === undefined ? {} : { User: user }),
    },
    // The layer is not compressed, so that its digest is also its diff id.
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  };
}

/** @returns the tar's bytes. */
export function writeImageArchive(image: ContainerImage): Uint8Array {
  const layer = blob("layer.v1.tar", Buffer.concat([...writeTar(image.root)]));
  const config = blob("config.v1+json", json(configOf(image, layer)));
  const manifest = blob(
    "manifest.v1+json",
    json({
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: descriptor(config),
      layers: [descriptor(layer)],
    }),
  );
  const annotations = {
    "io.containerd.image.name": image.name,
    "org.opencontainers.image.ref.name": image.name.slice(image.name.lastIndexOf(":") + 1),
  };
  const platform = { architecture: image.arch, os: "linux" };
  const index = {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [{ ...descriptor(manifest), platform, annotations }],
  };
  const files: [string, Uint8Array][] = [
    ["oci-layout", json({ imageLayoutVersion: "1.0.0" })],
    ["index.json", json(index)],
    ...[layer, config, manifest].map(({ digest, bytes }): [string, Uint8Array] => [
      `blobs/${digest.replace(":", "/")}`,
      bytes,
    ]),
  ];
  const archive: Tree = new Map(
    files.map(([path, bytes]) => [path, { kind: "file", mode: 0o644, bytes, from: "slipway" }]),
  );
  addParents(archive);
  return Buffer.concat([...writeTar(archive)]);
}
