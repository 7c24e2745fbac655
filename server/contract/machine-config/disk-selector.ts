// Which disks a diskSelector means, and why each of the others is not meant. The agent asks it when a config carries one;
// the appliance to preview it from a machine's facts. Source: talos reference §4.4 (all conditions must hold; `*` matches
// any characters; read-only disks and CD-ROMs never match). Pure.
import { COMPARE, type SizeCondition } from "./disk-size.ts";

/** What is known of a disk, as the agent observes it. Unknown texts are empty. */
export type DiskFacts = {
  /** The kernel's name: `nvme0n1`. */
  name: string;
  sizeBytes: bigint;
  model: string;
  serial: string;
  wwid: string;
  /** `nvme`, `sata`, `scsi`, `usb`, `mmc`, `virtio`. Empty for what is no hardware (loop, RAM, device mapper). */
  bus: string;
  rotational: boolean;
  readOnly: boolean;
  /** `/sys/block/<name>/device/modalias`. */
  modalias?: string;
  /** `/sys/block/<name>/uuid`. */
  uuid?: string;
  /** Path in sysfs below /sys/devices: `/pci0000:00/…`. */
  busPath?: string;
};

export type DiskSelector = {
  size?: SizeCondition;
  model?: string;
  serial?: string;
  modalias?: string;
  uuid?: string;
  wwid?: string;
  type?: "ssd" | "hdd" | "nvme" | "sd";
  busPath?: string;
};

export type DiskMatch = { disk: DiskFacts; isMatch: boolean /** Why not; empty for a match. */; reason: string };

const TYPES: Record<NonNullable<DiskSelector["type"]>, (disk: DiskFacts) => boolean> = {
  nvme: (d) => d.bus === "nvme",
  sd: (d) => d.bus === "mmc",
  hdd: (d) => d.rotational,
  ssd: (d) => !d.rotational,
};

/** `*` stands for any characters, none included; all else for itself. */
export function globMatches(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return pattern === text;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  const last = rest.pop()!;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

const GLOBS = ["model", "serial", "modalias", "uuid", "wwid", "busPath"] as const;

function whyNot(selector: DiskSelector, disk: DiskFacts): string | undefined {
  if (disk.bus === "") return "is no hardware disk";
  if (disk.readOnly) return "is read-only";
  const { size, type } = selector;
  if (size !== undefined && !COMPARE[size.operator](disk.sizeBytes, size.bytes)) {
    return `has ${disk.sizeBytes} bytes, not ${size.text}`;
  }
  if (type !== undefined && !TYPES[type](disk))
    return `is ${disk.bus}${disk.rotational ? ", spinning" : ""}, not ${type}`;
  for (const key of GLOBS) {
    const pattern = selector[key];
    const fact = disk[key] ?? "";
    if (pattern !== undefined && !globMatches(pattern, fact)) {
      return `has the ${key} ${JSON.stringify(fact)}, not ${JSON.stringify(pattern)}`;
    }
  }
  return undefined;
}

/** A selector that says nothing (`{}`, as every rendered config has it) leaves the choice to the node's own rule. */
export const hasConditions = (selector: DiskSelector | undefined): selector is DiskSelector =>
  selector !== undefined && Object.values(selector).some((condition) => condition !== undefined);

/** Every disk with the first condition that it fails, in the order given. A selector without conditions means them all. */
export function matchDisks(selector: DiskSelector, disks: readonly DiskFacts[]): DiskMatch[] {
  return disks.map((disk) => {
    const reason = whyNot(selector, disk);
    return { disk, isMatch: reason === undefined, reason: reason ?? "" };
  });
}

export type SelectedDisk = { kind: "disk"; path: string; reason: string } | { kind: "impossible"; reason: string };

/**
 * The one disk that a selector means. Of several, the smallest, then by name, so that the same machine always gives the same
 * answer. What stands on it, and whether it is large enough, is judged elsewhere.
 */
export function selectDisk(selector: DiskSelector, disks: readonly DiskFacts[]): SelectedDisk {
  const matches = matchDisks(selector, disks);
  const fits = matches.filter((m) => m.isMatch).map((m) => m.disk);
  const misses = matches.filter((m) => !m.isMatch).map((m) => `${m.disk.name} ${m.reason}`);
  const [chosen, ...others] = fits.sort(smallerFirst);
  if (chosen === undefined) {
    return { kind: "impossible", reason: `no disk fits install.diskSelector; seen: ${misses.join("; ") || "none"}` };
  }
  const beside = [...others.map((d) => `${d.name} fits too, and is larger or comes later`), ...misses];
  const reason = `the diskSelector fits${beside.length === 0 ? "" : `; not taken: ${beside.join("; ")}`}`;
  return { kind: "disk", path: `/dev/${chosen.name}`, reason };
}

function smallerFirst(a: DiskFacts, b: DiskFacts): number {
  if (a.sizeBytes !== b.sizeBytes) return a.sizeBytes < b.sizeBytes ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
