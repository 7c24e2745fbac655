// Puts the root file system and the initramfs together, in memory: kept files of the packages, our own files, Node and
// the agent, kernel modules with firmware, and the links that enable units. Called by image.ts.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../../server/contract/errors.ts";
import { addFirmware, addModules, type KernelFiles, type KernelModule } from "./kernel-modules.ts";
import type { Arch, Variant } from "./packages.ts";
import { ARCH_FACTS, IMAGE_NAME } from "./recipe.ts";
import type { Toolbox } from "./tools.ts";
import { addEntry, addParents, globToRegExp, type Tree } from "./tree.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const UNIT_DIR = "usr/lib/systemd/system";

/**
 * Where the agent and our own units lie: a directory that is appended to the packed root (pack.ts), so that a change of one
 * of them costs no new packing of the rest.
 */
const OWN_DIR = "slipway";
const OWN_UNIT_DIR = `${OWN_DIR}/system`;

/** Merged /usr, and mount points that an empty directory must stand for. */
const LINKS: Record<string, string> = {
  bin: "usr/bin",
  sbin: "usr/sbin",
  lib: "usr/lib",
  "etc/os-release": "../usr/lib/os-release",
  "etc/mtab": "../proc/self/mounts",
};
/** Only the real root: what the agent decides about /etc, and where a cluster's own network plugin is put. */
const ROOT_LINKS: Record<string, string> = {
  "etc/hosts": "../run/slipway/etc/hosts",
  "etc/hostname": "../run/slipway/etc/hostname",
  "etc/resolv.conf": "../run/slipway/etc/resolv.conf",
  "etc/cni": "../run/slipway/etc/cni",
  "opt/cni/bin": "../../var/opt/cni/bin",
  "usr/lib/slipway/agent.mjs": `../../../${OWN_DIR}/agent.mjs`,
  // A place where systemd looks for units of the site, before those of packages.
  "usr/local/lib/systemd/system": `../../../../${OWN_UNIT_DIR}`,
};
/** Only the real root: units that no [Install] line enables as we want it. */
const UNIT_LINKS: Record<string, string> = {
  "default.target": "multi-user.target",
  "multi-user.target.wants/dbus.socket": "../dbus.socket",
};
const EMPTY_DIRS = ["dev", "proc", "run", "sys", "tmp", "var"];

function addLinks(tree: Tree, links: Readonly<Record<string, string>>, under = ""): void {
  for (const [path, target] of Object.entries(links))
    addEntry(tree, `${under}${path}`, { kind: "link", target, from: "slipway" });
}

function addSkeleton(tree: Tree, arch: Arch, extraDirs: readonly string[]): void {
  addLinks(tree, LINKS);
  if (arch === "amd64") addEntry(tree, "lib64", { kind: "link", target: "usr/lib64", from: "slipway" });
  for (const path of [...EMPTY_DIRS, ...extraDirs]) addEntry(tree, path, { kind: "dir", mode: 0o755, from: "slipway" });
}

export function addText(tree: Tree, path: string, text: string, mode = 0o644): void {
  addEntry(tree, path, { kind: "file", mode, bytes: Buffer.from(text), from: "slipway" });
}

/** Our own files: every file below `dir` of the repository, 0644 whatever the work tree's umask made of it. */
function addOwnFiles(tree: Tree, dir: string, under: string): void {
  const base = join(REPOSITORY, dir);
  for (const entry of readdirSync(base, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const path = join(under, file.slice(base.length + 1));
    const mode = path === "etc/shadow" ? 0o600 : 0o644;
    addEntry(tree, path, { kind: "file", mode, bytes: readFileSync(file), from: "slipway" });
  }
}

/** What `systemctl enable` would do with the [Install] lines of our own units and of these packaged ones. */
const PACKAGED_ENABLED = ["systemd-networkd.service", "dbus-broker.service"];
export function enableUnits(tree: Tree, unitDir = UNIT_DIR): void {
  for (const [path, entry] of [...tree]) {
    const name = path.startsWith(`${unitDir}/`) ? path.slice(unitDir.length + 1) : "";
    if (entry.kind !== "file" || name === "" || name.includes("/")) continue;
    if (entry.from !== "slipway" && !PACKAGED_ENABLED.includes(name)) continue;
    for (const [, key, value] of Buffer.from(entry.bytes)
      .toString()
      .matchAll(/^(WantedBy|RequiredBy|Alias)=(.+)$/gm)) {
      for (const unit of value!.trim().split(/\s+/)) {
        const dir = key === "WantedBy" ? `${unit}.wants/` : `${unit}.requires/`;
        const link = key === "Alias" ? unit : `${dir}${name}`;
        const target = key === "Alias" ? name : `../${name}`;
        addEntry(tree, `${unitDir}/${link}`, { kind: "link", target, from: "slipway" });
      }
    }
  }
}

/** Links of a package's .wants directories whose unit was not kept would be noise in the journal. */
function dropDanglingWants(tree: Tree): void {
  for (const [path, entry] of [...tree]) {
    const unit = /\.wants\/([^/]+)$/.exec(path)?.[1];
    if (entry.kind === "link" && unit !== undefined && !tree.has(`${UNIT_DIR}/${unit}`)) tree.delete(path);
  }
}

export type ImageParts = {
  arch: Arch;
  variant: Variant;
  version: string;
  /** Kept files of every package. */
  packages: Tree;
  /** Of these, the patterns that the initramfs takes, by package. */
  initrdKeep: ReadonlyMap<string, readonly string[]>;
  node: Uint8Array;
  koffi: Uint8Array;
  kernel: KernelFiles;
  modules: readonly KernelModule[];
  firmware: Tree;
};

export const osRelease = (version: string, arch: Arch): string =>
  `NAME="Slipway OS"
ID=slipway
PRETTY_NAME="Slipway OS ${version}"
VERSION="${version}"
VERSION_ID=${version}
IMAGE_ID=${IMAGE_NAME}
IMAGE_VERSION=${version}
ARCHITECTURE=${arch}
`;

/** @returns the root, and the firmware names that modules know and no package has. */
export async function composeRoot(
  parts: ImageParts,
  tools: Toolbox,
  workDir: string,
): Promise<{ tree: Tree; missingFirmware: string[] }> {
  const { arch } = parts;
  const facts = ARCH_FACTS[arch];
  const tree: Tree = new Map(parts.packages);
  addSkeleton(tree, arch, ["root", "mnt"]);
  addLinks(tree, ROOT_LINKS);
  addOwnFiles(tree, "boot-assets/image/rootfs", "");
  if (parts.variant === "full") addOwnFiles(tree, "boot-assets/image/rootfs-full", "");
  addText(tree, "usr/lib/os-release", osRelease(parts.version, arch));
  addLinks(tree, UNIT_LINKS, `${UNIT_DIR}/`);
  addEntry(tree, "usr/bin/node", { kind: "file", mode: 0o755, bytes: parts.node, from: `npm:${facts.nodePackage}` });
  addEntry(tree, `usr/lib/slipway/node_modules/${facts.koffiPackage}/${facts.koffiDir}/koffi.node`, {
    kind: "file",
    mode: 0o644,
    bytes: parts.koffi,
    from: `npm:${facts.koffiPackage}`,
  });
  await addModules(tree, parts.modules, parts.kernel, tools, workDir);
  const missingFirmware = addFirmware(tree, parts.modules, parts.firmware);
  dropDanglingWants(tree);
  enableUnits(tree);
  addParents(tree);
  return { tree, missingFirmware };
}

/** The agent and our own units, to be appended to the packed root. */
export function composeOwn(agent: Uint8Array): Tree {
  const tree: Tree = new Map();
  addEntry(tree, `${OWN_DIR}/agent.mjs`, { kind: "file", mode: 0o644, bytes: agent, from: "slipway" });
  // The agent's real path is where it looks for koffi's native part.
  addLinks(tree, { [`${OWN_DIR}/node_modules`]: "../usr/lib/slipway/node_modules" });
  addOwnFiles(tree, "systemd/image", OWN_UNIT_DIR);
  enableUnits(tree, OWN_UNIT_DIR);
  addParents(tree);
  return tree;
}

/** Modules that the initramfs loads itself; everything else waits for the root. */
const INITRD_MODULES = ["loop", "squashfs"];

/** The early user space without the root file, which is an archive of its own. */
export async function composeInitrd(parts: ImageParts, tools: Toolbox, workDir: string): Promise<Tree> {
  const tree: Tree = new Map();
  for (const [path, entry] of parts.packages) {
    const keep = parts.initrdKeep.get(entry.from) ?? [];
    if (keep.some((glob) => globToRegExp(glob).test(path))) tree.set(path, entry);
  }
  addSkeleton(tree, parts.arch, ["sysroot", "slipway"]);
  addOwnFiles(tree, "boot-assets/image/initrd", "");
  addOwnFiles(tree, "systemd/initrd", UNIT_DIR);
  addText(tree, "usr/lib/os-release", osRelease(parts.version, parts.arch));
  addEntry(tree, "init", { kind: "link", target: "usr/lib/systemd/systemd", from: "slipway" });
  const modules = parts.modules.filter(({ name }) => INITRD_MODULES.includes(name));
  if (modules.length < INITRD_MODULES.length) {
    throw new SlipwayError("INTERNAL", `the kernel package lacks one of the modules ${INITRD_MODULES.join(", ")}`);
  }
  await addModules(tree, modules, parts.kernel, tools, workDir);
  addParents(tree);
  return tree;
}
