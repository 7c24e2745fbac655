// Talos's META partition: a small store of tag → bytes that survives upgrades, and holds what a node needs before STATE is
// open. Two equal copies; a torn one is noticed by its checksum. Called by plan-install.ts and the agent's store. Pure.
// Source: Talos's ADV format, checked against its own reader's rules (first copy that is whole wins).
//
//   0 magic 5a4b3c2d | 4 … tag (BE) length (BE) value, … tag 0 | −36 SHA-256, taken with itself zeroed | −4 magic a5b4c3d2
import { createHash } from "node:crypto";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { DiskWrite } from "./gpt.ts";

export const META_COPY_BYTES = 256 * 1024;
const COPIES = 2;
const MAGIC_START = 0x5a4b3c2d;
const MAGIC_END = 0xa5b4c3d2;
const DATA_AT = 4;
const DATA_END = META_COPY_BYTES - 36;
const TAG_BYTES = 8;

/** Talos's own tags (talosctl meta write KEY …), with its numbers. */
export const TALOS_TAGS = {
  upgrade: 0x06,
  stagedUpgradeImage: 0x07,
  stagedUpgradeOptions: 0x08,
  stateEncryption: 0x09,
  networkConfig: 0x0a,
  downloadUrlCode: 0x0b,
  userReserved1: 0x0c,
  userReserved2: 0x0d,
  userReserved3: 0x0e,
  uuidOverride: 0x0f,
  uniqueMachineToken: 0x10,
  diskImageBootloader: 0x11,
} as const;

/**
 * Ours. They lie above 255, where Talos's API cannot reach (it refuses keys over 255), so that no client overwrites them;
 * the format has room for 32 bits. Their low bytes collide with none of Talos's tags, should its reader cut them to 8 bits.
 */
export const SLIPWAY_TAGS = {
  /** PEM of the owner's Ed25519 public key: what the image's manifest is signed with. */
  ownerPublicKey: 0x5301c0,
  /** PEM of the appliance's CA. */
  applianceCa: 0x5301c1,
  /** `host:port`, one a line, best first. */
  applianceAddresses: 0x5301c2,
  /** Number of the install that filled this disk, decimal. */
  installNumber: 0x5301c3,
} as const;

export type MetaTags = ReadonlyMap<number, Uint8Array>;
/** A fault and its place, in bytes from the start of the partition. */
export type MetaFault = { at: number; message: string };
/** `damaged`: something was there, and neither copy is whole. */
export type MetaReading =
  | { kind: "meta"; tags: Map<number, Uint8Array>; copy: 1 | 2; faults: MetaFault[] }
  | { kind: "blank" }
  | { kind: "damaged"; faults: MetaFault[] };

/**
 * Two writes, to be made one after the other with an fsync in between: then one copy is whole at any moment.
 * Offsets are from the start of the partition.
 *
 * @throws SlipwayError DOES_NOT_FIT when the values need more than one copy has, INTERNAL for a tag outside 1 to 2^32 − 1.
 */
export function encodeMeta(tags: MetaTags): [DiskWrite, DiskWrite] {
  const copy = Buffer.alloc(META_COPY_BYTES);
  copy.writeUInt32BE(MAGIC_START, 0);
  copy.writeUInt32BE(MAGIC_END, META_COPY_BYTES - 4);
  let at = DATA_AT;
  for (const [tag, value] of [...tags].sort(([a], [b]) => a - b)) {
    if (!Number.isInteger(tag) || tag < 1 || tag > 0xffffffff) {
      throw new SlipwayError("INTERNAL", `META tag ${tag}; 1 to 4294967295 are possible`);
    }
    if (at + TAG_BYTES + value.length > DATA_END) {
      const left = Math.max(0, DATA_END - at - TAG_BYTES);
      throw new SlipwayError("DOES_NOT_FIT", `META tag ${tag} has ${value.length} bytes; ${left} are left of 256 KiB`, {
        remedy: "Delete a META key that is no longer needed (`talosctl meta delete KEY`), or write a shorter value.",
      });
    }
    copy.writeUInt32BE(tag, at);
    copy.writeUInt32BE(value.length, at + 4);
    copy.set(value, at + TAG_BYTES);
    at += TAG_BYTES + value.length;
  }
  createHash("sha256").update(copy).digest().copy(copy, DATA_END);
  return [
    { offset: 0, bytes: copy },
    { offset: META_COPY_BYTES, bytes: Buffer.from(copy) },
  ];
}

/** Reads the first copy that is whole. Faults of a copy that was passed over are told beside the result. */
export function decodeMeta(partition: Uint8Array): MetaReading {
  const bytes = Buffer.from(partition.buffer, partition.byteOffset, partition.byteLength);
  const faults: MetaFault[] = [];
  for (let n = 0; n < COPIES; n++) {
    const start = n * META_COPY_BYTES;
    const copy = bytes.subarray(start, start + META_COPY_BYTES);
    const fault = faultOfCopy(copy, start);
    const tags = fault === undefined ? decodeTags(copy, start) : fault;
    if (tags instanceof Map) return { kind: "meta", tags, copy: n === 0 ? 1 : 2, faults };
    faults.push(tags);
  }
  return bytes.equals(Buffer.alloc(bytes.length)) ? { kind: "blank" } : { kind: "damaged", faults };
}

function faultOfCopy(copy: Buffer, start: number): MetaFault | undefined {
  if (copy.length < META_COPY_BYTES) {
    return { at: start, message: `${copy.length} bytes; a copy has ${META_COPY_BYTES}` };
  }
  if (copy.readUInt32BE(0) !== MAGIC_START) return { at: start, message: "no magic 5a4b3c2d" };
  if (copy.readUInt32BE(META_COPY_BYTES - 4) !== MAGIC_END) {
    return { at: start + META_COPY_BYTES - 4, message: "no magic a5b4c3d2" };
  }
  const hash = createHash("sha256").update(copy.subarray(0, DATA_END)).update(Buffer.alloc(32));
  const digest = hash.update(copy.subarray(META_COPY_BYTES - 4)).digest();
  if (!digest.equals(copy.subarray(DATA_END, DATA_END + 32))) {
    return { at: start + DATA_END, message: "the copy does not match its SHA-256" };
  }
  return undefined;
}

function decodeTags(copy: Buffer, start: number): Map<number, Uint8Array> | MetaFault {
  const tags = new Map<number, Uint8Array>();
  let at = DATA_AT;
  while (at + TAG_BYTES <= DATA_END) {
    const tag = copy.readUInt32BE(at);
    if (tag === 0) break;
    const length = copy.readUInt32BE(at + 4);
    if (at + TAG_BYTES + length > DATA_END) {
      return { at: start + at, message: `tag ${tag} has ${length} bytes, ${DATA_END - at - TAG_BYTES} are left` };
    }
    tags.set(tag, new Uint8Array(copy.subarray(at + TAG_BYTES, at + TAG_BYTES + length)));
    at += TAG_BYTES + length;
  }
  return tags;
}
