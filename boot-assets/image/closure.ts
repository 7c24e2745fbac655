// Is every library that a program of a tree asks for inside that tree? NEEDED entries, the loader itself, and what is
// opened at run time by dlopen, as far as the program declares it (.note.dlopen). Pure. Called by image.ts for the root
// and for the initramfs; a fault here is a node that does not boot.
import { type ElfFile, isElf, MACHINES, readElf } from "./elf.ts";
import type { Arch } from "./packages.ts";
import { ARCH_FACTS } from "./recipe.ts";
import { resolvePath, type Tree } from "./tree.ts";

/** Code for the kernel and for other processors, which no loader of ours reads. */
const isForeign = (path: string) => path.startsWith("usr/lib/modules/") || path.startsWith("usr/lib/firmware/");

/** $ORIGIN is the only placeholder in use (ld.so(8)). */
const expand = (runpath: string, path: string): string =>
  runpath.replaceAll(/\$\{?ORIGIN\}?/g, `/${path.split("/").slice(0, -1).join("/")}`);

function findLibrary(tree: Tree, name: string, dirs: readonly string[]): string | undefined {
  for (const path of name.includes("/") ? [name] : dirs.map((dir) => `${dir}/${name}`)) {
    const found = resolvePath(tree, path);
    if (found !== undefined && tree.get(found)?.kind === "file") return found;
  }
  return undefined;
}

type Elfs = ReadonlyMap<string, ElfFile>;
const dirsOf = (path: string, elf: ElfFile, arch: Arch): string[] => [
  ...elf.runpath.map((dir) => expand(dir, path)),
  `usr/lib/${ARCH_FACTS[arch].triplet}`,
  "usr/lib",
];

/**
 * Loads a program as ld.so does: breadth first, and what is loaded once serves all who ask for it later (systemd's core
 * library finds its sibling only so).
 */
function loadProgram(tree: Tree, elfs: Elfs, start: string, arch: Arch, seen: Set<string>): string[] {
  const faults: string[] = [];
  const loaded = new Set<string>();
  const queue = [start];
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const elf = elfs.get(path)!;
    seen.add(path);
    for (const name of elf.needed.filter((each) => !loaded.has(each))) {
      loaded.add(name);
      const found = findLibrary(tree, name, dirsOf(path, elf, arch));
      if (found === undefined) faults.push(`/${path} needs ${name}, which the tree lacks`);
      else if (elfs.has(found)) queue.push(found);
    }
  }
  return faults;
}

function faultsOfOne(tree: Tree, path: string, elf: ElfFile, arch: Arch): string[] {
  if (elf.machine !== MACHINES[arch]) return [`/${path} is for ELF machine ${elf.machine}, the image for ${arch}`];
  const faults: string[] = [];
  if (elf.interpreter !== undefined && resolvePath(tree, elf.interpreter) === undefined) {
    faults.push(`/${path} needs the loader ${elf.interpreter}, which the tree lacks`);
  }
  for (const note of elf.dlopen) {
    if (note.priority === "suggested") continue;
    if (note.sonames.some((name) => findLibrary(tree, name, dirsOf(path, elf, arch)))) continue;
    faults.push(
      `/${path} opens ${note.sonames.join(" or ")} for ${note.feature} (${note.priority}), which the tree lacks`,
    );
  }
  return faults;
}

/** One sentence per missing library, naming file and library; empty when the tree is whole. */
export function findMissingLibraries(tree: Tree, arch: Arch): string[] {
  const elfs = new Map<string, ElfFile>();
  for (const [path, entry] of tree) {
    if (entry.kind === "file" && !isForeign(path) && isElf(entry.bytes)) elfs.set(path, readElf(entry.bytes, path));
  }
  const programs = [...elfs].filter(([, elf]) => elf.interpreter !== undefined && elf.soname === undefined);
  const seen = new Set<string>();
  const faults = [...elfs].flatMap(([path, elf]) => faultsOfOne(tree, path, elf, arch));
  for (const [path] of programs) faults.push(...loadProgram(tree, elfs, path, arch, seen));
  // Libraries that no program names are opened at run time.
  for (const path of elfs.keys()) if (!seen.has(path)) faults.push(...loadProgram(tree, elfs, path, arch, seen));
  return [...new Set(faults)];
}
