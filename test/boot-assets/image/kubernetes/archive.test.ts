// The archive is read back as containerd would: every digest is of the bytes that it names.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type ContainerImage, writeImageArchive } from "../../../../boot-assets/image/kubernetes/archive.ts";
import { readTar } from "../../../../boot-assets/image/tar.ts";
import type { Tree } from "../../../../boot-assets/image/tree.ts";

const root: Tree = new Map([
  ["z", { kind: "file", mode: 0o755, bytes: Buffer.from("last"), from: "slipway" }],
  ["a", { kind: "link", target: "z", from: "slipway" }],
]);
const IMAGE: ContainerImage = {
  name: "registry.example.org:5000/some/thing:v7",
  arch: "arm64",
  created: "2026-01-02T03:04:05Z",
  root,
  entrypoint: ["/z"],
  user: "65535:65535",
};
const read = (archive: Uint8Array) => new Map([...readTar(archive)].map((entry) => [entry.path, entry]));
const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const parse = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString());

test("the same tree gives the same bytes, in whatever order it was filled", () => {
  const other = writeImageArchive({ ...IMAGE, root: new Map([...root].reverse()) });
  expect(sha256(other)).toBe(sha256(writeImageArchive(IMAGE)));
  expect(sha256(writeImageArchive({ ...IMAGE, arch: "amd64" }))).not.toBe(sha256(other));
});

test("index → manifest → config and layer, each by its digest and size", () => {
  const files = read(writeImageArchive(IMAGE));
  const follow = ({ digest, size }: { digest: string; size: number }) => {
    const { bytes } = files.get(`blobs/${digest.replace(":", "/")}`)!;
    expect([sha256(bytes), bytes.length]).toEqual([digest, size]);
    return bytes;
  };
  expect(parse(files.get("oci-layout")!.bytes)).toEqual({ imageLayoutVersion: "1.0.0" });
  const [entry] = parse(files.get("index.json")!.bytes).manifests;
  expect(entry.annotations).toEqual({
    "io.containerd.image.name": IMAGE.name,
    "org.opencontainers.image.ref.name": "v7",
  });
  expect(entry.platform).toEqual({ architecture: "arm64", os: "linux" });
  const manifest = parse(follow(entry));
  const config = parse(follow(manifest.config));
  expect(config).toMatchObject({ created: IMAGE.created, architecture: "arm64", os: "linux" });
  expect(config.config).toMatchObject({ Entrypoint: ["/z"], User: "65535:65535" });
  const layer = follow(manifest.layers[0]);
  expect(config.rootfs.diff_ids).toEqual([sha256(layer)]);
  const inside = read(layer);
  expect([...inside.keys()]).toEqual(["a", "z"]);
  expect(Buffer.from(inside.get("z")!.bytes).toString()).toBe("last");
});
