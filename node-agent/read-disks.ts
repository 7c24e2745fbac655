// The machine's disks, from /sys/block and the first and last bytes of each. Edge: reads the machine. observe.ts calls it.
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Disk } from "../server/contract/generated/agent.ts";
import { contentOf, type DiskContent } from "./install/classify-disk.ts";
import { HEAD_BYTES, TAIL_BYTES } from "./install/disk-areas.ts";
import { type Root, readNames, readNumber, readRealPath, readText } from "./read-sysfs.ts";

/** Kernel names of things that are no disks: memory, loops, optical drives, floppies, eMMC's own boot areas. */
const NO_DISK = /^(loop|ram|zram|dm-|md|sr|fd|nbd|mtdblock|pmem)|^mmcblk\d+(boot|rpmb)/;

/** Where a disk hangs, by its place in the bus tree. The first row that fits; the order matters: USB disks are SCSI too. */
const BUSES: readonly [RegExp, string][] = [
  [/\/usb\d+\//, "usb"],
  [/\/nvme\d*\//, "nvme"],
  [/\/virtio\d+\//, "virtio"],
  [/\/mmc_host\//, "mmc"],
  [/\/ata\d+\//, "sata"],
  [/\/host\d+\//, "scsi"],
];

/** What was found on each disk before, by name, size and identity: looking again would wake a sleeping disk every minute. */
export type SeenContents = Map<string, DiskContent>;

/** All disks, by name. */
export function readDisks(from: Root, seen: SeenContents = new Map()): Disk[] {
  const mounted = mountedDevices(from);
  return readNames(from, "sys/block")
    .filter((name) => !NO_DISK.test(name))
    .map((name) => readDisk(from, name, mounted, seen));
}

function readDisk(from: Root, name: string, mounted: ReadonlySet<string>, seen: SeenContents): Disk {
  const at = `sys/block/${name}`;
  const first = (...paths: string[]) =>
    paths.map((path) => readText(from, `${at}/${path}`)).find((t) => t !== "") ?? "";
  const place = readRealPath(from, at);
  const sizeBytes = sizeBytesOf(from, name);
  const serial = first("serial", "device/serial");
  const wwid = first("wwid", "device/wwid");
  const sectorBytes = readNumber(from, `${at}/queue/logical_block_size`);
  const key = [name, sizeBytes, serial, wwid].join(" ");
  const { content, detail } = seen.get(key) ?? (sizeBytes === 0n ? NOTHING : readContent(from, name, sectorBytes));
  seen.set(key, { content, detail });
  return {
    name,
    sizeBytes,
    model: [first("device/vendor"), first("device/model", "device/name")]
      .filter((part) => part !== "" && part !== "ATA" && !/^0x/.test(part))
      .join(" ")
      .replace(/\s+/g, " "),
    serial,
    wwid,
    bus: BUSES.find(([pattern]) => pattern.test(place))?.[1] ?? "other",
    removable: readNumber(from, `${at}/removable`) === 1,
    rotational: readNumber(from, `${at}/queue/rotational`) === 1,
    readOnly: readNumber(from, `${at}/ro`) === 1,
    content,
    contentDetail: detail,
    bootMedium: devicesOf(from, name).some((device) => mounted.has(device)),
    modalias: first("device/modalias"),
    uuid: first("uuid", "device/uuid"),
    busPath: place.replace(/^.*\/sys\/devices(?=\/)/, "").replace(/\/block\/[^/]*$/, ""),
    sectorBytes,
  };
}

const NOTHING: DiskContent = { content: "unknown", detail: "" };

/** A disk that cannot be read (locked, failing) counts as one that holds something. */
function readContent({ root }: Root, name: string, sectorBytes: number): DiskContent {
  let fd: number | undefined;
  try {
    fd = openSync(join(root, "dev", name), constants.O_RDONLY | constants.O_NONBLOCK);
    const sizeBytes = Number(sizeBytesOf({ root }, name));
    const head = readAt(fd, 0, Math.min(HEAD_BYTES, sizeBytes));
    const tail = readAt(fd, Math.max(0, sizeBytes - TAIL_BYTES), Math.min(TAIL_BYTES, sizeBytes));
    return contentOf({ sizeBytes, sectorBytes: sectorBytes === 4096 ? 4096 : 512, head, tail });
  } catch (error) {
    return { content: "unknown", detail: `cannot be read: ${(error as NodeJS.ErrnoException).code ?? "fault"}` };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const sizeBytesOf = (from: Root, name: string): bigint => BigInt(readNumber(from, `sys/block/${name}/size`)) * 512n;

/** Fewer bytes when the device ends before: what was not read counts as absent. */
function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, at));
}

/** `major:minor` of the disk and its partitions. */
function devicesOf(from: Root, name: string): string[] {
  const parts = readNames(from, `sys/block/${name}`).filter((entry) => entry.startsWith(name));
  return ["", ...parts].map((part) => readText(from, `sys/block/${name}/${part === "" ? "" : `${part}/`}dev`));
}

/** `major:minor` of everything that is mounted (proc_pid_mountinfo(5), third field). */
function mountedDevices(from: Root): Set<string> {
  const lines = readText(from, "proc/self/mountinfo").split("\n");
  return new Set(lines.map((line) => line.split(" ")[2] ?? "").filter((device) => device !== ""));
}
