// One hash over all that decides the bytes of the Go programs: when it is the same, they are, and nothing is compiled.
// Called by build.ts. The two small container images are made anew each time (images.ts): that takes milliseconds.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Arch } from "../packages.ts";
import { buildArguments, compileSettings } from "./go-command.ts";
import { TOOLCHAIN } from "./versions.ts";

/** A file of the Go module; `name` is below its directory. */
export type Source = { name: string; bytes: Uint8Array };

/** go.mod, go.sum and everything below programs/. */
export function readSources(dir: string): Source[] {
  const programs = readdirSync(join(dir, "programs"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".go") && !entry.name.endsWith("_test.go"))
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1));
  return ["go.mod", "go.sum", ...programs].map((name) => ({ name, bytes: readFileSync(join(dir, name)) }));
}

/**
 * SHA-256 in hex. Neither the place of the work tree, nor the kind of host, nor the number of jobs counts: trimmed paths
 * and the pinned toolchain see to it that they do not decide a byte.
 */
export function hashSources(arch: Arch, sources: readonly Source[]): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([buildArguments("out"), compileSettings(arch), TOOLCHAIN.version]));
  for (const { name, bytes } of [...sources].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(JSON.stringify([name, bytes.length])).update(bytes);
  }
  return hash.digest("hex");
}
