// A GUID partition table as a value, and its bytes: protective MBR, primary and backup. Called by plan-install.ts (through
// layout.ts) and by tests; gpt-decode.ts is the way back. It never reads or writes a disk. Pure.
// Source: UEFI 2.10 §5.2.3 (protective MBR), §5.3.2 (header), §5.3.3 (entries).
//
//   LBA 0: protective MBR | 1: header | 2…: 128 entries of 128 bytes || … || 128 entries | last LBA: header
import { SlipwayError } from "../../server/contract/errors.ts";
import { crc32 } from "./crc32.ts";
import { encodeGuid, NIL_GUID } from "./guid.ts";

export type SectorBytes = 512 | 4096;

export type GptPartition = {
  /** 1 to 128: the kernel's partition number. */
  number: number;
  typeGuid: string;
  guid: string;
  firstLba: number;
  /** Inclusive. */
  lastLba: number;
  attributes: bigint;
  /** Up to 36 UTF-16 units. */
  label: string;
};

export type Gpt = {
  diskGuid: string;
  sectorBytes: SectorBytes;
  /** Sectors of the whole disk. */
  sectors: number;
  partitions: readonly GptPartition[];
  /** Marks the protective MBR's entry as active: BIOSes that look for an active partition start no disk without one. */
  isMbrActive?: boolean;
};

/** Bytes that belong at a place of the disk, in bytes from its start. */
export type DiskWrite = { offset: number; bytes: Uint8Array };

/** UEFI 2.10 table 5-8; the high bits belong to the partition's type (here: the Discoverable Partitions Specification). */
export const GPT_ATTRIBUTES = {
  requiredPartition: 1n << 0n,
  noBlockIo: 1n << 1n,
  legacyBiosBootable: 1n << 2n,
  growFileSystem: 1n << 59n,
  readOnly: 1n << 60n,
  noAutomount: 1n << 63n,
} as const;

export const ENTRY_COUNT = 128;
export const ENTRY_BYTES = 128;
export const HEADER_BYTES = 92;
export const REVISION = 0x00010000;
export const SIGNATURE = "EFI PART";
export const LABEL_UNITS = 36;
/** Partitions start on a multiple of this: a multiple of every erase block and RAID stripe in use. */
export const ALIGNMENT_BYTES = 1024 * 1024;

/** Sectors that one copy of the entries takes. */
export const entrySectors = (sectorBytes: SectorBytes): number => (ENTRY_COUNT * ENTRY_BYTES) / sectorBytes;

/** First and last LBA that a partition may use. */
export function usableLbas(disk: { sectorBytes: SectorBytes; sectors: number }): { first: number; last: number } {
  const table = entrySectors(disk.sectorBytes);
  return { first: 2 + table, last: disk.sectors - 2 - table };
}

/**
 * The bytes of both copies. Written in the order `backup`, then `primary`: the firmware looks at the primary first, so
 * the disk has no table before it has two.
 *
 * @throws SlipwayError INTERNAL when a partition lies outside the usable LBAs, off its alignment or over another, when a
 *   number or GUID is used twice, or when a label is too long; the message names the partition and the numbers.
 */
export function encodeGpt(gpt: Gpt): { backup: DiskWrite; primary: DiskWrite } {
  assertSound(gpt);
  const { sectorBytes, sectors } = gpt;
  const table = entrySectors(sectorBytes);
  const entries = encodeEntries(gpt.partitions);
  const primaryHeader = encodeHeader(gpt, entries, { own: 1, other: sectors - 1, entries: 2 });
  const backupHeader = encodeHeader(gpt, entries, { own: sectors - 1, other: 1, entries: sectors - 1 - table });
  return {
    backup: { offset: (sectors - 1 - table) * sectorBytes, bytes: Buffer.concat([entries, backupHeader]) },
    primary: { offset: 0, bytes: Buffer.concat([encodeProtectiveMbr(gpt), primaryHeader, entries]) },
  };
}

/** int 0x18 (on to the next boot device), then a halt loop: a BIOS would run into zeros while no loader is there yet. */
const HAND_ON = [0xcd, 0x18, 0xf4, 0xeb, 0xfd];

function encodeProtectiveMbr({ sectorBytes, sectors, isMbrActive }: Gpt): Buffer {
  const mbr = Buffer.alloc(sectorBytes);
  mbr.set(HAND_ON, 0);
  mbr[446] = isMbrActive === true ? 0x80 : 0;
  // Cylinder, head, sector 0/0/2 to the highest value: what a program that knows no GPT takes for "full".
  mbr.set([0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 447);
  mbr.writeUInt32LE(1, 454);
  mbr.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), 458);
  mbr.set([0x55, 0xaa], 510);
  return mbr;
}

function encodeHeader(gpt: Gpt, entries: Buffer, lba: { own: number; other: number; entries: number }): Buffer {
  const header = Buffer.alloc(gpt.sectorBytes);
  const usable = usableLbas(gpt);
  header.write(SIGNATURE, 0, "latin1");
  header.writeUInt32LE(REVISION, 8);
  header.writeUInt32LE(HEADER_BYTES, 12);
  header.writeBigUInt64LE(BigInt(lba.own), 24);
  header.writeBigUInt64LE(BigInt(lba.other), 32);
  header.writeBigUInt64LE(BigInt(usable.first), 40);
  header.writeBigUInt64LE(BigInt(usable.last), 48);
  encodeGuid(gpt.diskGuid).copy(header, 56);
  header.writeBigUInt64LE(BigInt(lba.entries), 72);
  header.writeUInt32LE(ENTRY_COUNT, 80);
  header.writeUInt32LE(ENTRY_BYTES, 84);
  header.writeUInt32LE(crc32(entries), 88);
  header.writeUInt32LE(crc32(header.subarray(0, HEADER_BYTES)), 16);
  return header;
}

function encodeEntries(partitions: readonly GptPartition[]): Buffer {
  const entries = Buffer.alloc(ENTRY_COUNT * ENTRY_BYTES);
  for (const partition of partitions) {
    const at = (partition.number - 1) * ENTRY_BYTES;
    encodeGuid(partition.typeGuid).copy(entries, at);
    encodeGuid(partition.guid).copy(entries, at + 16);
    entries.writeBigUInt64LE(BigInt(partition.firstLba), at + 32);
    entries.writeBigUInt64LE(BigInt(partition.lastLba), at + 40);
    entries.writeBigUInt64LE(partition.attributes, at + 48);
    entries.write(partition.label, at + 56, "utf16le");
  }
  return entries;
}

function assertSound(gpt: Gpt): void {
  const usable = usableLbas(gpt);
  const faults = [
    ...gpt.partitions.flatMap((partition) => faultsOfPartition(partition, gpt, usable)),
    ...overlaps(gpt.partitions),
    ...repeated(gpt.partitions.map((p) => String(p.number))).map((n) => `number ${n} is used twice`),
    ...repeated([gpt.diskGuid, ...gpt.partitions.map((p) => p.guid)]).map((guid) => `GUID ${guid} is used twice`),
  ];
  if (gpt.diskGuid === NIL_GUID) faults.push("the disk's GUID is all zeros");
  if (faults.length > 0) throw new SlipwayError("INTERNAL", `partition table: ${faults.join("; ")}`);
}

function faultsOfPartition(
  partition: GptPartition,
  { sectorBytes }: Gpt,
  usable: { first: number; last: number },
): string[] {
  const { number, label, firstLba, lastLba } = partition;
  const name = `partition ${number} (${label})`;
  const faults: string[] = [];
  if (!Number.isInteger(number) || number < 1 || number > ENTRY_COUNT)
    faults.push(`${name} has no number from 1 to 128`);
  if (label.length > LABEL_UNITS) faults.push(`${name} has a label of ${label.length} units; 36 fit`);
  if (partition.typeGuid === NIL_GUID || partition.guid === NIL_GUID) faults.push(`${name} has a GUID of zeros`);
  if (firstLba < usable.first || lastLba > usable.last || lastLba < firstLba) {
    faults.push(`${name} is at LBA ${firstLba} to ${lastLba}; usable are ${usable.first} to ${usable.last}`);
  }
  if ((firstLba * sectorBytes) % ALIGNMENT_BYTES !== 0) faults.push(`${name} starts at LBA ${firstLba}, off 1 MiB`);
  return faults;
}

/** Every pair of neighbours, by their place, that shares an LBA. */
export function overlaps(partitions: readonly GptPartition[]): string[] {
  const sorted = [...partitions].sort((a, b) => a.firstLba - b.firstLba);
  return sorted.flatMap((next, index) => {
    const before = sorted[index - 1];
    if (before === undefined || before.lastLba < next.firstLba) return [];
    return [
      `partition ${before.number} (${before.label}) ends at LBA ${before.lastLba}, ` +
        `partition ${next.number} (${next.label}) starts at ${next.firstLba}`,
    ];
  });
}

const repeated = (values: readonly string[]): string[] =>
  values.filter((value, index) => values.indexOf(value) !== index);
