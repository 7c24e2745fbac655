// A fault of a disk, of the network or of a program → a reason and a remedy in plain words, for `slipway machines` and the
// machine's screen. Called by run-install.ts and run-reset.ts with whatever was thrown. Pure.
import { SlipwayError } from "../../server/contract/errors.ts";

export type Failed = { kind: "failed"; reason: string; remedy: string };

type Row = { reason: (disk: string) => string; remedy: string };

const REPLACE = "Look at the disk's health (SMART) and its cable; replace it, or name another with install.disk.";

/** errno → what it means while a disk is written. */
const ERRNO: Record<string, Row> = {
  EIO: { reason: (disk) => `${disk} fails: it could not be read or written (EIO)`, remedy: REPLACE },
  EREMOTEIO: { reason: (disk) => `${disk} fails: it did not carry out a command (EREMOTEIO)`, remedy: REPLACE },
  ENODATA: { reason: (disk) => `${disk} fails: a sector cannot be read (ENODATA)`, remedy: REPLACE },
  EILSEQ: {
    reason: (disk) => `${disk} fails: what it holds does not match its own checksums (EILSEQ)`,
    remedy: REPLACE,
  },
  EUCLEAN: {
    reason: (disk) => `a file system on ${disk} is damaged (EUCLEAN)`,
    remedy: "Install it anew: `slipway install MAC`.",
  },
  ENXIO: {
    reason: (disk) => `${disk} is gone (ENXIO)`,
    remedy: "Plug the disk in again, or name another with install.disk.",
  },
  ENODEV: {
    reason: (disk) => `${disk} is gone (ENODEV)`,
    remedy: "Plug the disk in again, or name another with install.disk.",
  },
  EROFS: {
    reason: (disk) => `${disk} refuses to be written: it is read-only (EROFS)`,
    remedy: "Take off its write protection. Many disks also turn read-only when they are worn out: then replace it.",
  },
  EPERM: {
    reason: (disk) => `${disk} refuses to be written (EPERM)`,
    remedy: "Take off its write protection, or unlock it with its vendor's tool.",
  },
  ENOSPC: {
    reason: (disk) => `${disk} has no room left (ENOSPC)`,
    remedy:
      "A thin-provisioned volume needs more room behind it; an image that outgrew its slot must be built smaller.",
  },
  EBUSY: {
    reason: (disk) => `${disk} is in use: mounted, or part of a RAID or LVM volume (EBUSY)`,
    remedy: "Name another disk with install.disk, or take this one out of the volume.",
  },
  ENOMEM: { reason: () => "the machine has too little memory for the install (ENOMEM)", remedy: "1 GiB is needed." },
};

const ANY: Row = {
  reason: (disk) => `the install to ${disk} failed`,
  remedy: "See the machine's log; it tries again by itself.",
};

/**
 * Words for a fault.
 * @param disk what was being written, as people know it: `/dev/vda`; "the disk" while none is chosen.
 */
export function failedBy(fault: unknown, disk: string): Failed {
  if (fault instanceof SlipwayError) return { kind: "failed", reason: fault.message, remedy: fault.remedy };
  const { code, message } = Object(fault) as { code?: unknown; message?: unknown };
  const row = typeof code === "string" ? ERRNO[code] : undefined;
  if (row !== undefined) return { kind: "failed", reason: row.reason(disk), remedy: row.remedy };
  return { kind: "failed", reason: `${ANY.reason(disk)}: ${String(message ?? fault)}`, remedy: ANY.remedy };
}

/** Linux's numbers of what mount, ioctl and flock answer, as Node names them in its own faults. */
const NAMES: Record<number, string> = {
  1: "EPERM",
  2: "ENOENT",
  5: "EIO",
  6: "ENXIO",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  16: "EBUSY",
  19: "ENODEV",
  22: "EINVAL",
  25: "ENOTTY",
  28: "ENOSPC",
  30: "EROFS",
  61: "ENODATA",
  71: "EPROTO",
  84: "EILSEQ",
  104: "ECONNRESET",
  110: "ETIMEDOUT",
  117: "EUCLEAN",
  121: "EREMOTEIO",
};

export const errnoName = (errno: number): string => NAMES[errno] ?? `errno ${errno}`;

/** A fault of a C call in the form that Node's own have. */
export function callFault(call: string, errno: number): NodeJS.ErrnoException {
  const code = errnoName(errno);
  return Object.assign(new Error(`${call}: ${code}`), { code, errno: -errno, syscall: call });
}
