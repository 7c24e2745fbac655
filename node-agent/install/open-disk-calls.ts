// The calls of the C library that an install needs and Node has no word for: mounts, ioctls on disks and efivarfs, locks, and
// the word to the kernel that a file's pages may go. Edge. run-install.ts and its parts get them as an argument.
// Sources: mount(2), umount2(2), flock(2), posix_fadvise(3), linux/fs.h (BLKRRPART, FS_IOC_*).
import { loadKoffi } from "../open-libc.ts";

export type DiskCalls = {
  /** Each returns −1 and sets errno on failure, but fadvise, which returns the errno itself. */
  mount(source: string, target: string, type: string, flags: number, options: string): number;
  umount(target: string, flags: number): number;
  ioctl(fd: number, request: number, argument: Buffer | null): number;
  flock(fd: number, operation: number): number;
  fadvise(fd: number, offset: number, length: number, advice: number): number;
  errno(): number;
};

/** Flags of mount(2): what a volume of ours never needs. */
export const MOUNT = { readOnly: 1, noSuid: 2, noDev: 4, noExec: 8, bind: 4096 } as const;
/** Rereads the partition table (linux/fs.h). */
export const BLKRRPART = 0x125f;
/** A file's attributes, 4 bytes: efivarfs marks its files immutable. */
export const FS_IOC_GETFLAGS = 0x80086601;
export const FS_IOC_SETFLAGS = 0x40086602;
export const FS_IMMUTABLE = 0x10;
export const LOCK = { exclusive: 2, notBlocking: 4 } as const;
export const FADV_DONTNEED = 4;

/** Loads them. Rejects where there is no koffi or no glibc: nothing can be installed then. */
export async function openDiskCalls(): Promise<DiskCalls> {
  const koffi = await loadKoffi();
  const lib = koffi.load("libc.so.6");
  return {
    mount: lib.func("int mount(str source, str target, str type, unsigned long flags, str options)"),
    umount: lib.func("int umount2(str target, int flags)"),
    // Variadic in C; with one argument both ABIs that we run on pass it as any other.
    ioctl: lib.func("int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)"),
    flock: lib.func("int flock(int fd, int operation)"),
    fadvise: lib.func("int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)"),
    errno: () => koffi.errno(),
  };
}
