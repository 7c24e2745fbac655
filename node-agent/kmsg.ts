// Records of the kernel's log as /dev/kmsg gives them, one per read. Pure.
//
//     6,339,5140900,-;NET: Registered PF_INET6 protocol family
//      SUBSYSTEM=net                                            ← continuation lines: key=value, left out here
//     │ │   │       └ flags
//     │ │   └ microseconds since the kernel's start
//     │ └ sequence number: a gap means that the ring overwrote what nobody had read
//     └ facility × 8 + level
//
// Documentation/ABI/testing/dev-kmsg in the kernel's tree.

export type KernelLine = { seq: number; level: number; uptimeUs: number; text: string };

/** Longest text that is passed on; the kernel itself cuts at about a thousand. */
export const LONGEST_LINE = 1000;

/** Reads one record; undefined when it is none (the kernel's format is stable, a test's file may not be). */
export function parseKernelRecord(record: string): KernelLine | undefined {
  const match = /^(\d+),(\d+),(\d+),[^;]*;([^\n]*)/.exec(record);
  if (match === null) return undefined;
  const [, prefix, seq, uptimeUs, text] = match;
  return {
    seq: Number(seq),
    level: Number(prefix) & 7,
    uptimeUs: Number(uptimeUs),
    text: unescapeText(text!).slice(0, LONGEST_LINE),
  };
}

/** The kernel writes bytes that do not print as `\x1b`; they stay out of sight, since people read this on terminals. */
const unescapeText = (text: string): string => text.replace(/\\x[0-9a-f]{2}/g, "?").replace(/[^\x20-\x7e]/g, "?");
