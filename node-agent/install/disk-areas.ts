// Which bytes of a disk the installer looks at, and where its own marker stands. One table for the reader, the judge and
// the wiper, so that nothing is erased that was not looked at first. Pure.
//
//   0 … 2 MiB: tables, file systems on the whole disk, and the start of a first partition at 1 MiB
//   768 KiB:   two copies of the marker (marker.ts): behind every table, before the first aligned partition
//   last MiB:  backup GPT, MD RAID 0.90 and 1.0, ZFS labels, firmware RAID

const KIB = 1024;
const MIB = 1024 * KIB;

export const HEAD_BYTES = 2 * MIB;
export const TAIL_BYTES = 1 * MIB;
/** Where our first partition starts: what lies before it belongs to tables and marker. */
export const FIRST_PARTITION_BYTES = 1 * MIB;
/** No table, core image or superblock in signatures.ts reaches this place; ZFS's second label ends at 512 KiB. */
export const MARKER_OFFSET = 768 * KIB;
export const MARKER_COPY_BYTES = 4 * KIB;
export const MARKER_COPIES = 2;
export const MARKER_END = MARKER_OFFSET + MARKER_COPIES * MARKER_COPY_BYTES;
