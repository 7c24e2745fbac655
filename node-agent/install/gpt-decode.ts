// Bytes of a disk → its GUID partition table. Both copies are looked at; one that is whole is enough. What is wrong is an
// outcome with byte offsets, never an exception: any disk may be put into a machine. Called by classify-disk.ts. Pure.
// Source: UEFI 2.10 §5.3.2: a header counts when signature, checksums and its own LBA are right.
import { crc32 } from "./crc32.ts";
import {
  ENTRY_BYTES,
  type Gpt,
  type GptPartition,
  HEADER_BYTES,
  LABEL_UNITS,
  overlaps,
  REVISION,
  type SectorBytes,
  SIGNATURE,
} from "./gpt.ts";
import { decodeGuid, NIL_GUID } from "./guid.ts";

/** A fault and its place, in bytes from the start of the disk. */
export type GptFault = { at: number; message: string };

/** `damaged`: a table once stood there, and neither copy can be trusted. */
export type GptReading =
  | { kind: "gpt"; gpt: Gpt; from: "primary" | "backup"; faults: GptFault[] }
  | { kind: "none" }
  | { kind: "damaged"; faults: GptFault[] };

export type DiskBytes = {
  sizeBytes: number;
  sectorBytes: SectorBytes;
  /** The disk's first bytes; 36 KiB hold any usual table. */
  head: Uint8Array;
  /** The disk's last bytes. */
  tail: Uint8Array;
};

type Copy = { kind: "copy"; gpt: Gpt; faults: GptFault[] } | { kind: "none" } | { kind: "bad"; faults: GptFault[] };

/** More than any tool writes; the rest of a hostile header's entries is not looked at. */
const MOST_ENTRIES = 1024;

/** Reads the primary, and where that is not whole the backup. Faults of the other copy are told beside the result. */
export function decodeGpt(disk: DiskBytes): GptReading {
  const sectors = Math.floor(disk.sizeBytes / disk.sectorBytes);
  const primary = decodeCopy(disk, 1);
  const backup = decodeCopy(disk, sectors - 1);
  if (primary.kind === "copy") {
    return { kind: "gpt", gpt: primary.gpt, from: "primary", faults: [...primary.faults, ...faultsOf(backup, disk)] };
  }
  if (backup.kind === "copy") {
    const missing = { at: disk.sectorBytes, message: "no primary table; the backup at the disk's end is used" };
    const faults = primary.kind === "none" ? [missing] : primary.faults;
    return { kind: "gpt", gpt: backup.gpt, from: "backup", faults: [...faults, ...backup.faults] };
  }
  if (primary.kind === "none" && backup.kind === "none") return { kind: "none" };
  return { kind: "damaged", faults: [primary, backup].flatMap((copy) => (copy.kind === "bad" ? copy.faults : [])) };
}

function faultsOf(backup: Copy, disk: DiskBytes): GptFault[] {
  if (backup.kind !== "none") return backup.faults;
  return [{ at: disk.sizeBytes - disk.sectorBytes, message: "no backup table at the disk's end" }];
}

/** `length` bytes from `at` of the disk, or undefined where they were not read. */
export function bytesAt({ sizeBytes, head, tail }: DiskBytes, at: number, length: number): Buffer | undefined {
  const tailAt = sizeBytes - tail.length;
  if (at >= 0 && at + length <= head.length) return Buffer.from(head.buffer, head.byteOffset + at, length);
  if (at < tailAt || at + length > sizeBytes) return undefined;
  return Buffer.from(tail.buffer, tail.byteOffset + at - tailAt, length);
}

function decodeCopy(disk: DiskBytes, lba: number): Copy {
  const { sectorBytes } = disk;
  const at = lba * sectorBytes;
  const header = bytesAt(disk, at, sectorBytes);
  if (header === undefined || header.toString("latin1", 0, 8) !== SIGNATURE) return { kind: "none" };
  const faults = headerFaults(header, at, lba);
  if (faults.length > 0) return { kind: "bad", faults };
  const entriesAt = Number(header.readBigUInt64LE(72)) * sectorBytes;
  const count = header.readUInt32LE(80);
  const entryBytes = header.readUInt32LE(84);
  const entries = bytesAt(disk, entriesAt, count * entryBytes);
  if (entries === undefined) {
    const message = `entries at byte ${entriesAt}, ${count} of ${entryBytes} bytes, lie outside of what was read`;
    return { kind: "bad", faults: [{ at: at + 72, message }] };
  }
  if (crc32(entries) !== header.readUInt32LE(88)) {
    return { kind: "bad", faults: [{ at: entriesAt, message: "the entries do not match their checksum" }] };
  }
  const partitions = decodeEntries(entries, entryBytes);
  const sectors = Math.floor(disk.sizeBytes / sectorBytes);
  const gpt: Gpt = { diskGuid: decodeGuid(header, 56), sectorBytes, sectors, partitions };
  return { kind: "copy", gpt, faults: partitionFaults(gpt, header, entriesAt) };
}

/** In the order in which they decide; the first one makes the rest meaningless. */
function headerFaults(header: Buffer, at: number, lba: number): GptFault[] {
  const length = header.readUInt32LE(12);
  if (header.readUInt32LE(8) !== REVISION) {
    return [{ at: at + 8, message: `revision 0x${header.readUInt32LE(8).toString(16)}; 0x10000 is expected` }];
  }
  if (length < HEADER_BYTES || length > header.length) {
    return [{ at: at + 12, message: `header of ${length} bytes; 92 to ${header.length} are expected` }];
  }
  const copy = Buffer.from(header.subarray(0, length));
  copy.writeUInt32LE(0, 16);
  if (crc32(copy) !== header.readUInt32LE(16)) {
    return [{ at: at + 16, message: "the header does not match its checksum" }];
  }
  const own = header.readBigUInt64LE(24);
  if (own !== BigInt(lba)) return [{ at: at + 24, message: `the header says LBA ${own}; it stands at ${lba}` }];
  const count = header.readUInt32LE(80);
  const entryBytes = header.readUInt32LE(84);
  if (count > MOST_ENTRIES || entryBytes < ENTRY_BYTES || entryBytes % 8 !== 0 || entryBytes > 4096) {
    return [{ at: at + 80, message: `${count} entries of ${entryBytes} bytes; up to ${MOST_ENTRIES} of 128 or more` }];
  }
  return [];
}

function decodeEntries(entries: Buffer, entryBytes: number): GptPartition[] {
  const partitions: GptPartition[] = [];
  for (let at = 0; at + ENTRY_BYTES <= entries.length; at += entryBytes) {
    const typeGuid = decodeGuid(entries, at);
    if (typeGuid === NIL_GUID) continue;
    partitions.push({
      number: at / entryBytes + 1,
      typeGuid,
      guid: decodeGuid(entries, at + 16),
      firstLba: Number(entries.readBigUInt64LE(at + 32)),
      lastLba: Number(entries.readBigUInt64LE(at + 40)),
      attributes: entries.readBigUInt64LE(at + 48),
      label: entries.toString("utf16le", at + 56, at + 56 + LABEL_UNITS * 2).split("\0")[0]!,
    });
  }
  return partitions;
}

function partitionFaults(gpt: Gpt, header: Buffer, entriesAt: number): GptFault[] {
  const first = Number(header.readBigUInt64LE(40));
  const last = Number(header.readBigUInt64LE(48));
  const outside = gpt.partitions
    .filter((p) => p.firstLba < first || p.lastLba > last || p.lastLba < p.firstLba || p.lastLba >= gpt.sectors)
    .map((p) => ({
      at: entriesAt + (p.number - 1) * header.readUInt32LE(84) + 32,
      message: `partition ${p.number} is at LBA ${p.firstLba} to ${p.lastLba}; usable are ${first} to ${last}`,
    }));
  return [...outside, ...overlaps(gpt.partitions).map((message) => ({ at: entriesAt, message }))];
}
