// One hash over all that an image is made from: when it is the same, so is the image, and nothing is built. Called by
// build.ts; it is `builtFrom` in the manifest.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LockedPackage } from "./lock.ts";
import type { Arch } from "./packages.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const FOLDERS = ["boot-assets/image", "systemd/image", "systemd/initrd"];
/** These fetch, show or file away; what they fetch is named by its hash in the lock. Kubernetes is not in the base image. */
const NO_INPUT =
  /\/(lock\/.*|kubernetes\/.*|(apt|build|cache|fetch-packages|update|deb822|debian-version|download|inputs|ipxe-files|lock|output|progress|update-lock)\.ts)$/;

export type Inputs = {
  arch: Arch;
  version: string;
  variant: string;
  agent: Uint8Array;
  packages: readonly LockedPackage[];
};

/** @returns SHA-256 in hex; the same on every host and at every path. */
export function hashInputs({ agent, packages, ...rest }: Inputs): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([rest, packages.map(({ name, sha256 }) => [name, sha256])]));
  for (const folder of FOLDERS) {
    const files = readdirSync(join(REPOSITORY, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(REPOSITORY.length + 1))
      .filter((file) => !NO_INPUT.test(file))
      .sort();
    for (const file of files) {
      const bytes = readFileSync(join(REPOSITORY, file));
      hash.update(JSON.stringify([file, bytes.length])).update(bytes);
    }
  }
  return hash.update(agent).digest("hex");
}
