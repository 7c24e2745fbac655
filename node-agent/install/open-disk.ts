// A whole disk, open for an install: locked against udev, read and written at places, its partitions found by number. Edge.
// While the lock is held udev leaves the disk alone (systemd's block device locking), so nobody waits for udev here: the
// kernel itself makes the partitions' device files.
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { exists, type Root, readNames, readNumber, readText } from "../read-sysfs.ts";
import { HEAD_BYTES, TAIL_BYTES } from "./disk-areas.ts";
import { callFault } from "./fault-reasons.ts";
import type { SectorBytes } from "./gpt.ts";
import type { DiskBytes } from "./gpt-decode.ts";
import { BLKRRPART, type DiskCalls, FADV_DONTNEED, LOCK } from "./open-disk-calls.ts";

/** What the kernel says of a disk. */
export type DiskSize = { sizeBytes: number; sectorBytes: SectorBytes; isReadOnly: boolean };

/** Finds a partition's device file; undefined when the kernel does not have it (yet). */
export type PartitionFinder = (from: Root, disk: string, number: number) => string | undefined;

export type OpenDisk = DiskSize & {
  /** The kernel's name, `vda`, and what people see, `/dev/vda`. */
  name: string;
  path: string;
  /** Past the page cache. */
  read(offset: number, length: number): Promise<Buffer>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  /** Makes the kernel see the table that is on the disk. Throws EBUSY while a partition is in use. */
  rereadTable(): Promise<void>;
  /** Waits for the partition's device file. Throws when it does not come within ten seconds. */
  partition(number: number): Promise<string>;
  close(): Promise<void>;
};

const TRY_EVERY_MS = 200;
const TRIES = 50;

export function readDiskSize(from: Root, name: string): DiskSize {
  const at = `sys/block/${name}`;
  return {
    sizeBytes: readNumber(from, `${at}/size`) * 512,
    sectorBytes: readNumber(from, `${at}/queue/logical_block_size`, 512) === 4096 ? 4096 : 512,
    isReadOnly: readNumber(from, `${at}/ro`) === 1,
  };
}

/** The device file of a disk's partition, by the number that the kernel gave it. */
export const findPartition: PartitionFinder = (from, disk, number) => {
  const name = readNames(from, `sys/block/${disk}`).find(
    (entry) => readText(from, `sys/block/${disk}/${entry}/partition`) === String(number),
  );
  const path = name === undefined ? undefined : join(from.root, "dev", name);
  return path !== undefined && exists(from, `dev/${name}`) ? path : undefined;
};

/** Where the judge looks: a disk's first and last bytes. @throws Node's fault when they cannot be read. */
export async function readDiskBytes(from: Root, name: string, calls: DiskCalls): Promise<DiskBytes> {
  const { sizeBytes, sectorBytes } = readDiskSize(from, name);
  const handle = await open(join(from.root, "dev", name), "r");
  try {
    const headBytes = Math.min(HEAD_BYTES, sizeBytes);
    const tailBytes = Math.min(TAIL_BYTES, sizeBytes);
    const head = await readAt(handle, calls, 0, headBytes);
    const tail = await readAt(handle, calls, sizeBytes - tailBytes, tailBytes);
    return { sizeBytes, sectorBytes, head, tail };
  } finally {
    await handle.close();
  }
}

/** `isShared`: a reset of the disk that the system runs from, where /var is still mounted. */
export type OpenDiskOptions = { find?: PartitionFinder; isShared?: boolean };

/**
 * Opens a disk for writing.
 * @throws Node's fault: EBUSY when it is mounted or part of another volume (unless shared), EROFS when it is write-protected.
 */
export async function openDisk(
  from: Root,
  name: string,
  calls: DiskCalls,
  { find = findPartition, isShared = false }: OpenDiskOptions = {},
): Promise<OpenDisk> {
  const file = join(from.root, "dev", name);
  // Linux lets nobody else have a disk that is opened so: the answer is EBUSY when somebody has it already.
  if (!isShared) await assertUnused(file);
  const handle = await open(file, "r+");
  await lock(handle, calls);
  return {
    ...readDiskSize(from, name),
    name,
    path: `/dev/${name}`,
    read: (offset, length) => readAt(handle, calls, offset, length),
    write: (offset, bytes) => writeAt(handle, offset, bytes),
    sync: () => handle.sync(),
    rereadTable: () => rereadTable(handle, calls, isShared ? 1 : TRIES),
    partition: async (number) => {
      const found = await tryFor(() => find(from, name, number));
      if (found === undefined) throw callFault(`partition ${number} of /dev/${name} did not appear`, ENXIO);
      return found;
    },
    close: () => handle.close(),
  };
}

/** Somebody may have it for a moment only: who assembles volumes tries disks. */
async function assertUnused(file: string): Promise<void> {
  for (let n = 1; ; n++) {
    try {
      return await (await open(file, EXCLUSIVE)).close();
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code !== "EBUSY" || n === EXCLUSIVE_TRIES) throw fault;
      await sleep(TRY_EVERY_MS);
    }
  }
}

const EXCLUSIVE_TRIES = 5;
/** O_RDWR | O_EXCL. */
const EXCLUSIVE = 0o2 | 0o200;
const ENXIO = 6;
const EBUSY = 16;

/** udev may be looking at the disk at this moment; it lets go soon. A lock that does not come is not worth failing for. */
async function lock(handle: FileHandle, calls: DiskCalls): Promise<void> {
  await tryFor(() => calls.flock(handle.fd, LOCK.exclusive | LOCK.notBlocking) === 0 || undefined);
}

/** @param tries 1 where a partition is known to be in use: it will be until the machine restarts. */
async function rereadTable(handle: FileHandle, calls: DiskCalls, tries: number): Promise<void> {
  let errno = 0;
  const isRead = await tryFor(() => {
    if (calls.ioctl(handle.fd, BLKRRPART, null) === 0) return true;
    errno = calls.errno();
    // Somebody reads a partition for a moment; anything else will not go away.
    return errno === EBUSY ? undefined : false;
  }, tries);
  if (isRead !== true) throw callFault("BLKRRPART", errno);
}

async function tryFor<T>(attempt: () => T | undefined, tries = TRIES): Promise<T | undefined> {
  for (let n = 0; n < tries; n++) {
    const result = attempt();
    if (result !== undefined) return result;
    await sleep(TRY_EVERY_MS);
  }
  return undefined;
}

async function readAt(handle: FileHandle, calls: DiskCalls, offset: number, length: number): Promise<Buffer> {
  calls.fadvise(handle.fd, offset, length, FADV_DONTNEED);
  const bytes = Buffer.alloc(length);
  let got = 0;
  while (got < length) {
    const { bytesRead } = await handle.read(bytes, got, length - got, offset + got);
    if (bytesRead === 0) throw callFault(`the disk ends at byte ${offset + got}`, ENXIO);
    got += bytesRead;
  }
  return bytes;
}

/** write(2) may take less than it was given: at the end of a device, or when a signal comes. */
export async function writeAt(handle: FileHandle, offset: number, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
