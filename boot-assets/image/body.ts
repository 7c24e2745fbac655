// Everything of an image but the agent and our units, packed and kept by the hash of what it is made from: the long step of a build, and
// not repeated while only these change. Called by build.ts.
import { createHash } from "node:crypto";
import { SlipwayError } from "../../server/contract/errors.ts";
import { findDisallowed, readAllowList, rowsOfVariant } from "./allow-list.ts";
import { compiledParts, lockedParts } from "./bill-of-materials.ts";
import { type Locks, rowsFor } from "./fetch-packages.ts";
import { grubInputs } from "./grub.ts";
import { type ComposedImage, composeImage } from "./image.ts";
import { hashInputs } from "./inputs.ts";
import type { KubernetesBuild } from "./kubernetes/build.ts";
import { COMPONENTS } from "./kubernetes/versions.ts";
import { findBuilt, forgetOldBuilds, keepBuilt } from "./output.ts";
import { packBody } from "./pack.ts";
import type { Arch, Variant } from "./packages.ts";
import type { Progress } from "./progress.ts";
import type { Toolbox } from "./tools.ts";
import { addEntry, addParents, sortedPaths, type Tree } from "./tree.ts";

export type BodyInput = {
  arch: Arch;
  variant: Variant;
  version: string;
  locks: Locks;
  /** What is compiled; undefined for `base`. */
  kubernetes: KubernetesBuild | undefined;
  tools: Toolbox;
  cacheDir: string;
  progress: Progress;
};

/** Hash of all that decides the body's bytes. */
export function bodyKey({ arch, variant, version, locks, kubernetes }: BodyInput): string {
  const packages = [...rowsFor(arch, locks[arch], variant), ...rowsFor("tools", locks.tools, variant)];
  const compiled = kubernetes === undefined ? null : [kubernetes.key, placesOf(kubernetes.files)];
  return hashInputs({ arch, variant, version, packages, others: [grubInputs(), compiled] });
}

/** Where the compiled files lie, which server/contract decides: their key is of their sources alone. Archives are small. */
export const placesOf = (files: Tree): unknown[] =>
  sortedPaths(files).map((path) => {
    const entry = files.get(path)!;
    if (entry.kind === "link") return [path, entry.target];
    return entry.kind === "file" && path.endsWith(".tar") ? [path, sha256(entry.bytes)] : [path];
  });
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** @throws SlipwayError INTERNAL naming each file that these trees may not hold. */
export function assertAllowed(trees: readonly Tree[], { arch, variant, locks }: BodyInput): void {
  const rows = rowsOfVariant(readAllowList()[arch], variant);
  const faults = trees.flatMap((tree) => findDisallowed(tree, rows, locks.relocked));
  if (faults.length === 0) return;
  throw new SlipwayError(
    "INTERNAL",
    `the ${arch} image (${variant}) holds what it must not:\n  ${[...new Set(faults)].join("\n  ")}`,
    { remedy: "docs/image.md says how a program enters boot-assets/image/allow-list.json." },
  );
}

async function compose(input: BodyInput, workDir: string): Promise<ComposedImage> {
  const composed = await composeImage({ ...input, lock: input.locks[input.arch], workDir });
  for (const [path, entry] of input.kubernetes?.files ?? []) addEntry(composed.root, path, entry);
  addParents(composed.root);
  assertAllowed([composed.root, composed.initrd], input);
  return composed;
}

/** @returns the body's directory in the cache (files: pack.ts). @throws SlipwayError INTERNAL when the recipe does not hold. */
export async function needBody(input: BodyInput, workDir: string): Promise<string> {
  const { arch, variant, locks, tools, cacheDir, progress, kubernetes } = input;
  const prefix = `body-${arch}-${variant}-`;
  const key = prefix + bodyKey(input);
  const found = findBuilt(cacheDir, key);
  if (found !== undefined) return found;
  const composed = await compose(input, workDir);
  const rows = [...locks[arch].packages, ...locks.tools.packages.filter(({ name }) => name === "grub-pc-bin")];
  const parts = [
    ...lockedParts(rows, [composed.root, composed.initrd], composed.otherPackages),
    ...(kubernetes === undefined ? [] : compiledParts(COMPONENTS)),
  ];
  progress.say(`${arch} ${variant}: packing the root (${composed.root.size} files); this is the long step`);
  const dir = keepBuilt(cacheDir, key, await packBody(composed, parts, tools, workDir));
  forgetOldBuilds(cacheDir, prefix, key);
  return dir;
}
