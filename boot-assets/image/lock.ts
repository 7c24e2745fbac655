// The lock: which exact .deb (and npm) files an image is made of. boot-assets/image/lock/*.json are committed;
// `npm run assets:update` writes them anew; build.ts reads them. Pure but for the two functions that read and write.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { Archive, Offer } from "./apt.ts";
import { compareVersions } from "./debian-version.ts";
import { lockedFor } from "./kubernetes/packages.ts";
import { type Arch, type LockName, NPM_PACKAGES, type Wanted } from "./packages.ts";

/** One file to fetch: `file` is its path below the archive's root, or the npm specification. */
export type LockedPackage = {
  name: string;
  version: string;
  arch: Arch | "all";
  archive: Archive | "npm";
  file: string;
  bytes: number;
  sha256: string;
};
export type Lock = { schema: 1; packages: LockedPackage[] };

const LOCK_DIR = join(import.meta.dirname, "lock");
const lockPath = (name: LockName, dir = LOCK_DIR) => join(dir, `${name}.json`);

/** Reads a committed lock (or one in `dir`, written by a local relock). */
export const readLock = (name: LockName, dir?: string): Lock =>
  JSON.parse(readFileSync(lockPath(name, dir), "utf8")) as Lock;

/** One package a line, so that a new lock shows as a diff that a person can read. */
export function writeLock(name: LockName, lock: Lock, dir?: string): void {
  const rows = lock.packages.map((row) => `    ${JSON.stringify(row)}`).join(",\n");
  writeFileSync(lockPath(name, dir), `{\n  "schema": 1,\n  "packages": [\n${rows}\n  ]\n}\n`);
}

function newest(offers: readonly Offer[], name: string): Offer {
  const candidates = offers.filter(({ paragraph }) => paragraph.get("package") === name);
  const best = candidates.sort((a, b) => compareVersions(b.paragraph.get("version")!, a.paragraph.get("version")!))[0];
  if (best === undefined) {
    throw new SlipwayError("NOT_FOUND", `Debian 13 has no package ${name} (packages.ts wants it)`, {
      remedy: "Check the name in boot-assets/image/packages.ts against the release.",
    });
  }
  return best;
}

/** A metapackage (`follow`) stands for the one package of its Depends that matches: the kernel of the day. */
function follow(offers: readonly Offer[], wanted: Wanted): Offer {
  const meta = newest(offers, wanted.name);
  if (wanted.follow === undefined) return meta;
  const names = meta.paragraph
    .get("depends")!
    .split(",")
    .map((part) => part.trim().split(" ")[0]!);
  return newest(offers, names.find((name) => wanted.follow!.test(name)) ?? wanted.name);
}

/** The newest offer of every wanted package, in the table's order. Pure. */
export function resolveLock(wanted: readonly Wanted[], offers: readonly Offer[]): LockedPackage[] {
  const names = new Set(wanted.map(({ name }) => name));
  const near = offers.filter(({ paragraph }) => {
    const name = paragraph.get("package")!;
    return names.has(name) || wanted.some((row) => row.follow?.test(name));
  });
  return wanted.map((row) => {
    const { archive, paragraph } = follow(near, row);
    return {
      name: paragraph.get("package")!,
      version: paragraph.get("version")!,
      arch: paragraph.get("architecture") as Arch | "all",
      archive,
      file: paragraph.get("filename")!,
      bytes: Number(paragraph.get("size")),
      sha256: paragraph.get("sha256")!,
    };
  });
}

/** Debian rows resolved from the offers, npm rows as packages.ts pins them. */
export function newLock(name: LockName, offers: readonly Offer[]): Lock {
  const npm = NPM_PACKAGES.filter(({ lock }) => lock === name).map(({ lock: _, ...row }) => row);
  return { schema: 1, packages: [...resolveLock(lockedFor(name, "full"), offers), ...npm] };
}
