// What STATE of a complete install holds, when it is met again with an order that was thought open. Edge: mounts it for a moment.
// run-install.ts compares it with what this boot's enrolment gives.
import type { Observer } from "../observe.ts";
import type { Sized } from "./install-step.ts";
import { type Firmware, partitionNumber } from "./layout.ts";
import { type OpenDisk, openDisk, type PartitionFinder } from "./open-disk.ts";
import type { DiskCalls } from "./open-disk-calls.ts";
import { digestFiles } from "./read-volume.ts";
import { openMounts } from "./run-mounts.ts";

type StateFrom = { machine: Observer; libc: DiskCalls; mountDir: string };

/**
 * Files of STATE by path, digested past the page cache.
 * @param name the disk, `vda`.
 * @returns undefined where disk or volume cannot be opened or read: the install itself meets that fault and tells it.
 */
export async function readStateFiles(
  { machine, libc, mountDir }: StateFrom,
  name: string,
  firmware: Firmware,
  find: PartitionFinder,
): Promise<ReadonlyMap<string, Sized> | undefined> {
  const disk = await openDisk(machine, name, libc, { find }).catch(() => undefined);
  if (disk === undefined) return undefined;
  try {
    return await digestState(disk, firmware, libc, mountDir);
  } catch {
    return undefined;
  } finally {
    await disk.close();
  }
}

async function digestState(disk: OpenDisk, firmware: Firmware, libc: DiskCalls, mountDir: string) {
  const mounts = openMounts(libc, mountDir, (label) => disk.partition(partitionNumber(firmware, label)));
  try {
    return await digestFiles(await mounts.at("STATE"), libc);
  } finally {
    mounts.end();
  }
}
