// What the installer takes out of an image's manifest.json: the parts that it fetches, with their lengths and digests, and
// whether the owner signed it. Called by run-install.ts before anything is written. Pure. boot-assets makes the file.
import { createPublicKey, verify } from "node:crypto";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { Sized } from "./install-step.ts";

/** Parts as they are named below the image's URL. */
export const PARTS = ["uki", "kernel", "initrd", "loader", "grub-core", "grub-boot"] as const;
export type Part = (typeof PARTS)[number];

/** Part → member of the manifest. A part that no member names is not in this image: arm64 has no GRUB. */
const MEMBERS: Record<Part, string> = {
  uki: "uki",
  kernel: "kernel",
  initrd: "initrd",
  loader: "loader",
  "grub-core": "grubCore",
  "grub-boot": "grubBoot",
};

export type ImageManifest = {
  arch: "amd64" | "arm64";
  version: string;
  cmdline: string;
  parts: Partial<Record<Part, Sized>>;
};

const REMEDY = "Build the image anew on the appliance (`npm run assets`); the machine then goes on by itself.";
const damaged = (message: string) => new SlipwayError("ASSET_DAMAGED", message, { remedy: REMEDY });

/** @param signature Ed25519, 64 bytes, over the manifest's exact bytes. @param ownerPublicKey SubjectPublicKeyInfo PEM. */
export function isOwnersSignature(manifest: Uint8Array, signature: Uint8Array, ownerPublicKey: string): boolean {
  try {
    return verify(null, manifest, createPublicKey(ownerPublicKey), signature);
  } catch {
    // No key at all, or a signature of another length: neither says that the owner signed.
    return false;
  }
}

/**
 * Reads manifest.json, schema 1. Members that the installer does not need are not looked at.
 * @param where its URL, for messages.
 * @throws ASSET_DAMAGED naming the first member that is wrong.
 */
export function parseImageManifest(text: string, where: string): ImageManifest {
  const json = parseObject(text, where);
  if (json.schema !== 1) throw damaged(`${where}: schema ${JSON.stringify(json.schema)}; this agent reads schema 1`);
  const arch = json.arch;
  if (arch !== "amd64" && arch !== "arm64") throw wrong(where, "arch", arch, "amd64 or arm64");
  const parts: Partial<Record<Part, Sized>> = {};
  for (const part of PARTS) {
    const row = json[MEMBERS[part]];
    if (row !== undefined) parts[part] = sizedOf(row, MEMBERS[part], where);
  }
  return { arch, version: line(json, "version", where), cmdline: line(json, "cmdline", where), parts };
}

/** @throws ASSET_DAMAGED when the image lacks the part; the message says what it would be for. */
export function getPart(manifest: ImageManifest, part: Part, purpose: string): Sized {
  const sized = manifest.parts[part];
  if (sized === undefined) throw damaged(`image ${manifest.version} (${manifest.arch}) has no ${part}: ${purpose}`);
  return sized;
}

function parseObject(text: string, where: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw damaged(`${where} is not JSON`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw damaged(`${where} holds no JSON object`);
  return json as Record<string, unknown>;
}

function sizedOf(row: unknown, name: string, where: string): Sized {
  const { bytes, sha256 } = Object(row) as Record<string, unknown>;
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 1) throw wrong(where, `${name}.bytes`, bytes, "a count");
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw wrong(where, `${name}.sha256`, sha256, "64 lower-case hex digits");
  }
  return { bytes: bytes as number, sha256 };
}

function line(json: Record<string, unknown>, name: string, where: string): string {
  const value = json[name];
  if (typeof value === "string" && /^[^\p{Cc}]{0,4000}$/u.test(value)) return value;
  throw wrong(where, name, value, "one line of text");
}

const wrong = (where: string, name: string, found: unknown, expected: string) =>
  damaged(`${where}: ${name} must be ${expected}, found ${JSON.stringify(found)}`);
