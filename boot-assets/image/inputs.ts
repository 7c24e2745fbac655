// One hash over all that an image is made from: when it is the same, so is the image, and nothing is built. Called by
// build.ts.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LockedPackage } from "./lock.ts";
import type { Arch, Variant } from "./packages.ts";
import { sortedPaths, type Tree } from "./tree.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const FOLDERS = ["boot-assets/image", "systemd/initrd"];
/** What only the full image is made from: its files of the root, and what lays Kubernetes' programs and the certificate authorities into it. */
const FULL_ONLY =
  /\/(rootfs-full\/.*|kubernetes\/(pause\/.*|(archive|certificates|files|images|packages|pause|programs)\.ts))$/;
/** These fetch, show or file away; what they fetch is named by its hash in the lock. Go's sources have a key of their own. */
const NO_INPUT =
  /\/(lock\/.*|kubernetes\/.*|(apt|build|cache|fetch-packages|update|deb822|debian-version|download|inputs|ipxe-files|lock|output|progress|update-lock)\.ts)$/;

export type Inputs = {
  arch: Arch;
  version: string;
  variant: Variant;
  packages: readonly LockedPackage[];
  /** What stands elsewhere and decides bytes as well: GRUB's texts, the key of Kubernetes' programs. */
  others: readonly unknown[];
};

/** Whether a file of the recipe decides bytes of this variant. @param file its path below the repository. */
export const isInput = (file: string, variant: Variant): boolean =>
  (variant === "full" && FULL_ONLY.test(file)) || !(NO_INPUT.test(file) || FULL_ONLY.test(file));

/** Of everything but the agent and our units. @returns SHA-256 in hex; the same on every host and at every path. */
export function hashInputs({ packages, ...rest }: Inputs): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([rest, packages.map(({ name, sha256 }) => [name, sha256])]));
  for (const folder of FOLDERS) {
    const files = readdirSync(join(REPOSITORY, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(REPOSITORY.length + 1))
      .filter((file) => isInput(file, rest.variant))
      .sort();
    for (const file of files) {
      const bytes = readFileSync(join(REPOSITORY, file));
      hash.update(JSON.stringify([file, bytes.length])).update(bytes);
    }
  }
  return hash.digest("hex");
}

/** The whole image's: of `body`, and of what is appended to it. It is `builtFrom` in the manifest. */
export function hashWithOwn(body: string, own: Tree): string {
  const hash = createHash("sha256").update(body);
  for (const path of sortedPaths(own)) {
    const { from: _, ...entry } = own.get(path)!;
    const bytes = entry.kind === "file" ? entry.bytes : Buffer.alloc(0);
    hash.update(JSON.stringify([path, { ...entry, bytes: bytes.length }])).update(bytes);
  }
  return hash.digest("hex");
}
