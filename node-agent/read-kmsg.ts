// The kernel's log, from /dev/kmsg. Edge. While nobody listens nothing is read: the kernel's own ring is the buffer, and what
// it overwrites shows as a gap in the sequence numbers.
import { closeSync, constants, openSync, readSync } from "node:fs";
import { type KernelLine, parseKernelRecord } from "./kmsg.ts";

/** Room for the longest record (CONSOLE_EXT_LOG_MAX is 8192); a smaller buffer makes the kernel say EINVAL for ever. */
const RECORD_BYTES = 16_384;

export type KernelLog = {
  /** Lines that came since the last call, at most `most`; `lost` counts those that were overwritten before them. */
  take(most: number): { lines: KernelLine[]; lost: number };
  close(): void;
};

/**
 * Opens the log behind `afterSeq`; -1 gives all that the ring still holds.
 * @returns undefined where there is no such device or no right to it (a container): the agent then sends no kernel lines.
 */
export function openKernelLog(afterSeq: number, path = "/dev/kmsg"): KernelLog | undefined {
  let fd: number;
  try {
    // Non-blocking: a blocking read would hold one of Node's four threads for ever, and the process's end with it.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const buffer = Buffer.alloc(RECORD_BYTES);
  let last = afterSeq;
  const take = (most: number) => {
    const lines: KernelLine[] = [];
    let lost = 0;
    while (lines.length < most) {
      const record = readRecord(fd, buffer);
      if (record === undefined) break;
      const line = parseKernelRecord(record);
      if (line === undefined || line.seq <= last) continue;
      if (last >= 0) lost += line.seq - last - 1;
      last = line.seq;
      lines.push(line);
    }
    return { lines, lost };
  };
  return { take, close: () => closeSync(fd) };
}

/** The next record; undefined when there is none yet. */
function readRecord(fd: number, buffer: Buffer): string | undefined {
  for (;;) {
    try {
      const length = readSync(fd, buffer, 0, buffer.length, null);
      return length === 0 ? undefined : buffer.toString("utf8", 0, length);
    } catch (error) {
      // EPIPE: the record was overwritten while we were away; the next read gives the oldest that is left.
      if ((error as NodeJS.ErrnoException).code !== "EPIPE") return undefined;
    }
  }
}
