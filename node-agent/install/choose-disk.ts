// Which disk an order goes to: the config's own word first, then an install that was begun, then the rule of plan.ts. The
// answer explains itself. Called by run-install.ts. Pure. What stands on the chosen disk is judged by plan-install.ts.
import type { Disk } from "../../server/contract/generated/agent.ts";
import { type DiskSelector, hasConditions, selectDisk } from "../../server/contract/machine-config/disk-selector.ts";
import { chooseInstallDisk, formatSize } from "../plan.ts";
import type { DiskClass } from "./classify-disk.ts";
import type { Firmware } from "./layout.ts";
import { markerOf } from "./plan-install.ts";

export type Candidate = { disk: Disk; class: DiskClass };

/** The part of the machine config that names a disk. */
export type DiskWish = {
  /** `install.disk` as written. */
  disk?: string;
  /** The kernel's name behind it (`vda`); undefined when there is no such file. */
  resolved?: string;
  diskSelector?: DiskSelector;
};

export type DiskChoice =
  | { kind: "disk"; name: string; reason: string }
  | { kind: "refused"; reason: string; remedy: string };

/** @param order the same one goes on where it was cut, whatever has become the better disk since. */
export function chooseDisk(
  candidates: readonly Candidate[],
  wish: DiskWish,
  order: string,
  firmware: Firmware,
): DiskChoice {
  if (hasConditions(wish.diskSelector)) return selected(candidates, wish.diskSelector);
  if (wish.disk !== undefined) return named(candidates, wish.disk, wish.resolved);
  const begun = candidates.find((candidate) => markerOf(candidate.class)?.order === order);
  if (begun !== undefined) return { kind: "disk", name: begun.disk.name, reason: "this install was begun on it" };
  const choice = chooseInstallDisk({ disks: candidates.map(judged) }, firmware);
  if (choice.kind === "disk") return { kind: "disk", name: choice.path.slice("/dev/".length), reason: choice.reason };
  return {
    kind: "refused",
    reason: choice.reason,
    remedy: "Put in a disk that fits, or name one with install.disk or install.diskSelector in the machine config.",
  };
}

/** What the disk is to this very machine: another owner's Slipway is data like any other. */
function judged({ disk, class: { kind, detail } }: Candidate): Disk {
  const content = kind === "ours" ? "slipway" : kind === "blank" ? "empty" : "foreign";
  return { ...disk, content, contentDetail: detail };
}

function selected(candidates: readonly Candidate[], selector: DiskSelector): DiskChoice {
  // "other" is what no bus is known of: memory and the like, which a selector never means.
  const disks = candidates.map(({ disk }) => ({ ...disk, bus: disk.bus === "other" ? "" : disk.bus }));
  const choice = selectDisk(selector, disks);
  if (choice.kind === "disk") return { kind: "disk", name: choice.path.slice("/dev/".length), reason: choice.reason };
  const remedy = "Change install.diskSelector in the machine's config (`slipway machine MAC` lists its disks).";
  return { kind: "refused", reason: choice.reason, remedy };
}

function named(candidates: readonly Candidate[], disk: string, resolved: string | undefined): DiskChoice {
  const found = candidates.find((candidate) => candidate.disk.name === resolved);
  if (found !== undefined) return { kind: "disk", name: found.disk.name, reason: `install.disk is ${disk}` };
  const there = candidates.map((c) => `/dev/${c.disk.name} (${formatSize(c.disk.sizeBytes)})`).join(", ");
  const is = resolved === undefined || `/dev/${resolved}` === disk ? "" : `, which is /dev/${resolved}`;
  return {
    kind: "refused",
    reason: `install.disk is ${disk}${is}: this machine has no such disk; seen: ${there || "none"}`,
    remedy: "Name one of the disks that were seen (a whole disk, no partition), or leave install.disk out.",
  };
}
