// A plan's steps as people follow them: forty steps become ten stages, each with a sentence and its bytes. Order and content
// stay those of disk-ops.ts. Called by run-stages.ts, which reports each. Pure.
import { type DiskOp, opsOf } from "./disk-ops.ts";
import type { FileSpec, Step } from "./install-step.ts";
import type { Phase } from "./marker.ts";

export type Stage = {
  /** In the present tense: "writes the OS image to slot EFI". */
  text: string;
  ops: DiskOp[];
  /** What its operations will count; 0 where that means nothing. */
  bytesTotal: number;
};

/** A stage's operation and the bytes that it counts when it is done. */
type Labelled = { text: string; op: DiskOp; bytes: number };

const PHASE_TEXT: Record<Phase, string> = {
  wiping: "erases what stood on the disk",
  partitioning: "makes the partitions",
  filling: "makes the file systems",
  complete: "marks the install as complete",
};

/** Files that are long enough to be worth a sentence and a count of their own. */
const ASSET_TEXT: Record<"uki" | "linux" | "initrd", string> = {
  uki: "the OS image",
  linux: "the kernel",
  initrd: "the initramfs",
};

/** The steps in their order, neighbours of one sentence as one stage. */
export function stagesOf(steps: readonly Step[]): Stage[] {
  const stages: Stage[] = [];
  for (const { text, op, bytes } of labelled(steps)) {
    const last = stages.at(-1);
    if (last?.text === text) {
      last.ops.push(op);
      last.bytesTotal += bytes;
    } else stages.push({ text, ops: [op], bytesTotal: bytes });
  }
  return stages;
}

function labelled(steps: readonly Step[]): Labelled[] {
  let phase: Phase | undefined;
  return steps.flatMap((step) => {
    if (step.kind === "write-marker") {
      // With this one a plan begins that makes no file systems.
      if (phase === undefined && step.marker.phase === "filling") return opsOf(step).map((op) => ({ ...REOPENS, op }));
      phase = step.marker.phase;
    }
    if (step.kind === "write-file") return labelledFile(step.file);
    const text = textOf(step, phase);
    return opsOf(step).map((op) => ({ text, op, bytes: op.op === "disk-zero" ? op.range.bytes : 0 }));
  });
}

/** Not of this boot's making, and so with another identity: plan-install.ts says when. */
const REOPENS = { text: "opens the install again, which ended unheard", bytes: 0 };

type Texts = {
  [K in Exclude<Step["kind"], "write-file">]: (step: Extract<Step, { kind: K }>, phase: Phase | undefined) => string;
};

/** `phase` is undefined in a plan that goes on in `filling`: it has no marker to begin with. */
const TEXTS: Texts = {
  "write-marker": ({ marker }) => PHASE_TEXT[marker.phase],
  erase: (_, phase) => PHASE_TEXT[phase ?? "wiping"],
  "write-table": () => PHASE_TEXT.partitioning,
  format: () => PHASE_TEXT.filling,
  "write-meta": () => "writes META and the machine config",
  "remove-file": () => "clears up after an install that was cut",
  "write-boot-code": () => "writes GRUB's core image and boot code",
  "set-boot-variable": () => BOOT_ENTRIES_TEXT,
};

/** What the firmware kept of these is judged afterwards, and said in this stage. */
export const BOOT_ENTRIES_TEXT = "writes the firmware's boot entries";

function textOf(step: Exclude<Step, { kind: "write-file" }>, phase: Phase | undefined): string {
  const text = TEXTS[step.kind] as (step: Step, phase: Phase | undefined) => string;
  return text(step, phase);
}

function labelledFile(file: FileSpec): Labelled[] {
  const ops = opsOf({ kind: "write-file", file });
  const { content, on, bytes } = file;
  if (on === "STATE") return ops.map((op) => ({ text: "writes META and the machine config", op, bytes: 0 }));
  const what = content.kind === "asset" && content.asset !== "loader" ? ASSET_TEXT[content.asset] : undefined;
  if (what === undefined) return ops.map((op) => ({ text: "writes the boot loader and what it starts", op, bytes: 0 }));
  // The read-back is a stage of its own: it moves as many bytes again.
  const verifyAt = ops.findIndex(({ op }) => op === "verify");
  return ops.map((op, n) => ({
    text: n < verifyAt ? `writes ${what} to slot ${on}` : `reads ${what} back from slot ${on}`,
    op,
    bytes: op.op === "write" || op.op === "verify" ? bytes : 0,
  }));
}
