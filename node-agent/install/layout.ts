// Disk size → partitions. The table below is the layout; docs/install.md shows it. Labels are Talos's, so that its clients
// find what they look for; BOOT is our second slot. Called by plan-install.ts. Pure.
// Source: UEFI 2.10 §5.3.3; UAPI Group, Discoverable Partitions Specification (XBOOTLDR); GNU GRUB manual, "BIOS installation".
import { ALIGNMENT_BYTES, type Gpt, type GptPartition, type SectorBytes, usableLbas } from "./gpt.ts";

export type Firmware = "uefi-x86_64" | "uefi-arm64" | "bios";
export type PartitionLabel = "EFI" | "BIOS" | "BOOT" | "META" | "STATE" | "EPHEMERAL";
/** The two slots of the OS: each has a loader and entries of its own. */
export type Slot = "EFI" | "BOOT";
export const SLOTS: readonly Slot[] = ["EFI", "BOOT"];

const MIB = 1024 * 1024;

type Row = {
  label: PartitionLabel;
  typeGuid: string;
  /** In MiB. The last row takes at least this, and all the rest. */
  mib: number;
  format: "fat32" | "xfs" | "none";
  isBiosOnly: boolean;
  why: string;
};

const LINUX_DATA = "0fc63daf-8483-4772-8e79-3d69d8477de4";

/** In the order on the disk. */
export const LAYOUT: readonly Row[] = [
  {
    label: "EFI",
    typeGuid: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
    mib: 1024,
    format: "fat32",
    isBiosOnly: false,
    why: "slot A: loader, and room for two images of 200 MB and a third under its temporary name, with growth",
  },
  {
    label: "BIOS",
    typeGuid: "21686148-6449-6e6f-744e-656564454649",
    mib: 1,
    format: "none",
    isBiosOnly: true,
    why: "GRUB's core image: on a GPT disk there is no other place that a BIOS can load it from",
  },
  {
    label: "BOOT",
    typeGuid: "bc13c2ff-59e6-4262-a352-b275fd6f7172",
    mib: 1024,
    format: "fat32",
    isBiosOnly: false,
    why: "slot B, as large as A; the type is XBOOTLDR, which makes systemd-boot read its entries as well",
  },
  { label: "META", typeGuid: LINUX_DATA, mib: 1, format: "none", isBiosOnly: false, why: "Talos's key-value store" },
  {
    label: "STATE",
    typeGuid: LINUX_DATA,
    mib: 320,
    format: "xfs",
    isBiosOnly: false,
    why: "machine config and identity; mkfs.xfs refuses less than 300 MiB",
  },
  {
    label: "EPHEMERAL",
    typeGuid: LINUX_DATA,
    mib: 4096,
    format: "xfs",
    isBiosOnly: false,
    why: "/var: container images, etcd (its quota is 2 GiB), logs; takes the rest of the disk",
  },
];

export type Layout = { gpt: Gpt; partitions: readonly LaidPartition[] };
export type LaidPartition = {
  label: PartitionLabel;
  number: number;
  offset: number;
  bytes: number;
  format: Row["format"];
};
/** `too-small` is an outcome: people see the reason beside the machine and on its screen. */
export type LayoutOutcome =
  | { kind: "layout"; layout: Layout }
  | { kind: "too-small"; sizeBytes: number; neededBytes: number; reason: string; remedy: string };

/** GUIDs of one install: made by chance once, kept in the marker, so that a cut install goes on with the same ones. */
export type LayoutGuids = { disk: string } & Record<PartitionLabel, string>;

/** Rows that this firmware's disk has. */
export const rowsFor = (firmware: Firmware): readonly Row[] =>
  LAYOUT.filter((row) => !row.isBiosOnly || firmware === "bios");

/** The kernel's number of a partition; 0 for one that this firmware's disk does not have. */
export const partitionNumber = (firmware: Firmware, label: PartitionLabel): number =>
  rowsFor(firmware).findIndex((row) => row.label === label) + 1;

/** Bytes that a disk must have: all partitions at their least, and 1 MiB at both ends for the tables. */
export const leastDiskBytes = (firmware: Firmware): number =>
  (rowsFor(firmware).reduce((sum, row) => sum + row.mib, 0) + 2) * MIB;

/**
 * Lays the partitions out.
 *
 * @param disk `sizeBytes` of the whole disk; a remainder under one sector is left alone.
 */
export function planLayout(
  disk: { sizeBytes: number; sectorBytes: SectorBytes },
  firmware: Firmware,
  guids: LayoutGuids,
): LayoutOutcome {
  const neededBytes = leastDiskBytes(firmware);
  if (disk.sizeBytes < neededBytes) return tooSmall(disk.sizeBytes, neededBytes);
  const { sectorBytes } = disk;
  const sectors = Math.floor(disk.sizeBytes / sectorBytes);
  const perMib = ALIGNMENT_BYTES / sectorBytes;
  // The last usable MiB boundary: EPHEMERAL ends on it, so that its size is whole MiB too.
  const endLba = Math.floor((usableLbas({ sectorBytes, sectors }).last + 1) / perMib) * perMib;
  const rows = rowsFor(firmware);
  const partitions: GptPartition[] = [];
  let nextLba = perMib;
  for (const [index, row] of rows.entries()) {
    const lbas = index === rows.length - 1 ? endLba - nextLba : row.mib * perMib;
    partitions.push({
      number: index + 1,
      typeGuid: row.typeGuid,
      guid: guids[row.label],
      firstLba: nextLba,
      lastLba: nextLba + lbas - 1,
      attributes: 0n,
      label: row.label,
    });
    nextLba += lbas;
  }
  const gpt: Gpt = { diskGuid: guids.disk, sectorBytes, sectors, partitions, isMbrActive: firmware === "bios" };
  return { kind: "layout", layout: { gpt, partitions: partitions.map((p, n) => laid(p, rows[n]!, sectorBytes)) } };
}

function laid(partition: GptPartition, row: Row, sectorBytes: SectorBytes): LaidPartition {
  const bytes = (partition.lastLba - partition.firstLba + 1) * sectorBytes;
  return {
    label: row.label,
    number: partition.number,
    offset: partition.firstLba * sectorBytes,
    bytes,
    format: row.format,
  };
}

function tooSmall(sizeBytes: number, neededBytes: number): LayoutOutcome {
  const mib = (bytes: number) => `${Math.floor(bytes / MIB)} MiB`;
  return {
    kind: "too-small",
    sizeBytes,
    neededBytes,
    reason: `the disk has ${mib(sizeBytes)}; the partitions need ${mib(neededBytes)}`,
    remedy: "Put in a larger disk, or name another one with install.disk or install.diskSelector.",
  };
}
