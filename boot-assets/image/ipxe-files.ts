// The iPXE binaries that are served, as Debian 13 builds them, with their list (ipxe.json). Called by build.ts.
import { createHash } from "node:crypto";
import { SlipwayError } from "../../server/contract/errors.ts";
import { unpack } from "./deb.ts";
import type { Lock } from "./lock.ts";

/** Name below <assetsDir>/ipxe → file of the package. The names are those of server/boot/paths.ts. */
const FILES: Record<string, string> = {
  "bios/undionly.kpxe": "usr/lib/ipxe/undionly.kpxe",
  "x86_64/snponly.efi": "usr/lib/ipxe/snponly.efi",
  "arm64/ipxe-arm64.efi": "usr/lib/ipxe/ipxe-arm64.efi",
};

/** All files of <assetsDir>/ipxe, by name. */
export async function readIpxeFiles(cacheDir: string, tools: Lock): Promise<Map<string, Uint8Array>> {
  const row = tools.packages.find(({ name }) => name === "ipxe");
  if (row === undefined) throw new SlipwayError("INTERNAL", "the lock has no package ipxe");
  const tree = await unpack(cacheDir, row, Object.values(FILES));
  const files = new Map<string, Uint8Array>();
  const list: Record<string, { bytes: number; sha256: string }> = {};
  for (const [name, path] of Object.entries(FILES)) {
    const entry = tree.get(path);
    if (entry?.kind !== "file") throw new SlipwayError("INTERNAL", `package ipxe ${row.version} has no /${path}`);
    files.set(name, entry.bytes);
    list[name] = { bytes: entry.bytes.length, sha256: createHash("sha256").update(entry.bytes).digest("hex") };
  }
  const json = { version: row.version, package: row.sha256, files: list };
  files.set("ipxe.json", Buffer.from(`${JSON.stringify(json, undefined, 2)}\n`));
  return files;
}
