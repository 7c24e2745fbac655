// The disk that this system runs from, or would run from: known by a complete marker and the table that it names. Edge: reads.
// The agent calls it at every boot, before it knows who it is: the identity is on that very disk (STATE).
// Source: systemd's Boot Loader Interface (LoaderDevicePartUUID).
import { setTimeout as sleep } from "node:timers/promises";
import type { Observer } from "../observe.ts";
import { readDisks } from "../read-disks.ts";
import { type Root, readText } from "../read-sysfs.ts";
import { classifyDisk, type DiskClass } from "./classify-disk.ts";
import type { DiskBytes, GptReading } from "./gpt-decode.ts";
import { decodeGpt } from "./gpt-decode.ts";
import type { PartitionLabel } from "./layout.ts";
import { findMarker, type Marker } from "./marker.ts";
import { readVariable } from "./open-boot-variables.ts";
import { findPartition, readDiskBytes } from "./open-disk.ts";
import type { DiskCalls } from "./open-disk-calls.ts";

export type OwnPartition = { partuuid: string; device: string };

export type OwnDisk = {
  /** `/dev/vda` */
  disk: string;
  marker: Marker;
  /** BIOS only on BIOS disks. */
  partitions: Partial<Record<PartitionLabel, OwnPartition>>;
  classKind: DiskClass["kind"];
  /** Why this one, for people. */
  reason: string;
};

/** Where the loader that ran came from, as UTF-16 text behind four bytes of attributes. */
const LOADER_PARTITION = "LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/** Of one disk, what makes it ours and whole; undefined for every other. */
type Whole = { name: string; marker: Marker; partitions: Partial<Record<PartitionLabel, OwnPartition>> };

/**
 * Finds it. A disk whose install was cut, or that somebody used since, is none.
 * Disks may come up after the agent does: who expects one asks again.
 */
export async function findOwnDisk(machine: Observer, calls: DiskCalls): Promise<OwnDisk | undefined> {
  const whole: Whole[] = [];
  for (const { name, sizeBytes } of readDisks(machine)) {
    const found = sizeBytes === 0n ? undefined : await readWhole(machine, name, calls);
    if (found !== undefined) whole.push(found);
  }
  const loader = whole.length > 1 ? await readLoaderPartition(machine) : undefined;
  const [best] = [...whole].sort((a, b) => rank(b, loader) - rank(a, loader) || (a.name < b.name ? -1 : 1));
  if (best === undefined) return undefined;
  const { name, marker, partitions } = best;
  return { disk: `/dev/${name}`, marker, partitions, classKind: "ours", reason: reasonFor(best, whole, loader) };
}

/** The loader's own disk before all others, then the newest install. */
const rank = (disk: Whole, loader: string | undefined) =>
  (isLoaders(disk, loader) ? Number.MAX_SAFE_INTEGER / 2 : 0) + disk.marker.install;

const isLoaders = ({ partitions }: Whole, loader: string | undefined) =>
  loader !== undefined && Object.values(partitions).some(({ partuuid }) => partuuid === loader);

function reasonFor(best: Whole, whole: readonly Whole[], loader: string | undefined): string {
  if (whole.length === 1) return "the only disk with a whole Slipway OS";
  const others = whole
    .filter((disk) => disk !== best)
    .map((disk) => `/dev/${disk.name} (install ${disk.marker.install})`);
  const why = isLoaders(best, loader)
    ? "the loader came from it"
    : `it holds the newest install (${best.marker.install})`;
  return `${why}; ${others.join(", ")} also hold${others.length === 1 ? "s" : ""} a whole Slipway OS`;
}

async function readWhole(machine: Observer, name: string, calls: DiskCalls): Promise<Whole | undefined> {
  const bytes = await readDiskBytes(machine, name, calls).catch(() => undefined);
  if (bytes === undefined || !isWhole(bytes)) return undefined;
  const marker = findMarker(bytes)!;
  const reading = decodeGpt(bytes) as Extract<GptReading, { kind: "gpt" }>;
  const partitions: Whole["partitions"] = {};
  for (const { label, number, guid } of reading.gpt.partitions) {
    const device = await waitForPartition(machine, name, number);
    if (device === undefined) return undefined;
    partitions[label as PartitionLabel] = { partuuid: guid, device };
  }
  return { name, marker, partitions };
}

/** Judged by its own word: whose it is, STATE says. */
function isWhole(bytes: DiskBytes): boolean {
  const marker = findMarker(bytes);
  if (marker === undefined) return false;
  const found = classifyDisk(bytes, { owner: marker.owner, machine: marker.machine });
  return found.kind === "ours" && found.state === "complete";
}

/** The kernel reads the table when it finds the disk; udev may be making it do so again at this moment. */
async function waitForPartition(machine: Root, name: string, number: number): Promise<string | undefined> {
  for (let n = 0; n < 10; n++) {
    const device = findPartition(machine, name, number);
    if (device !== undefined) return device;
    await sleep(100);
  }
  return undefined;
}

async function readLoaderPartition(machine: Root): Promise<string | undefined> {
  const bytes = await readVariable(machine, LOADER_PARTITION);
  return bytes?.subarray(4).toString("utf16le").replaceAll("\0", "").toLowerCase();
}

/** Where STATE is mounted now, by the kernel's own table; undefined when it is not. */
export function findMountPoint(from: Root, device: string): string | undefined {
  const number = readText(from, `sys/class/block/${device.slice(device.lastIndexOf("/") + 1)}/dev`);
  const lines = readText(from, "proc/self/mountinfo").split("\n");
  return lines.map((line) => line.split(" ")).find((fields) => number !== "" && fields[2] === number)?.[4];
}
