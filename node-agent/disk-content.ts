// What stands on a disk, told from its first bytes alone: enough to say "this disk holds data" without mounting anything and
// without blkid. Pure. Magic numbers: libblkid's superblock probes, UEFI 2.10 §5.3 (GPT).

/** `slipway`: an earlier Slipway OS, ours to overwrite. `unknown`: bytes that no row below knows. */
export type DiskContent = { content: "empty" | "slipway" | "foreign" | "unknown"; detail: string };

/** How much of a disk is looked at: Btrfs keeps its mark furthest back, at 64 KiB + 64. */
export const CONTENT_BYTES = 72 * 1024;

/** File systems and containers that stand on a whole disk: where their mark is. */
const MARKS: readonly { name: string; at: number; mark: string }[] = [
  { name: "LUKS", at: 0, mark: "LUKS\xba\xbe" },
  { name: "LVM", at: 512 + 24, mark: "LVM2 001" },
  { name: "ext4", at: 1080, mark: "\x53\xef" },
  { name: "XFS", at: 0, mark: "XFSB" },
  { name: "Btrfs", at: 65_600, mark: "_BHRfS_M" },
  { name: "NTFS", at: 3, mark: "NTFS    " },
  { name: "exFAT", at: 3, mark: "EXFAT   " },
  { name: "FAT", at: 82, mark: "FAT32   " },
  { name: "FAT", at: 54, mark: "FAT16   " },
  { name: "swap", at: 4086, mark: "SWAPSPACE2" },
  { name: "squashfs", at: 0, mark: "hsqs" },
  { name: "erofs", at: 1024, mark: "\xe2\xe1\xf5\xe0" },
  { name: "MD RAID", at: 4096, mark: "\xfc\x4e\x2b\xa9" },
  { name: "ISO 9660", at: 32_769, mark: "CD001" },
];

/** Partition labels that only our own install makes together (design §4). */
const OUR_LABELS = ["META", "STATE", "EPHEMERAL"];

/**
 * Judges a disk by its first {@link CONTENT_BYTES}; fewer are fine, what is missing counts as absent.
 * @returns `detail` is for people: `GPT with 3 partitions (EFI, BOOT, META)`, `ext4`.
 */
export function readContent(head: Uint8Array): DiskContent {
  const text = latin1(head);
  const partitions = gptPartitions(head, text);
  if (partitions !== undefined) {
    const ours = OUR_LABELS.every((label) => partitions.includes(label));
    return partitions.length === 0
      ? { content: "empty", detail: "an empty GPT" }
      : { content: ours ? "slipway" : "foreign", detail: gptDetail(partitions) };
  }
  const mark = MARKS.find((m) => text.startsWith(m.mark, m.at));
  if (mark !== undefined) return { content: "foreign", detail: mark.name };
  const count = mbrPartitions(head);
  if (count > 0) return { content: "foreign", detail: `MBR with ${count} partition${count === 1 ? "" : "s"}` };
  return head.some((byte) => byte !== 0)
    ? { content: "unknown", detail: "data that no known system wrote" }
    : { content: "empty", detail: "" };
}

function gptDetail(labels: readonly string[]): string {
  const named = labels.filter((label) => label !== "");
  const names = named.length === 0 ? "" : ` (${named.slice(0, 6).join(", ")})`;
  return `GPT with ${labels.length} partition${labels.length === 1 ? "" : "s"}${names}`;
}

/** Labels of all used entries; undefined when there is no GPT. Disks with 4096-byte sectors have it at 4096. */
function gptPartitions(head: Uint8Array, text: string): string[] | undefined {
  const sectorBytes = [512, 4096].find((size) => text.startsWith("EFI PART", size));
  if (sectorBytes === undefined) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.byteLength < sectorBytes + 92) return [];
  const count = Math.min(view.getUint32(sectorBytes + 80, true), 128);
  const entryBytes = Math.max(view.getUint32(sectorBytes + 84, true), 128);
  const labels: string[] = [];
  for (let index = 0; index < count; index++) {
    const at = sectorBytes * 2 + index * entryBytes;
    const entry = head.subarray(at, at + 128);
    if (entry.length === 128 && entry.subarray(0, 16).some((byte) => byte !== 0)) labels.push(gptLabel(entry));
  }
  return labels;
}

/** UTF-16LE up to the first NUL; anything but plain ASCII is left out, for it lands on a screen. */
function gptLabel(entry: Uint8Array): string {
  let label = "";
  for (let at = 56; at + 1 < 128; at += 2) {
    const code = entry[at]! | (entry[at + 1]! << 8);
    if (code === 0) break;
    if (code >= 0x20 && code < 0x7f) label += String.fromCharCode(code);
  }
  return label;
}

function mbrPartitions(head: Uint8Array): number {
  if (head.length < 512 || head[510] !== 0x55 || head[511] !== 0xaa) return 0;
  return [446, 462, 478, 494].filter((at) => head[at + 4] !== 0).length;
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
