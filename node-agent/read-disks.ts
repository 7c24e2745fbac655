// The machine's disks, from /sys/block and the first bytes of each. Edge: reads the machine. observe.ts calls it.
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Disk } from "../server/contract/generated/agent.ts";
import { CONTENT_BYTES, type DiskContent, readContent } from "./disk-content.ts";
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
  const sizeBytes = BigInt(readNumber(from, `${at}/size`)) * 512n;
  const serial = first("serial", "device/serial");
  const wwid = first("wwid", "device/wwid");
  const key = [name, sizeBytes, serial, wwid].join(" ");
  const { content, detail } = seen.get(key) ?? (sizeBytes === 0n ? NOTHING : readHead(from, name));
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
    sectorBytes: readNumber(from, `${at}/queue/logical_block_size`),
  };
}

const NOTHING: DiskContent = { content: "unknown", detail: "" };

/** A disk that cannot be read (locked, failing) counts as one that holds something. */
function readHead({ root }: Root, name: string): DiskContent {
  let fd: number | undefined;
  try {
    fd = openSync(join(root, "dev", name), constants.O_RDONLY | constants.O_NONBLOCK);
    const head = Buffer.alloc(CONTENT_BYTES);
    return readContent(head.subarray(0, readSync(fd, head, 0, head.length, 0)));
  } catch (error) {
    return { content: "unknown", detail: `cannot be read: ${(error as NodeJS.ErrnoException).code ?? "fault"}` };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
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
