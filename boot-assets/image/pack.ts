// Trees → bytes, in two steps. packBody(): the compressed root without what is ours, the early user space, kernel and loaders;
// minutes for the full image, and kept until something else than the agent and our units changes. packImage(): these appended to that
// root, the initramfs around it, the UKI, and what describes them; seconds. Called by build.ts.
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Part, renderSpdx } from "./bill-of-materials.ts";
import { encodeCpio, joinInitrds } from "./cpio.ts";
import type { ComposedImage } from "./image.ts";
import type { Arch, Variant } from "./packages.ts";
import { commandLine, IMAGE_NAME } from "./recipe.ts";
import { osRelease } from "./root-tree.ts";
import { writeTar } from "./tar.ts";
import { pipeTool, runTool, type Toolbox } from "./tools.ts";
import { sortedPaths, type Tree } from "./tree.ts";
import { encodeUki, type Range } from "./uki.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** zstd level and block size by measurement: docs/image.md. Times come from SOURCE_DATE_EPOCH=0 (tools.ts). */
const SQUASHFS = ["-comp", "zstd", "-Xcompression-level", "15", "-b", "256K", "-no-xattrs", "-quiet", "-no-progress"];
const ROOT_OWNER = ["-root-mode", "0755", "-root-uid", "0", "-root-gid", "0"];
/** Level and block size are the file system's own; a run that is cut leaves no recovery file behind: the copy is remade. */
const APPEND = ["-all-root", "-no-xattrs", "-no-recovery", "-quiet", "-no-progress"];

/** Files of a body by name. */
const BODY = {
  root: "root.squashfs",
  early: "early.cpio.zst",
  kernel: "linux",
  stub: "linux.efi.stub",
  facts: "body.json",
} as const;
/** Beside the image, for installers: row of the manifest → file. */
export const LOADER_FILES = { loader: "loader.efi", grubCore: "grub-core.img", grubBoot: "grub-boot.img" } as const;
export const UKI_FILE = "slipway.uki.efi";

type BodyFacts = { kernelVersion: string; parts: Part[] };

/** @param parts what the SBOM lists, but for the agent's own. */
export async function packBody(
  composed: ComposedImage,
  parts: Part[],
  tools: Toolbox,
  workDir: string,
): Promise<Map<string, Uint8Array>> {
  const root = join(workDir, "root.squashfs");
  await pipeTool(tools, "usr/bin/sqfstar", [...SQUASHFS, ...ROOT_OWNER, root], writeTar(composed.root));
  const early = await pipeTool(tools, "usr/bin/zstd", ["-19", "-q", "-c"], [encodeCpio(composed.initrd)]);
  const { loader, grub } = composed.loaders;
  const facts: BodyFacts = { kernelVersion: composed.kernel.version, parts };
  return new Map<string, Uint8Array>([
    [BODY.root, readFileSync(root)],
    [BODY.early, early],
    [BODY.kernel, composed.kernel.image],
    [BODY.stub, composed.stub],
    [LOADER_FILES.loader, loader],
    ...(grub === undefined
      ? []
      : ([
          [LOADER_FILES.grubCore, grub.core],
          [LOADER_FILES.grubBoot, grub.boot],
        ] as const)),
    [BODY.facts, Buffer.from(`${JSON.stringify(facts, undefined, 2)}\n`)],
  ]);
}

/** Writes a tree to disk. Modes are set, not inherited: the umask shall not count. */
function layOut(tree: Tree, dir: string): void {
  for (const path of sortedPaths(tree)) {
    const entry = tree.get(path)!;
    const file = join(dir, path);
    if (entry.kind === "link") symlinkSync(entry.target, file);
    else if (entry.kind === "file") writeFileSync(file, entry.bytes);
    else mkdirSync(file);
    if (entry.kind !== "link") chmodSync(file, entry.mode);
  }
}

async function appendOwn(body: string, own: Tree, tools: Toolbox, workDir: string): Promise<Uint8Array> {
  const [root, source] = [join(workDir, "whole.squashfs"), join(workDir, "own")];
  rmSync(source, { recursive: true, force: true });
  mkdirSync(source, { recursive: true });
  layOut(own, source);
  chmodSync(source, 0o755);
  copyFileSync(join(body, BODY.root), root);
  chmodSync(root, 0o644);
  await runTool(tools, "usr/bin/mksquashfs", [source, root, ...APPEND]);
  return readFileSync(root);
}

/** The small user space compressed, then the root as it is: it is compressed already. */
function joinInitrd(early: Uint8Array, root: Uint8Array): Uint8Array {
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
  /** Directory of what packBody() made. */
  body: string;
  /** The agent and our own units (root-tree.ts). */
  own: Tree;
  /** What the SBOM lists of the agent's own. */
  agentParts: readonly Part[];
  /** Hash over all inputs (inputs.ts). */
  builtFrom: string;
  tools: Toolbox;
  workDir: string;
};

/** The image's files by name: slipway.uki.efi, the loaders, manifest.json, sbom.spdx.json. */
export async function packImage(input: PackInput): Promise<Map<string, Uint8Array>> {
  const { arch, version, body } = input;
  const read = (name: string) => readFileSync(join(body, name));
  const facts = JSON.parse(read(BODY.facts).toString()) as BodyFacts;
  const root = await appendOwn(body, input.own, input.tools, input.workDir);
  const uki = encodeUki(read(BODY.stub), [
    { name: ".osrel", bytes: Buffer.from(osRelease(version, arch)) },
    { name: ".cmdline", bytes: Buffer.from(commandLine(arch)) },
    { name: ".uname", bytes: Buffer.from(facts.kernelVersion) },
    { name: ".initrd", bytes: joinInitrd(read(BODY.early), root) },
    { name: ".linux", bytes: read(BODY.kernel) },
  ]);
  const loaders = new Map(loaderNames(arch).map((name) => [name, read(LOADER_FILES[name])]));
  const parts = [...facts.parts, ...input.agentParts];
  const manifest = renderManifest(input, { uki, root, loaders, parts, kernelVersion: facts.kernelVersion });
  const ukiSha256 = sha256(uki.bytes);
  return new Map<string, Uint8Array>([
    [UKI_FILE, uki.bytes],
    ...[...loaders].map(([name, bytes]) => [LOADER_FILES[name], bytes] as const),
    ["sbom.spdx.json", Buffer.from(renderSpdx({ name: IMAGE_NAME, version, arch, ukiSha256 }, parts))],
    ["manifest.json", Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`)],
  ]);
}

type LoaderFile = keyof typeof LOADER_FILES;
/** A machine with a BIOS is amd64. */
const loaderNames = (arch: Arch): LoaderFile[] => (arch === "amd64" ? ["loader", "grubCore", "grubBoot"] : ["loader"]);

type Packed = {
  uki: { bytes: Uint8Array; ranges: Record<string, Range> };
  root: Uint8Array;
  loaders: ReadonlyMap<LoaderFile, Uint8Array>;
  parts: readonly Part[];
  kernelVersion: string;
};

/** Read by boot-assets/manifest.ts. */
function renderManifest({ arch, version, variant, builtFrom }: PackInput, packed: Packed) {
  const { bytes, ranges } = packed.uki;
  const whole = (file: string, content: Uint8Array) => ({ file, bytes: content.length, sha256: sha256(content) });
  const range = ({ offset, bytes: length }: Range) => ({
    offset,
    bytes: length,
    sha256: sha256(bytes.subarray(offset, offset + length)),
  });
  const uki = whole(UKI_FILE, bytes);
  return {
    schema: 1,
    name: IMAGE_NAME,
    version,
    variant,
    arch,
    id: uki.sha256.slice(0, 16),
    uki,
    kernel: { ...range(ranges[".linux"]!), version: packed.kernelVersion },
    initrd: range(ranges[".initrd"]!),
    root: { bytes: packed.root.length, sha256: sha256(packed.root) },
    ...Object.fromEntries([...packed.loaders].map(([name, content]) => [name, whole(LOADER_FILES[name], content)])),
    cmdline: commandLine(arch),
    packages: packed.parts.map((part) => ({ name: part.name, version: part.version })),
    builtFrom,
  };
}
