// Trees → bytes: the compressed root, the initramfs that carries it, the UKI, and what describes them. Called by build.ts.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Part, renderSpdx } from "./bill-of-materials.ts";
import { encodeCpio, joinInitrds } from "./cpio.ts";
import type { ComposedImage } from "./image.ts";
import type { Arch } from "./packages.ts";
import { commandLine, IMAGE_NAME, type Variant } from "./recipe.ts";
import { osRelease } from "./root-tree.ts";
import { writeTar } from "./tar.ts";
import { pipeTool, type Toolbox } from "./tools.ts";
import type { Tree } from "./tree.ts";
import { encodeUki, type Range } from "./uki.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** zstd level and block size by measurement: docs/image.md. Times come from SOURCE_DATE_EPOCH=0 (tools.ts). */
const SQUASHFS = ["-comp", "zstd", "-Xcompression-level", "15", "-b", "256K", "-no-xattrs", "-quiet", "-no-progress"];
const ROOT_OWNER = ["-root-mode", "0755", "-root-uid", "0", "-root-gid", "0"];

async function packRoot(root: Tree, tools: Toolbox, workDir: string): Promise<Uint8Array> {
  const file = join(workDir, "root.squashfs");
  await pipeTool(tools, "usr/bin/sqfstar", [...SQUASHFS, ...ROOT_OWNER, file], writeTar(root));
  return readFileSync(file);
}

/** The small user space compressed, then the root as it is: it is compressed already. */
async function packInitrd(user: Tree, root: Uint8Array, tools: Toolbox): Promise<Uint8Array> {
  const early = await pipeTool(tools, "usr/bin/zstd", ["-19", "-q", "-c"], [encodeCpio(user)]);
  const file: Tree = new Map([
    ["slipway", { kind: "dir", mode: 0o755, from: "slipway" }],
    ["slipway/root.squashfs", { kind: "file", mode: 0o444, bytes: root, from: "slipway" }],
  ]);
  return joinInitrds([early, encodeCpio(file)]);
}

export type PackInput = {
  arch: Arch;
  version: string;
  variant: Variant;
  composed: ComposedImage;
  parts: readonly Part[];
  /** Hash over all inputs (inputs.ts). */
  builtFrom: string;
  tools: Toolbox;
  workDir: string;
};

/** The image's files by name: slipway.uki.efi, manifest.json, sbom.spdx.json. */
export async function packImage(input: PackInput): Promise<Map<string, Uint8Array>> {
  const { arch, version, composed, tools } = input;
  const root = await packRoot(composed.root, tools, input.workDir);
  const uki = encodeUki(composed.stub, [
    { name: ".osrel", bytes: Buffer.from(osRelease(version, arch)) },
    { name: ".cmdline", bytes: Buffer.from(commandLine(arch)) },
    { name: ".uname", bytes: Buffer.from(composed.kernel.version) },
    { name: ".initrd", bytes: await packInitrd(composed.initrd, root, tools) },
    { name: ".linux", bytes: composed.kernel.image },
  ]);
  const ukiSha256 = sha256(uki.bytes);
  const range = ({ offset, bytes }: Range) => ({
    offset,
    bytes,
    sha256: sha256(uki.bytes.subarray(offset, offset + bytes)),
  });
  const manifest = {
    schema: 1,
    name: IMAGE_NAME,
    version,
    variant: input.variant,
    arch,
    id: ukiSha256.slice(0, 16),
    uki: { file: UKI_FILE, bytes: uki.bytes.length, sha256: ukiSha256 },
    kernel: { ...range(uki.ranges[".linux"]!), version: composed.kernel.version },
    initrd: range(uki.ranges[".initrd"]!),
    root: { bytes: root.length, sha256: sha256(root) },
    cmdline: commandLine(arch),
    packages: input.parts.map(({ name, version: partVersion }) => ({ name, version: partVersion })),
    builtFrom: input.builtFrom,
  };
  return new Map<string, Uint8Array>([
    [UKI_FILE, uki.bytes],
    ["sbom.spdx.json", Buffer.from(renderSpdx({ name: IMAGE_NAME, version, arch, ukiSha256 }, input.parts))],
    ["manifest.json", Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`)],
  ]);
}

export const UKI_FILE = "slipway.uki.efi";
