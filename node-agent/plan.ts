// Which disk the OS would go to, and why, in words that a person can check against the machine. Pure: facts in, choice out.
// The session reports it for an approved machine; install/choose-disk.ts takes the same answer where no config names a disk.
import type { Disk } from "../server/contract/generated/agent.ts";
import { type Firmware, leastDiskBytes } from "./install/layout.ts";

/** `impossible` is an outcome: people see the reason beside the machine and on its screen. */
export type InstallDisk = { kind: "disk"; path: string; reason: string } | { kind: "impossible"; reason: string };

/** Why a disk is never taken. The first that fits is told. */
const BARS: readonly { bars: (disk: Disk, leastBytes: number) => boolean; say: (disk: Disk) => string }[] = [
  { bars: (d) => d.bootMedium, say: () => "the running system came from it" },
  { bars: (d) => d.removable, say: () => "is removable" },
  { bars: (d) => d.readOnly, say: () => "is read-only" },
  { bars: (d) => d.sizeBytes === 0n, say: () => "has no medium" },
  { bars: (d, least) => d.sizeBytes < BigInt(least), say: (d) => `is too small (${formatSize(d.sizeBytes)})` },
];

/** What is preferred, most important first: smaller is better. Size and name only make the order stable. */
const PREFERENCES: readonly ((disk: Disk) => number)[] = [
  (d) => (d.bus === "usb" ? 1 : 0),
  // One that holds a Slipway OS before an empty one: two disks with one each would leave it to the firmware which starts.
  (d) => ({ slipway: 0, empty: 1 })[d.content] ?? 2,
  (d) => mediumOf(d).rank,
  (d) => Number(d.sizeBytes),
];

/**
 * Chooses the disk to install to.
 *
 * Never a removable, read-only or too small one, nor the one that the running system came from. Of the rest: USB only when
 * there is nothing else, an own system's before empty, empty before foreign data, NVMe before SSD before spinning, smaller before larger, then by
 * name, so that the same machine always gives the same answer.
 *
 * @param firmware decides the least size; the larger need counts where it is not known.
 */
export function chooseInstallDisk(facts: { disks: readonly Disk[] }, firmware: Firmware = "bios"): InstallDisk {
  const leastBytes = leastDiskBytes(firmware);
  const barred = facts.disks.flatMap((disk) => {
    const bar = BARS.find((b) => b.bars(disk, leastBytes));
    return bar === undefined ? [] : [{ disk, why: `${disk.name} ${bar.say(disk)}` }];
  });
  const rest = facts.disks.filter((disk) => !barred.some((b) => b.disk === disk)).sort(compareDisks);
  const chosen = rest[0];
  if (chosen === undefined)
    return {
      kind: "impossible",
      reason: impossibleReason(
        leastBytes,
        barred.map((b) => b.why),
      ),
    };
  const left = [...rest.slice(1).map((d) => `${d.name} ${whyNot(chosen, d)}`), ...barred.map((b) => b.why)];
  const others = left.length === 0 ? "the only disk" : `not taken: ${left.join("; ")}`;
  return { kind: "disk", path: `/dev/${chosen.name}`, reason: `${describeDisk(chosen)}; ${others}` };
}

/** Bytes as the label on a drive counts them: `512 GB`, `4.0 GB`. */
export function formatSize(bytes: bigint): string {
  const gigabytes = Number(bytes) / 1e9;
  if (gigabytes >= 1000) return `${(gigabytes / 1000).toFixed(1)} TB`;
  return `${gigabytes.toFixed(gigabytes < 10 ? 1 : 0)} GB`;
}

function impossibleReason(leastBytes: number, why: readonly string[]): string {
  const wanted = `a fixed, writable disk of ${formatSize(BigInt(leastBytes))} or more is needed`;
  return why.length === 0 ? `${wanted}; no disk was seen` : `${wanted}; seen: ${why.join("; ")}`;
}

function compareDisks(a: Disk, b: Disk): number {
  for (const prefer of PREFERENCES) {
    const difference = prefer(a) - prefer(b);
    if (difference !== 0) return difference;
  }
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

const WHY_NOT = [
  () => "is on USB",
  (d: Disk) => (d.content === "empty" ? "is empty" : `holds data (${d.contentDetail || d.content})`),
  (d: Disk) => `is slower (${mediumOf(d).name})`,
  (d: Disk) => `is larger (${formatSize(d.sizeBytes)})`,
] as const;

/** The first preference that decided against `other`. */
function whyNot(chosen: Disk, other: Disk): string {
  const index = PREFERENCES.findIndex((prefer) => prefer(chosen) !== prefer(other));
  return WHY_NOT[index]?.(other) ?? "is as good, and comes later by name";
}

function describeDisk(disk: Disk): string {
  const holds: Record<string, string> = { empty: "empty", slipway: "holds an earlier Slipway OS" };
  const content = holds[disk.content] ?? `its data will be lost (${disk.contentDetail || disk.content})`;
  return [mediumOf(disk).name, formatSize(disk.sizeBytes), disk.model, content]
    .filter((part) => part !== "")
    .join(", ");
}

/** Speed class. An SD card or eMMC says "not rotational" and is still slower than any SSD. */
function mediumOf(disk: Disk): { rank: number; name: string } {
  if (disk.bus === "nvme") return { rank: 0, name: "NVMe" };
  if (disk.bus === "mmc") return { rank: 2, name: "eMMC or SD card" };
  if (disk.bus === "usb") return { rank: 2, name: "USB disk" };
  if (disk.bus === "virtio") return { rank: 1, name: "virtual disk" };
  return disk.rotational ? { rank: 3, name: "hard disk" } : { rank: 1, name: "SSD" };
}
