// What an install is made of, as data: facts in, target in, steps out. plan-install.ts and plan-reset.ts make the steps,
// disk-ops.ts takes each apart into single operations, the executor does nothing but those. Pure: types only.

import type { DiskClass, Holder } from "./classify-disk.ts";
import type { BootVariables, VariableStep } from "./efi-boot-order.ts";
import type { Gpt, SectorBytes } from "./gpt.ts";
import type { Firmware, LayoutGuids, PartitionLabel, Slot } from "./layout.ts";
import type { Marker } from "./marker.ts";
import type { MetaReading, MetaTags } from "./meta.ts";

/** File systems that files are written to. */
export type Volume = Slot | "STATE";

/** Length and SHA-256 (hex) of bytes. */
export type Sized = { bytes: number; sha256: string };

/** Where a file's bytes come from. `given` are the agent's own (config, key): they never stand in a plan. */
export type FileContent =
  | { kind: "text"; text: string }
  | { kind: "asset"; asset: "uki" | "linux" | "initrd" | "loader" }
  | { kind: "given"; name: string };

export type FileSpec = Sized & { on: Volume; path: string; content: FileContent };

/** A file on STATE. `isLiving`: the node goes on writing it (its last lease, its clock), so whatever stands there holds. */
export type GivenFile = Sized & { path: string; name: string; isLiving?: boolean };

/** A place on the disk, in bytes from its start. */
export type DiskRange = { offset: number; bytes: number };

/** The executor reports each before and after it, `write-file` with bytes and rate. Order within one: disk-ops.ts. */
export type Step =
  | { kind: "write-marker"; marker: Marker }
  | { kind: "erase"; ranges: readonly DiskRange[]; why: string }
  | { kind: "write-table"; gpt: Gpt }
  | { kind: "format"; partition: PartitionLabel; format: "fat32" | "xfs"; id: string }
  | { kind: "write-meta"; offset: number; tags: MetaTags }
  | { kind: "remove-file"; on: Volume; path: string; why: string }
  | { kind: "write-file"; file: FileSpec }
  | { kind: "write-boot-code"; core: Sized; coreOffset: number; boot: Sized }
  | { kind: "set-boot-variable"; step: VariableStep };

/** `refused` is an outcome: reason and remedy stand beside the machine and on its screen. */
export type InstallPlan =
  | { kind: "steps"; steps: Step[]; install: number }
  | { kind: "refused"; reason: string; remedy: string };

/** What is true now. Digests are taken past the page cache: a plain read-back misses what the disk holds wrongly. */
export type InstallFacts = {
  firmware: Firmware;
  disk: { path: string; sizeBytes: number; sectorBytes: SectorBytes; isReadOnly: boolean; class: DiskClass };
  /** Files of each volume by path; a volume that cannot be mounted is absent. Asked for only when `needsFiles` says so. */
  files: Partial<Record<Volume, ReadonlyMap<string, Sized>>>;
  meta: MetaReading;
  /** BIOS: digests of what stands where core image and boot code go, over the target's lengths. */
  bootCode: { core?: string; boot?: string };
  /** efivarfs; undefined on BIOS and where the firmware lets nobody write. */
  variables: BootVariables | undefined;
};

export type InstallTarget = {
  holder: Holder;
  /** The appliance's word for this install (see Marker.order). */
  order: string;
  /** A person said that what stands on the disk may go. */
  mayWipe: boolean;
  /** By chance; a disk that is ours keeps its own. */
  guids: LayoutGuids;
  /** Number of the first install on this disk: over those of this machine's other disks, so that the newest is known. */
  firstInstall?: number;
  image: {
    arch: "amd64" | "arm64";
    version: string;
    cmdline: string;
    uki: Sized;
    linux: Sized;
    initrd: Sized;
  };
  /** systemd-boot for UEFI. */
  loader: Sized;
  /** GRUB for BIOS: the core image, and the 440 bytes of the MBR that load it. */
  grub: { core: Sized; boot: Sized };
  meta: MetaTags;
  /** Machine config and identity on STATE, in the order in which they are written. */
  state: readonly GivenFile[];
};
