// The committed list of every executable in the image, with package and SHA-256, and the check that fails the build.
// Pure but for reading and writing the list. Called by image.ts on the trees that are packed, and by its tests on copies
// of them. docs/image.md says how to add a program.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isElf, readElf } from "./elf.ts";
import { findForbidden } from "./forbidden.ts";
import type { Arch, Variant } from "./packages.ts";
import { sortedPaths, type Tree, type TreeEntry } from "./tree.ts";

/**
 * One program. `sha256` is "compiled" for those that this project compiles: their bytes follow from sources that are pinned
 * by go.sum and read as such, and a list of digests would only repeat what the last build made of them.
 */
export type AllowedProgram = { path: string; package: string; sha256: string; variant?: "full" };
export type AllowList = Record<Arch, AllowedProgram[]>;

const LIST = join(import.meta.dirname, "allow-list.json");
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

export const readAllowList = (): AllowList => JSON.parse(readFileSync(LIST, "utf8")) as AllowList;

export const writeAllowList = (list: AllowList): void => writeFileSync(LIST, `${JSON.stringify(list, undefined, 2)}\n`);

type FileEntry = Extract<TreeEntry, { kind: "file" }>;
const isFirmware = (path: string) => path.startsWith("usr/lib/firmware/");
const isModule = (path: string) => path.startsWith("usr/lib/modules/") && path.endsWith(".ko");

/** Whether user space could run it: the x bit, or ELF, whatever the mode says. Firmware runs on other processors. */
const isProgram = (path: string, entry: FileEntry): boolean =>
  (entry.mode & 0o111) !== 0 || (isElf(entry.bytes) && !isFirmware(path) && !isModule(path));

/** Package name of what is compiled here (kubernetes/files.ts). */
export const COMPILED = "slipway:kubernetes";

/** The rows that hold for a variant. */
export const rowsOfVariant = (rows: readonly AllowedProgram[], variant: Variant): AllowedProgram[] =>
  rows.filter((row) => row.variant === undefined || row.variant === variant);

/** The rows that a tree's programs would have. */
export function listPrograms(tree: Tree): AllowedProgram[] {
  return sortedPaths(tree).flatMap((path) => {
    const entry = tree.get(path)!;
    if (entry.kind !== "file" || !isProgram(path, entry)) return [];
    const digest = entry.from === COMPILED ? "compiled" : sha256(entry.bytes);
    return [{ path: `/${path}`, package: entry.from, sha256: digest }];
  });
}

/** A library's file name carries its version: libzstd.so.1.5.7 → libzstd.so.#. */
const versionless = (path: string) => path.replaceAll(/\d+(\.\d+)*/g, "#");

function faultOfProgram(
  program: AllowedProgram,
  rows: readonly AllowedProgram[],
  relocked: ReadonlySet<string>,
): string[] {
  const row = rows.find(({ path }) => path === program.path);
  if (relocked.has(program.package)) {
    // The mirror has a newer package than the list: its bytes are Debian's by signature, its names must be the same.
    const known = rows.some(
      (each) => each.package === program.package && versionless(each.path) === versionless(program.path),
    );
    return known ? [] : [`${program.path} (${program.package}) is not in the allow-list`];
  }
  if (row === undefined) return [`${program.path} (${program.package}) is not in the allow-list`];
  if (row.package !== program.package)
    return [`${program.path} comes from ${program.package}, the allow-list says ${row.package}`];
  if (row.sha256 !== program.sha256)
    return [`${program.path} has sha256 ${program.sha256}, the allow-list says ${row.sha256}`];
  return [];
}

function faultsOfContent(path: string, entry: FileEntry): string[] {
  const faults: string[] = [];
  if (entry.bytes[0] === 0x23 && entry.bytes[1] === 0x21) faults.push(`/${path} is a script (it starts with #!)`);
  if (isModule(path) && !entry.from.startsWith("linux-image-"))
    faults.push(`/${path} is a kernel module from ${entry.from}`);
  if (!isElf(entry.bytes) || isFirmware(path) || isModule(path)) return faults;
  const elf = readElf(entry.bytes, path);
  if (elf.kind === "relocatable") faults.push(`/${path} is an object file; only kernel modules may be`);
  const what = findForbidden(entry.bytes, elf);
  if (what !== undefined) faults.push(`/${path} is ${what}, whatever its name`);
  return faults;
}

/**
 * Compares a tree with the allow-list.
 *
 * @param rows the list of the tree's architecture.
 * @param relocked packages whose version differs from the committed lock (a local relock): known by name only.
 * @returns one sentence per fault; empty when the tree may ship.
 */
export function findDisallowed(
  tree: Tree,
  rows: readonly AllowedProgram[],
  relocked: ReadonlySet<string> = new Set(),
): string[] {
  const programs = listPrograms(tree).flatMap((program) => faultOfProgram(program, rows, relocked));
  const contents = sortedPaths(tree).flatMap((path) => {
    const entry = tree.get(path)!;
    return entry.kind === "file" ? faultsOfContent(path, entry) : [];
  });
  return [...programs, ...contents];
}
