// The volumes of a disk, mounted when first asked for and all unmounted at the end. Edge. The agent has a mount namespace of
// its own, so nobody else sees them, and they end with it at the latest. run-install.ts and read-own-disk.ts call it.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { callFault } from "./fault-reasons.ts";
import type { Volume } from "./install-step.ts";
import { type DiskCalls, MOUNT } from "./open-disk-calls.ts";
import type { OwnDisk } from "./read-own-disk.ts";

/**
 * Volume → how it is mounted. FAT knows no owners: umask keeps its files to root. `winnt`: a short name in small letters takes
 * one directory entry, where the default would add a long one.
 */
const VOLUMES: Record<Volume, { type: string; options: string }> = {
  EFI: { type: "vfat", options: "umask=0077,shortname=winnt" },
  BOOT: { type: "vfat", options: "umask=0077,shortname=winnt" },
  STATE: { type: "xfs", options: "" },
};

/** Nothing on these volumes is ever run or used as a device. */
const SAFE = MOUNT.noSuid | MOUNT.noDev | MOUNT.noExec;

export type Mounts = {
  /** Where the volume is; mounts it when it is not. */
  at(volume: Volume): Promise<string>;
  /** Unmounts one, or all; those that are not mounted are no fault. */
  end(volume?: Volume): void;
};

/**
 * @param deviceOf the volume's device file.
 * @param dir where the mount points are made: /run/slipway/mnt.
 */
export function openMounts(
  calls: DiskCalls,
  dir: string,
  deviceOf: (volume: Volume) => Promise<string>,
  isReadOnly = false,
): Mounts {
  const mounted = new Map<Volume, string>();
  const endOne = (volume: Volume) => {
    const at = mounted.get(volume);
    if (at === undefined) return;
    unmount(at, calls);
    mounted.delete(volume);
  };
  return {
    at: async (volume) => {
      const there = mounted.get(volume);
      if (there !== undefined) return there;
      const at = join(dir, volume);
      await mountVolume(volume, await deviceOf(volume), at, calls, isReadOnly);
      mounted.set(volume, at);
      return at;
    },
    end: (volume) => {
      if (volume !== undefined) return endOne(volume);
      for (const each of [...mounted.keys()]) endOne(each);
    },
  };
}

/** Mounts one volume. @throws Node's form of mount(2)'s fault, with the device in its message. */
export async function mountVolume(
  volume: Volume,
  device: string,
  at: string,
  calls: DiskCalls,
  isReadOnly = false,
): Promise<void> {
  await mkdir(at, { recursive: true, mode: 0o700 });
  const { type, options } = VOLUMES[volume];
  const flags = SAFE | (isReadOnly ? MOUNT.readOnly : 0);
  if (calls.mount(device, at, type, flags, options) !== 0) throw callFault(`mount ${device}`, calls.errno());
}

/**
 * Mounts STATE of the own disk, for whoever calls it alone (the agent's mount namespace is private).
 * @throws Node's form of mount(2)'s fault: EUCLEAN when the file system is damaged.
 */
export async function mountState(own: OwnDisk, at: string, calls: DiskCalls): Promise<void> {
  const device = own.partitions.STATE?.device;
  if (device === undefined) throw callFault(`${own.disk} has no partition STATE`, ENXIO);
  await mountVolume("STATE", device, at, calls);
}

/** Unmounts; what is not mounted is no fault. @throws EBUSY while a file there is open. */
export function unmount(at: string, calls: DiskCalls): void {
  if (calls.umount(at, 0) === 0) return;
  const errno = calls.errno();
  if (errno !== EINVAL && errno !== ENOENT) throw callFault(`umount ${at}`, errno);
}

const ENXIO = 6;
const EINVAL = 22;
const ENOENT = 2;
