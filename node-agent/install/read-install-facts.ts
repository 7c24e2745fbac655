// What is true now of the machine and of the disk that was chosen, as plan-install.ts asks for it. Edge: reads only, and mounts
// volumes where an install was cut while it wrote files. run-install.ts and run-reset.ts call it.
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Disk } from "../../server/contract/generated/agent.ts";
import type { InstallConfig } from "../../server/contract/machine-config/node-config.ts";
import type { Observer } from "../observe.ts";
import { readDisks } from "../read-disks.ts";
import { exists } from "../read-sysfs.ts";
import type { Candidate, DiskWish } from "./choose-disk.ts";
import { classifyDisk, type DiskClass, type Holder } from "./classify-disk.ts";
import type { InstallFacts, Sized, Volume } from "./install-step.ts";
import { type Firmware, type Layout, planLayout } from "./layout.ts";
import { decodeMeta, META_COPY_BYTES } from "./meta.ts";
import { readBootVariables } from "./open-boot-variables.ts";
import { type OpenDisk, readDiskBytes } from "./open-disk.ts";
import type { DiskCalls } from "./open-disk-calls.ts";
import { markerOf, needsFiles, VOLUMES } from "./plan-install.ts";
import { digestFiles } from "./read-volume.ts";
import type { Mounts } from "./run-mounts.ts";

/** Node's name of the processor and whether there is UEFI → how the disk must be laid out. */
export function readFirmware(machine: Observer): Firmware | undefined {
  const hasUefi = exists(machine, "sys/firmware/efi");
  if (machine.arch === "arm64") return hasUefi ? "uefi-arm64" : undefined;
  return hasUefi ? "uefi-x86_64" : "bios";
}

/** Every disk with what it is to this holder. A disk that cannot be read counts as one that holds something. */
export async function readCandidates(machine: Observer, holder: Holder, calls: DiskCalls): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const disk of readDisks(machine)) candidates.push({ disk, class: await classOf(machine, disk, holder, calls) });
  return candidates;
}

/** What the config says of the disk, and which one that is on this machine. */
export async function readWish({ root }: Observer, { disk, diskSelector }: InstallConfig): Promise<DiskWish> {
  const resolved = disk === undefined ? undefined : await realpath(join(root, disk)).catch(() => undefined);
  return {
    ...(disk === undefined ? {} : { disk }),
    ...(resolved === undefined ? {} : { resolved: basename(resolved) }),
    ...(diskSelector === undefined ? {} : { diskSelector }),
  };
}

async function classOf(machine: Observer, disk: Disk, holder: Holder, calls: DiskCalls): Promise<DiskClass> {
  if (disk.sizeBytes === 0n) return { kind: "foreign", detail: "no medium", signatures: [] };
  try {
    return classifyDisk(await readDiskBytes(machine, disk.name, calls), holder);
  } catch (fault) {
    const code = (fault as NodeJS.ErrnoException).code ?? "fault";
    return { kind: "foreign", detail: `it cannot be read (${code})`, signatures: [] };
  }
}

export type FactsFrom = {
  machine: Observer;
  firmware: Firmware;
  holder: Holder;
  /** The install's; undefined in a reset. */
  order?: string;
  disk: OpenDisk;
  mounts: Mounts;
  calls: DiskCalls;
  /** Lengths of core image and boot code; 0 where GRUB plays no part. */
  grub: { core: Sized; boot: Sized };
};

/** The facts of an opened disk. */
export async function readInstallFacts(from: FactsFrom): Promise<InstallFacts> {
  const { machine, firmware, disk, holder, calls } = from;
  const diskClass = classifyDisk(await readDiskBytes(machine, disk.name, calls), holder);
  const guids = markerOf(diskClass)?.guids;
  const laid = guids === undefined ? undefined : planLayout(disk, firmware, guids);
  const layout = laid?.kind === "layout" ? laid.layout : undefined;
  const isFilling = layout !== undefined && needsFiles(diskClass, from.order);
  return {
    firmware,
    disk: {
      path: disk.path,
      sizeBytes: disk.sizeBytes,
      sectorBytes: disk.sectorBytes,
      isReadOnly: disk.isReadOnly,
      class: diskClass,
    },
    files: isFilling ? await readFiles(from) : {},
    meta: isFilling ? decodeMeta(await disk.read(placeOf(layout, "META"), 2 * META_COPY_BYTES)) : { kind: "blank" },
    bootCode: isFilling && firmware === "bios" ? await readBootCode(from, layout) : {},
    variables: firmware === "bios" ? undefined : await readBootVariables(machine),
  };
}

/** A volume that cannot be mounted is absent: everything on it is written again. */
async function readFiles({ mounts, calls }: FactsFrom): Promise<InstallFacts["files"]> {
  const files: Partial<Record<Volume, ReadonlyMap<string, Sized>>> = {};
  for (const volume of VOLUMES) {
    const at = await mounts.at(volume).catch(() => undefined);
    if (at !== undefined) files[volume] = await digestFiles(at, calls);
  }
  return files;
}

async function readBootCode({ disk, grub }: FactsFrom, layout: Layout): Promise<{ core: string; boot: string }> {
  const digest = async (offset: number, length: number) =>
    createHash("sha256")
      .update(await disk.read(offset, length))
      .digest("hex");
  return { core: await digest(placeOf(layout, "BIOS"), grub.core.bytes), boot: await digest(0, grub.boot.bytes) };
}

const placeOf = (layout: Layout, label: string): number =>
  layout.partitions.find((partition) => partition.label === label)!.offset;
