// What stands beside an OS image (manifest.json) and beside the iPXE loaders (ipxe.json): parse and check, by hand.
// boot-assets/image/ writes both; boot-assets/store.ts reads them at start. A fault names the field, the value and what
// was expected. Pure.
//
//   <assetsDir>/images/<arch>-<variant>/  manifest.json  manifest.sig  slipway.uki.efi  sbom.spdx.json  loader.efi
//                                         grub-core.img  grub-boot.img (amd64: a machine with a BIOS)
//   <assetsDir>/ipxe/                     ipxe.json  bios/undionly.kpxe  x86_64/snponly.efi  arm64/ipxe-arm64.efi
import { SlipwayError } from "../server/contract/errors.ts";

/** A part of an image: a byte range of its UKI, which has the digest of its own bytes. */
export type Range = { offset: number; bytes: number; sha256: string };

/** A whole file beside the manifest. */
export type Whole = { file: string; bytes: number; sha256: string };

/** manifest.json, schema 1. Members that this version does not know (packages, files …) are kept out, not refused. */
export type Manifest = {
  schema: 1;
  name: string;
  version: string;
  variant: "base" | "full";
  arch: "amd64" | "arm64";
  /** First hex digits of the UKI's SHA-256: stands in URLs. */
  id: string;
  uki: Whole;
  kernel: Range;
  initrd: Range;
  cmdline: string;
  /** What an installer puts onto a disk besides: systemd-boot, GRUB's core image, and the boot code that loads it. */
  loader?: Whole;
  grubCore?: Whole;
  grubBoot?: Whole;
};
/** Rows that an image may lack: those of older builds, and GRUB's where no machine has a BIOS. */
const OPTIONAL = ["loader", "grubCore", "grubBoot"] as const;

/** One loader of ipxe.json: `path` is relative to `<assetsDir>/ipxe/`. */
export type LoaderEntry = { path: string; bytes: number; sha256: string };
export type LoaderList = { version: string; files: LoaderEntry[] };

type Json = Readonly<Record<string, unknown>>;

const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Reads manifest.json.
 *
 * @param text the file's exact text (the signature is over these bytes).
 * @param where its path, for messages.
 * @throws ASSET_DAMAGED naming the first field that is wrong.
 */
export function parseManifest(text: string, where: string): Manifest {
  const json = parseObject(text, where);
  const field = fieldsOf(json, where);
  const manifest: Manifest = {
    schema: field.oneOf("schema", [1]),
    name: field.text("name", /^[^\p{Cc}]{1,100}$/u),
    version: field.text("version", /^[^\p{Cc}]{1,100}$/u),
    variant: field.oneOf("variant", ["base", "full"]),
    arch: field.oneOf("arch", ["amd64", "arm64"]),
    id: field.text("id", /^[0-9a-z][0-9a-z._-]{3,63}$/),
    uki: whole(field, "uki"),
    kernel: { offset: field.count("kernel.offset"), ...sized(field, "kernel") },
    initrd: { offset: field.count("initrd.offset"), ...sized(field, "initrd") },
    cmdline: field.text("cmdline", /^[^\p{Cc}]{0,4000}$/u),
    ...Object.fromEntries(
      OPTIONAL.filter((name) => json[name] !== undefined).map((name) => [name, whole(field, name)]),
    ),
  };
  for (const part of ["kernel", "initrd"] as const) assertInside(manifest[part], part, manifest.uki.bytes, where);
  return manifest;
}

/**
 * Reads ipxe.json: `{ version, files: { "<path>": { bytes, sha256 } } }`, or the same rows as a list with `path`.
 * @throws ASSET_DAMAGED naming the first field that is wrong.
 */
export function parseLoaderList(text: string, where: string): LoaderList {
  const json = parseObject(text, where);
  const version = fieldsOf(json, where).text("version", /^[^\p{Cc}]{1,100}$/u);
  const rows = json.files;
  if (typeof rows !== "object" || rows === null)
    throw wrong(where, "files", rows, "an object of path → {bytes, sha256}");
  const files = Object.entries(rows).map(([key, row]): LoaderEntry => {
    const field = fieldsOf(typeof row === "object" && row !== null ? (row as Json) : {}, `${where}: files.${key}`);
    const path = Array.isArray(rows) ? field.text("path", LOADER_PATH) : key;
    if (!LOADER_PATH.test(path)) throw wrong(where, "files", path, "a path such as x86_64/snponly.efi");
    return { path, bytes: field.count("bytes"), sha256: field.text("sha256", SHA256) };
  });
  return { version, files };
}

const LOADER_PATH = /^(?!\.)[\w.-]+\/(?!\.)[\w.-]+$/;

type Fields = ReturnType<typeof fieldsOf>;

/** Readers of one object's members; `a.b` reads into a nested object. */
function fieldsOf(json: Json, where: string) {
  const read = (name: string): unknown =>
    name.split(".").reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), json);
  return {
    text(name: string, form: RegExp): string {
      const value = read(name);
      if (typeof value !== "string" || !form.test(value)) throw wrong(where, name, value, `text like ${form.source}`);
      return value;
    },
    count(name: string): number {
      const value = read(name);
      if (!Number.isSafeInteger(value) || (value as number) < 0)
        throw wrong(where, name, value, "a whole number, 0 or more");
      return value as number;
    },
    oneOf<const T extends string | number>(name: string, allowed: readonly T[]): T {
      const value = read(name);
      const found = allowed.find((one) => one === value);
      if (found === undefined) throw wrong(where, name, value, `one of ${allowed.join(", ")}`);
      return found;
    },
  };
}

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;

const whole = (field: Fields, part: string): Whole => ({
  file: field.text(`${part}.file`, /^(?!\.)[^/\p{Cc}]{1,255}$/u),
  ...sized(field, part),
});

const sized = (field: Fields, part: string) => ({
  bytes: field.count(`${part}.bytes`),
  sha256: field.text(`${part}.sha256`, SHA256),
});

function parseObject(text: string, where: string): Json {
  try {
    const json: unknown = JSON.parse(text);
    if (isObject(json) && !Array.isArray(json)) return json;
  } catch (cause) {
    throw new SlipwayError("ASSET_DAMAGED", `${where} is not JSON`, { cause });
  }
  throw new SlipwayError("ASSET_DAMAGED", `${where} must hold one JSON object`);
}

function assertInside(range: Range, part: string, total: number, where: string): void {
  if (range.offset + range.bytes > total) {
    throw wrong(where, part, `bytes ${range.offset} to ${range.offset + range.bytes}`, `a range inside ${total} bytes`);
  }
}

const wrong = (where: string, name: string, found: unknown, expected: string) =>
  new SlipwayError("ASSET_DAMAGED", `${where}: ${name} must be ${expected}, found ${JSON.stringify(found)}`);
