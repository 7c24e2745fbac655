// The marks by which a disk says what it holds: one table of places and magic numbers. Called by classify-disk.ts, and by
// plan-install.ts to know what a wipe has to erase. Pure.
// Sources: libblkid's superblock probes, UEFI 2.10 §5.3, the file systems' own format documents.
import { crc32 } from "./crc32.ts";
import { bytesAt, type DiskBytes } from "./gpt-decode.ts";

/** `at` from the start of the disk when positive or 0, from its end when negative. */
type Row = { name: string; mark: string; at: readonly number[] };

const KIB = 1024;
const every = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, n) => from + n * step);

/** Uberblocks of ZFS labels 0 and 1 (128 KiB behind each label's start), and of 2 and 3 at the disk's end. */
const ZFS_PLACES = [
  ...every(128 * KIB, 256 * KIB, KIB),
  ...every(384 * KIB, 512 * KIB, KIB),
  ...every(-384 * KIB, -256 * KIB, KIB),
  ...every(-128 * KIB, 0, KIB),
];

/** Every signature that is looked for. A name may have several rows; the first row that fits a place names it. */
export const SIGNATURES: readonly Row[] = [
  { name: "ext2, ext3 or ext4", mark: "\x53\xef", at: [1080] },
  { name: "XFS", mark: "XFSB", at: [0] },
  { name: "Btrfs", mark: "_BHRfS_M", at: [65_600] },
  { name: "F2FS", mark: "\x10\x20\xf5\xf2", at: [1024] },
  { name: "bcachefs", mark: "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef", at: [4120] },
  { name: "bcache", mark: "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81", at: [4120] },
  { name: "JFS", mark: "JFS1", at: [32_768] },
  { name: "ReiserFS", mark: "ReIsEr", at: [65_588, 8244] },
  { name: "NTFS", mark: "NTFS    ", at: [3] },
  { name: "BitLocker", mark: "-FVE-FS-", at: [3] },
  { name: "exFAT", mark: "EXFAT   ", at: [3] },
  { name: "FAT32", mark: "FAT32   ", at: [82] },
  { name: "FAT16", mark: "FAT16   ", at: [54] },
  { name: "FAT12", mark: "FAT12   ", at: [54] },
  { name: "HFS+", mark: "H+\x00\x04", at: [1024] },
  { name: "APFS", mark: "NXSB", at: [32] },
  { name: "Apple partition map", mark: "PM\x00\x00", at: [512] },
  { name: "ISO 9660", mark: "CD001", at: [32_769] },
  { name: "UDF", mark: "BEA01", at: [32_769] },
  { name: "squashfs", mark: "hsqs", at: [0] },
  { name: "erofs", mark: "\xe2\xe1\xf5\xe0", at: [1024] },
  // The page size of the machine that made it decides the place: 4, 8, 16 and 64 KiB.
  { name: "swap", mark: "SWAPSPACE2", at: [4086, 8182, 16_374, 65_526] },
  { name: "hibernation image", mark: "S1SUSPEND", at: [4086, 8182, 16_374, 65_526] },
  { name: "LUKS", mark: "LUKS\xba\xbe", at: [0] },
  // LUKS2's second header: it stands at the size of the first (16 KiB by default, up to 4 MiB).
  { name: "LUKS", mark: "SKUL\xba\xbe", at: [16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 1_048_576] },
  { name: "LVM", mark: "LABELONE", at: [0, 512, 1024, 1536] },
  { name: "MD RAID", mark: "\xfc\x4e\x2b\xa9", at: [0, 4096] },
  { name: "firmware RAID (Intel)", mark: "Intel Raid ISM Cfg Sig. ", at: [-1024, -8192] },
  { name: "firmware RAID (DDF)", mark: "\xde\x11\xde\x11", at: [-512, -4096] },
  { name: "ZFS", mark: "\x0c\xb1\xba\x00\x00\x00\x00\x00", at: ZFS_PLACES },
  { name: "ZFS", mark: "\x00\x00\x00\x00\x00\xba\xb1\x0c", at: ZFS_PLACES },
  { name: "Ceph", mark: "bluestore block device", at: [0] },
  { name: "VMFS", mark: "\x0d\xd0\x01\xc0", at: [1_048_576] },
  { name: "GPT", mark: "EFI PART", at: [512, 4096] },
  { name: "GPT (backup)", mark: "EFI PART", at: [-512, -4096] },
];

/** One mark that was found. */
export type Signature = {
  name: string;
  /** Bytes from the start of the disk. */
  at: number;
  /** Checksum of the 512 bytes around the mark: they hold the file system's UUID, so another one of the same kind differs. */
  crc: number;
};

/** A signature as one word, for the marker: `XFS@0#1c2d3e4f`. */
export const formatSignature = ({ name, at, crc }: Signature): string =>
  `${name}@${at}#${crc.toString(16).padStart(8, "0")}`;

/** Everything that the disk's head and tail say, in the table's order, then the MBR. */
export function findSignatures(disk: DiskBytes): Signature[] {
  const found: Signature[] = [];
  for (const { name, mark, at } of [...SIGNATURES, ...mdAtTheEnd(disk)]) {
    for (const place of at) {
      const start = place < 0 ? disk.sizeBytes + place : place;
      // The first byte alone rules nearly all places out, and there are 1600 of them.
      if (bytesAt(disk, start, 1)?.[0] !== mark.charCodeAt(0)) continue;
      if (bytesAt(disk, start, mark.length)?.toString("latin1") !== mark) continue;
      if (!found.some((s) => s.at === start)) found.push({ name, at: start, crc: crcAround(disk, start) });
    }
  }
  return [...found, ...findMbr(disk, found)];
}

/** MD RAID 0.90 lies 64 KiB to 128 KiB before the end, on 64 KiB; 1.0 lies 8 to 12 KiB before it, on 4 KiB. */
function mdAtTheEnd({ sizeBytes }: DiskBytes): Row[] {
  const old = Math.floor(sizeBytes / 65_536) * 65_536 - 65_536;
  const one = Math.floor((sizeBytes - 8192) / 4096) * 4096;
  return [{ name: "MD RAID", mark: "\xfc\x4e\x2b\xa9", at: [old, one].filter((at) => at > 0) }];
}

/** The boot sectors that end in 55 aa without being a partition table. */
const BOOT_SECTORS = ["NTFS", "BitLocker", "exFAT", "FAT32", "FAT16", "FAT12"];

/** An MBR with at least one partition; that of a GPT (one entry of type 0xee) has a name of its own. */
function findMbr(disk: DiskBytes, found: readonly Signature[]): Signature[] {
  const sector = bytesAt(disk, 0, 512);
  if (sector?.[510] !== 0x55 || sector[511] !== 0xaa || found.some((s) => BOOT_SECTORS.includes(s.name))) return [];
  const types = [446, 462, 478, 494].map((at) => sector[at + 4]!).filter((type) => type !== 0);
  if (types.length === 0) return [];
  const name = types.length === 1 && types[0] === 0xee ? "protective MBR" : `MBR with ${count(types.length)}`;
  return [{ name, at: 0, crc: crc32(sector) }];
}

function crcAround(disk: DiskBytes, at: number): number {
  const start = Math.floor(at / 512) * 512;
  return crc32(bytesAt(disk, start, 512) ?? Buffer.alloc(0));
}

const count = (n: number): string => `${n} partition${n === 1 ? "" : "s"}`;
