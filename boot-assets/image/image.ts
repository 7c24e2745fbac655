// One architecture's trees, from locked packages: what goes into the root and what into the initramfs, checked against the
// allow-list and for missing libraries. Called by build.ts, which packs them (pack.ts), and by update-lock.ts.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../../server/contract/errors.ts";
import { findMissingLibraries } from "./closure.ts";
import { unpack, unpackIf } from "./deb.ts";
import { buildGrub, type Grub } from "./grub.ts";
import { type KernelFiles, pickModules } from "./kernel-modules.ts";
import type { Lock, LockedPackage } from "./lock.ts";
import { type Arch, FIRMWARE_PACKAGES, type Variant, wantedOf } from "./packages.ts";
import type { Progress } from "./progress.ts";
import { ARCH_FACTS } from "./recipe.ts";
import { composeInitrd, composeRoot, type ImageParts } from "./root-tree.ts";
import { runTool, type Toolbox } from "./tools.ts";
import { addEntry, type Tree } from "./tree.ts";

export type ImageInput = {
  arch: Arch;
  variant: Variant;
  version: string;
  lock: Lock;
  cacheDir: string;
  workDir: string;
  tools: Toolbox;
  progress: Progress;
};
/** All that is packed into one image. */
export type ComposedImage = {
  root: Tree;
  initrd: Tree;
  kernel: KernelFiles;
  stub: Uint8Array;
  /** systemd-boot, and GRUB where a machine may have a BIOS: what an installer puts onto a disk. */
  loaders: { loader: Uint8Array; grub?: Grub };
  /** Packages that give no file to a tree and yet are in the image. */
  otherPackages: ReadonlySet<string>;
};

function rowOf(lock: Lock, matches: (row: LockedPackage) => boolean, what: string): LockedPackage {
  const row = lock.packages.find(matches);
  if (row === undefined) {
    throw new SlipwayError("INTERNAL", `the lock has no ${what}; run \`npm run assets:update\``);
  }
  return row;
}

async function readKernel(input: ImageInput): Promise<{ files: KernelFiles; modules: Map<string, Uint8Array> }> {
  const row = rowOf(input.lock, ({ name }) => /^linux-image-\d/.test(name), "kernel");
  const tree = await unpackIf(input.cacheDir, row, (path) => /^boot\/vmlinuz-|^usr\/lib\/modules\//.test(path));
  const version = row.name.slice("linux-image-".length);
  const modules = new Map<string, Uint8Array>();
  const indexes: [string, Uint8Array][] = [];
  for (const [path, entry] of tree) {
    const below = path.slice(`usr/lib/modules/${version}/`.length);
    if (entry.kind !== "file") continue;
    if (below.endsWith(".ko.xz")) modules.set(below.slice("kernel/".length, -".ko.xz".length), entry.bytes);
    else if (below.startsWith("modules.")) indexes.push([below, entry.bytes]);
  }
  const image = fileOf(tree, `boot/vmlinuz-${version}`);
  return { files: { version, packageName: row.name, image, indexes }, modules };
}

function fileOf(tree: Tree, path: string): Uint8Array {
  const entry = tree.get(path);
  if (entry?.kind !== "file") throw new SlipwayError("INTERNAL", `the package has no file /${path}`);
  return entry.bytes;
}

async function readKept(input: ImageInput): Promise<Pick<ImageParts, "packages" | "initrdKeep">> {
  const packages: Tree = new Map();
  const initrdKeep = new Map<string, readonly string[]>();
  for (const wanted of wantedOf(input.arch, input.variant).filter(({ keep }) => keep.length > 0)) {
    const row = rowOf(input.lock, ({ name }) => name === wanted.name, wanted.name);
    const tree = await unpack(input.cacheDir, row, wanted.keep);
    for (const [path, entry] of tree) addEntry(packages, path, entry);
    initrdKeep.set(wanted.name, wanted.initrd ?? []);
  }
  return { packages, initrdKeep };
}

async function readFirmware(input: ImageInput): Promise<Tree> {
  const firmware: Tree = new Map();
  for (const name of FIRMWARE_PACKAGES) {
    const row = rowOf(input.lock, (each) => each.name === name, name);
    for (const [path, entry] of await unpack(input.cacheDir, row, ["usr/lib/firmware/**"])) firmware.set(path, entry);
  }
  return firmware;
}

/** Node's symbols are for debuggers: 18 of its 127 MB. */
async function readNode(input: ImageInput): Promise<Uint8Array> {
  const facts = ARCH_FACTS[input.arch];
  const row = rowOf(input.lock, ({ name }) => name === facts.nodePackage, facts.nodePackage);
  const file = join(input.workDir, "node");
  writeFileSync(file, fileOf(await unpack(input.cacheDir, row, ["package/bin/node"]), "package/bin/node"));
  await runTool(input.tools, facts.strip, ["--strip-all", "-o", `${file}.stripped`, file]);
  return readFileSync(`${file}.stripped`);
}

async function readKoffi(input: ImageInput): Promise<Uint8Array> {
  const { koffiPackage, koffiDir } = ARCH_FACTS[input.arch];
  const row = rowOf(input.lock, ({ name }) => name === koffiPackage, koffiPackage);
  const path = `package/${koffiDir}/koffi.node`;
  return fileOf(await unpack(input.cacheDir, row, [path]), path);
}

/**
 * Composes one architecture's trees.
 *
 * @throws SlipwayError COMMAND_FAILED when a tool fails; INTERNAL when the recipe does not hold (a missing library, …),
 *   naming file and library.
 */
export async function composeImage(input: ImageInput): Promise<ComposedImage> {
  const { arch, variant, version, progress, tools, workDir } = input;
  mkdirSync(workDir, { recursive: true });
  progress.say(`${arch} ${variant}: unpacking ${wantedOf(arch, variant).length} packages`);
  const kept = await readKept(input);
  const kernel = await readKernel(input);
  const stubRow = rowOf(input.lock, ({ name }) => name === "systemd-boot-efi", "systemd-boot-efi");
  const { stub, loader } = ARCH_FACTS[arch];
  const efi = await unpack(input.cacheDir, stubRow, [stub, loader]);
  progress.say(`${arch}: choosing kernel modules and firmware`);
  const parts: ImageParts = {
    ...kept,
    arch,
    variant,
    version,
    firmware: await readFirmware(input),
    modules: await pickModules(kernel.modules, tools, workDir),
    kernel: kernel.files,
    node: await readNode(input),
    koffi: await readKoffi(input),
  };
  const { tree: root, missingFirmware } = await composeRoot(parts, tools, workDir);
  const initrd = await composeInitrd(parts, tools, workDir);
  assertWhole(root, initrd, arch);
  if (missingFirmware.length > 0) {
    progress.say(`${arch}: no package of Debian has the firmware ${missingFirmware.join(", ")}`);
  }
  const grub = arch === "amd64" ? { grub: await buildGrub(tools, join(workDir, "grub")) } : {};
  return {
    root,
    initrd,
    kernel: kernel.files,
    stub: fileOf(efi, stub),
    loaders: { loader: fileOf(efi, loader), ...grub },
    otherPackages: new Set([kernel.files.packageName, stubRow.name, ...(arch === "amd64" ? ["grub-pc-bin"] : [])]),
  };
}

function assertWhole(root: Tree, initrd: Tree, arch: Arch): void {
  const faults = [
    ...findMissingLibraries(root, arch).map((fault) => `root: ${fault}`),
    ...findMissingLibraries(initrd, arch).map((fault) => `initramfs: ${fault}`),
  ];
  if (faults.length === 0) return;
  throw new SlipwayError("INTERNAL", `the ${arch} image is not whole:\n  ${faults.join("\n  ")}`, {
    remedy: "Keep the library in boot-assets/image/packages.ts.",
  });
}
