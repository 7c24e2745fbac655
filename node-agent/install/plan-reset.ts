// Taking back what an install made on the system disk: afterwards the disk is blank. In this order: what boots, what is
// secret, the table, the marker. A cut reset is known as ours and goes on; an install over it works too. Pure.
import { MARKER_COPIES, MARKER_COPY_BYTES, MARKER_OFFSET } from "./disk-areas.ts";
import { planBootOrderRemoval } from "./efi-boot-order.ts";
import type { DiskRange, InstallFacts, Step } from "./install-step.ts";
import { type Layout, planLayout } from "./layout.ts";
import { markerOf, outerRanges, startRanges } from "./plan-install.ts";

export type ResetPlan = { kind: "steps"; steps: Step[] } | { kind: "refused"; reason: string; remedy: string };

/** Partitions that are zeroed whole: they hold keys and machine config. EPHEMERAL is too large; its start goes. */
const SECRET = ["META", "STATE"];

/** Plans the reset. [] for a blank disk; a disk that is not ours is not touched. */
export function planReset(facts: InstallFacts): ResetPlan {
  const disk = facts.disk.class;
  const variables = planBootOrderRemoval(facts.variables ?? new Map()).map(
    (step): Step => ({ kind: "set-boot-variable", step }),
  );
  if (disk.kind === "blank") return { kind: "steps", steps: variables };
  const marker = markerOf(disk);
  if (marker === undefined) {
    return {
      kind: "refused",
      reason: `${facts.disk.path} is not this machine's: ${disk.detail}`,
      remedy: "A reset erases only what Slipway wrote for this machine. To use the disk: `slipway install MAC --wipe`.",
    };
  }
  const laid = planLayout(facts.disk, facts.firmware, marker.guids);
  const ranges = laid.kind === "layout" ? layoutRanges(laid.layout) : [];
  const erase = (range: DiskRange, why: string): Step => ({ kind: "erase", ranges: [range], why });
  return {
    kind: "steps",
    steps: [
      { kind: "write-marker", marker: { ...marker, sequence: marker.sequence + 1, phase: "wiping", erases: [] } },
      ...ranges.map((range) => erase(range, "what the install made")),
      ...variables,
      { kind: "erase", ranges: outerRanges(facts.disk.sizeBytes), why: "the partition table" },
      ...eraseMarker(marker.sequence + 1).map((range) => erase(range, "the marker")),
    ],
  };
}

function layoutRanges(layout: Layout): DiskRange[] {
  const secret = layout.partitions.filter(({ label }) => SECRET.includes(label));
  return [...startRanges(layout), ...secret.map(({ offset, bytes }) => ({ offset, bytes }))];
}

/** The older copy first: were it the last one left, it would say that the disk is whole. */
function eraseMarker(newest: number): DiskRange[] {
  return Array.from({ length: MARKER_COPIES }, (_, n) => ({
    offset: MARKER_OFFSET + ((newest + 1 + n) % MARKER_COPIES) * MARKER_COPY_BYTES,
    bytes: MARKER_COPY_BYTES,
  }));
}
