// Our own mark on a disk: whose it is, which machine's, and how far its install came. It is the first thing written and the
// last thing changed, so that a cut install is known as ours. Two copies, written in turn: a cut leaves the other one.
// Called by classify-disk.ts and plan-install.ts. Pure. No secret: anyone with the disk in hand reads it.
//
//   0  "SLIPWAY MARKER\0\1" (16) | 16 length of the text (LE) | 20 CRC-32 of the text (LE) | 24 JSON, UTF-8 | zeros to 4096
import { SlipwayError } from "../../server/contract/errors.ts";
import { crc32 } from "./crc32.ts";
import { MARKER_COPIES, MARKER_COPY_BYTES, MARKER_OFFSET } from "./disk-areas.ts";
import type { DiskWrite } from "./gpt.ts";
import { bytesAt, type DiskBytes } from "./gpt-decode.ts";
import { isGuid } from "./guid.ts";
import type { LayoutGuids } from "./layout.ts";

/**
 * How far an install came; each phase is written when its predecessor's work is on the disk.
 * `wiping`: what a person gave up is being erased. `partitioning`: nothing foreign is left; table and file systems are
 * made. `filling`: they stand; files are written. `complete`: the disk boots.
 */
export const PHASES = ["wiping", "partitioning", "filling", "complete"] as const;
export type Phase = (typeof PHASES)[number];

export type Marker = {
  schema: 1;
  /** Counts up with each write; the copy with the higher one holds. */
  sequence: number;
  /** SHA-256 of the owner's public key, hex. */
  owner: string;
  /** The machine's id in the owner's inventory. */
  machine: string;
  /** Number of this install: the loader orders entries by it. */
  install: number;
  /** The appliance's word for this install: the same one goes on where it was cut, another one installs anew. */
  order: string;
  phase: Phase;
  /** GUIDs of the table: only a table with this disk GUID is ours. */
  guids: LayoutGuids;
  /** In `wiping`: the signatures that may be erased (`formatSignature`). One that is not listed came later and is not ours. */
  erases: readonly string[];
};

const MAGIC = "SLIPWAY MARKER\0\x01";
const TEXT_AT = 24;

/** Bytes for the copy that this sequence number goes to; the other copy is left alone. */
export function encodeMarker(marker: Marker): DiskWrite {
  const text = Buffer.from(JSON.stringify(marker), "utf8");
  if (text.length > MARKER_COPY_BYTES - TEXT_AT) {
    throw new SlipwayError(
      "DOES_NOT_FIT",
      `install marker of ${text.length} bytes; ${MARKER_COPY_BYTES - TEXT_AT} fit`,
      {
        remedy: "The disk carries too many signatures to list: erase it by hand, then install again.",
      },
    );
  }
  const bytes = Buffer.alloc(MARKER_COPY_BYTES);
  bytes.write(MAGIC, 0, "latin1");
  bytes.writeUInt32LE(text.length, 16);
  bytes.writeUInt32LE(crc32(text), 20);
  text.copy(bytes, TEXT_AT);
  return { offset: MARKER_OFFSET + (marker.sequence % MARKER_COPIES) * MARKER_COPY_BYTES, bytes };
}

/** The marker of a disk: the whole copy with the highest sequence number; undefined when no copy is whole. */
export function findMarker(disk: DiskBytes): Marker | undefined {
  const copies = Array.from({ length: MARKER_COPIES }, (_, n) => MARKER_OFFSET + n * MARKER_COPY_BYTES)
    .map((at) => decodeCopy(bytesAt(disk, at, MARKER_COPY_BYTES)))
    .filter((marker) => marker !== undefined);
  return copies.sort((a, b) => b.sequence - a.sequence)[0];
}

function decodeCopy(bytes: Buffer | undefined): Marker | undefined {
  if (bytes === undefined || bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) return undefined;
  const length = bytes.readUInt32LE(16);
  if (length > MARKER_COPY_BYTES - TEXT_AT) return undefined;
  const text = bytes.subarray(TEXT_AT, TEXT_AT + length);
  if (crc32(text) !== bytes.readUInt32LE(20)) return undefined;
  try {
    const marker: unknown = JSON.parse(text.toString("utf8"));
    return isMarker(marker) ? marker : undefined;
  } catch {
    // Text that no version of ours wrote, with a right checksum: somebody else's bytes, so no marker of ours.
    return undefined;
  }
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown) => typeof value === "string" && /^[^\p{Cc}]{1,200}$/u.test(value);
const LABELS = ["disk", "EFI", "BIOS", "BOOT", "META", "STATE", "EPHEMERAL"];

/** Member → what it must be. A checksum says that the bytes are whole, not that they mean something. */
const MEMBERS: Record<keyof Marker, (value: unknown) => boolean> = {
  schema: (value) => value === 1,
  sequence: isCount,
  owner: isText,
  machine: isText,
  install: isCount,
  order: isText,
  phase: (value) => (PHASES as readonly unknown[]).includes(value),
  guids: (value) => {
    const guids = Object(value) as Record<string, unknown>;
    return LABELS.every((label) => typeof guids[label] === "string" && isGuid(guids[label] as string));
  },
  erases: (value) => Array.isArray(value) && value.every(isText),
};

function isMarker(value: unknown): value is Marker {
  if (typeof value !== "object" || value === null) return false;
  const members = value as Record<string, unknown>;
  return Object.entries(MEMBERS).every(([name, isRight]) => isRight(members[name]));
}
