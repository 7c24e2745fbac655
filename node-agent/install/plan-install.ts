// What is left to do until this disk boots the OS, from what is true now: run again it gives the shorter plan, then [].
// Phases (marker.ts) tell which of a disk's contents can be trusted after a cut; within `filling` the files themselves tell.
// Pure; the agent's executor runs the steps. docs/install.md has the order in words, and why.
import type { DiskClass } from "./classify-disk.ts";
import { HEAD_BYTES, MARKER_END, MARKER_OFFSET, TAIL_BYTES } from "./disk-areas.ts";
import { planBootOrder } from "./efi-boot-order.ts";
import { installFiles, isThere, type StagedFile, volumeId } from "./install-files.ts";
import type { DiskRange, InstallFacts, InstallPlan, InstallTarget, Sized, Step, Volume } from "./install-step.ts";
import { type Firmware, type Layout, planLayout } from "./layout.ts";
import type { Marker, Phase } from "./marker.ts";
import { type MetaTags, SLIPWAY_TAGS } from "./meta.ts";
import { formatSignature } from "./signatures.ts";
import { isTemporary } from "./slot-files.ts";

/**
 * How much of a partition's start is zeroed before mkfs: all of a slot's FATs and its root directory. Without it, a cut in
 * mkfs could leave a new boot sector over old directories, and the firmware would find files there whose ends are gone.
 */
export const FORMAT_ERASE_BYTES = 8 * 1024 * 1024;

/** What files are written to. */
export const VOLUMES: readonly Volume[] = ["EFI", "BOOT", "STATE"];

/** A FAT's boot sector, with its backup on disks of 512-byte sectors. */
const BOOT_SECTOR_BYTES = 4096;

/** Which class of disk may be written to only when a person said so. */
const FOREIGN: readonly DiskClass["kind"][] = ["other-machine", "other-owner", "talos", "foreign"];

const ARCH: Record<Firmware, "amd64" | "arm64"> = { "uefi-x86_64": "amd64", "uefi-arm64": "arm64", bios: "amd64" };

/**
 * Plans the install. `steps` is empty when this very order is complete and STATE holds what is given; a later boot order of a
 * person is left alone. A complete one whose STATE holds other things is opened again: the power went before the appliance
 * heard of the end, the machine enrolled anew, and from its disk it would come with a key that nobody takes any more.
 */
export function planInstall(facts: InstallFacts, target: InstallTarget): InstallPlan {
  const before = markerOf(facts.disk.class);
  const isSameOrder = before?.order === target.order;
  const isComplete = isSameOrder && isWholeDisk(facts.disk.class);
  if (isComplete && holdsState(facts.files.STATE, target)) return { kind: "steps", steps: [], install: before.install };
  const refusal = refuse(facts, target);
  if (refusal !== undefined) return refusal;
  const guids = before?.guids ?? target.guids;
  const laid = planLayout(facts.disk, facts.firmware, guids);
  if (laid.kind === "too-small")
    return { kind: "refused", reason: `${facts.disk.path}: ${laid.reason}`, remedy: laid.remedy };
  const install = before === undefined ? (target.firstInstall ?? 1) : before.install + (isSameOrder ? 0 : 1);
  const tooLarge = refuseSize(target, laid.layout);
  if (tooLarge !== undefined) return tooLarge;
  const marker = {
    schema: 1 as const,
    ...target.holder,
    install,
    order: target.order,
    guids,
    erases: [],
  };
  const phase = startPhase(facts, isSameOrder);
  const context: Context = {
    facts,
    target,
    layout: laid.layout,
    install,
    marker,
    sequence: lastSequence(facts.disk.class),
  };
  // Said before the first byte changes: a disk with half of it is no node's own.
  const reopening = phase === "filling" && isComplete ? [phaseMarker(context, "filling")] : [];
  return { kind: "steps", steps: number([...reopening, ...stepsFrom(phase, context)], context), install };
}

const isWholeDisk = (disk: DiskClass): boolean => disk.kind === "ours" && disk.state === "complete";

/** Whether STATE holds every file that is given, as it is given. @param found files of STATE; undefined: it cannot be mounted. */
export const holdsState = (
  found: ReadonlyMap<string, Sized> | undefined,
  { state }: Pick<InstallTarget, "state">,
): boolean => state.every((file) => isThere(found?.get(file.path), file));

type Context = {
  facts: InstallFacts;
  target: InstallTarget;
  layout: Layout;
  install: number;
  marker: Omit<Marker, "phase" | "sequence">;
  sequence: number;
};

/** The first phase whose work is not known to be done. A cut or earlier install of another order is made anew. */
function startPhase({ disk: { class: disk }, files }: InstallFacts, isSameOrder: boolean): Phase {
  if (disk.kind === "blank") return "partitioning";
  if (disk.kind !== "ours") return "wiping";
  if (disk.marker.phase === "wiping") return "wiping";
  if (!isSameOrder) return "partitioning";
  // A table that somebody changed under a filled disk: the files cannot be trusted to be where they were. Nor can a volume
  // be filled that nobody can mount.
  const isWhole = VOLUMES.every((volume) => files[volume] !== undefined);
  return isWhole && (disk.marker.phase === "filling" || isWholeDisk(disk)) ? "filling" : "partitioning";
}

function stepsFrom(phase: Phase, context: Context): Step[] {
  const steps: Step[] = [];
  if (phase === "wiping") steps.push(...wipingSteps(context));
  if (phase !== "filling") steps.push(...partitioningSteps(context));
  return [...steps, ...fillingSteps(context, phase !== "filling")];
}

/** Everything that head and tail hold, but the marker. The marker says first what may go. */
function wipingSteps(context: Context): Step[] {
  const { facts } = context;
  const disk = facts.disk.class;
  const erases = "signatures" in disk ? disk.signatures.map(formatSignature) : (markerOf(disk)?.erases ?? []);
  const marker = phaseMarker(context, "wiping");
  return [
    { ...marker, marker: { ...marker.marker, erases } },
    { kind: "erase", ranges: outerRanges(facts.disk.sizeBytes), why: disk.detail || "what stood on the disk" },
  ];
}

/** Head and tail around the marker. */
export const outerRanges = (sizeBytes: number): DiskRange[] => [
  { offset: 0, bytes: MARKER_OFFSET },
  { offset: MARKER_END, bytes: HEAD_BYTES - MARKER_END },
  { offset: sizeBytes - TAIL_BYTES, bytes: TAIL_BYTES },
];

/** Starts of the partitions, slots first: nothing can be booted once they are gone, and STATE goes only after that. */
export function startRanges(layout: Layout): DiskRange[] {
  const slots = layout.partitions.filter(({ format }) => format === "fat32");
  const rest = layout.partitions.filter(({ format }) => format !== "fat32");
  return [
    // LBA 0: a BIOS starts nothing from here any more. Then the slots' boot sectors: no firmware mounts them.
    { offset: 0, bytes: layout.gpt.sectorBytes },
    ...slots.map(({ offset }) => ({ offset, bytes: BOOT_SECTOR_BYTES })),
    ...[...slots, ...rest].map(({ offset, bytes }) => ({ offset, bytes: Math.min(bytes, FORMAT_ERASE_BYTES) })),
  ];
}

function partitioningSteps(context: Context): Step[] {
  const { layout, marker } = context;
  const formats = layout.partitions.flatMap(({ label, format }): Step[] => {
    if (format === "none") return [];
    const id = format === "fat32" ? volumeId(marker.guids[label]) : marker.guids[label];
    return [{ kind: "format", partition: label, format, id }];
  });
  return [
    phaseMarker(context, "partitioning"),
    // One step each, hence one sync each: the slots are off the disk before STATE is touched.
    ...startRanges(layout).map((range): Step => ({ kind: "erase", ranges: [range], why: "the start of a partition" })),
    { kind: "write-table", gpt: layout.gpt },
    ...formats,
    phaseMarker(context, "filling"),
  ];
}

function fillingSteps(context: Context, isFresh: boolean): Step[] {
  const { facts, target, layout, install, marker } = context;
  const there = (file: StagedFile): Sized | undefined => (isFresh ? undefined : facts.files[file.on]?.get(file.path));
  const files = installFiles(facts.firmware, target, marker.guids, install);
  const isWrong = (file: StagedFile) => !isThere(there(file), file);
  const isPayloadWrong = files.some((file) => file.stage === "payload" && isWrong(file));
  // What points to a payload that is written again goes first, and so comes again after it.
  const missing = files.filter((file) => isWrong(file) || (isPayloadWrong && file.stage === "pointer"));
  const meta = layout.partitions.find(({ label }) => label === "META")!;
  const tags = metaTags(target.meta, install);
  const hasMeta = !isFresh && facts.meta.kind === "meta" && isSameTags(facts.meta.tags, tags);
  return [
    ...(isFresh ? [] : leftovers(facts, files, isPayloadWrong)),
    ...(hasMeta ? [] : [{ kind: "write-meta" as const, offset: meta.offset, tags }]),
    ...missing.map((file): Step => ({ kind: "write-file", file: specOf(file) })),
    ...bootSteps(context, isFresh),
    phaseMarker(context, "complete"),
  ];
}

/** META also says which install filled the disk. */
export const metaTags = (given: MetaTags, install: number): MetaTags =>
  new Map([...given, [SLIPWAY_TAGS.installNumber, Buffer.from(String(install))]]);

/** What a cut write left; and, where a payload has to be written again, everything that points to it. */
function leftovers(facts: InstallFacts, files: readonly StagedFile[], isPayloadWrong: boolean): Step[] {
  const known = new Map(files.map((file) => [`${file.on}:${file.path}`, file.stage]));
  const steps: Step[] = [];
  for (const on of VOLUMES) {
    for (const path of facts.files[on]?.keys() ?? []) {
      const stage = known.get(`${on}:${path}`);
      // STATE is the agent's: what else it keeps there is none of ours.
      if (isTemporary(path) || (stage === undefined && on !== "STATE")) {
        steps.push({ kind: "remove-file", on, path, why: "left by a write that was cut, or by an earlier install" });
      } else if (stage === "pointer" && isPayloadWrong) {
        steps.push({ kind: "remove-file", on, path, why: "it points to a file that is not whole" });
      }
    }
  }
  return steps;
}

/** UEFI: the firmware's entries. BIOS: core image and boot code. Both are pointers to what stands by now. */
function bootSteps({ facts, target, layout }: Context, isFresh: boolean): Step[] {
  if (facts.firmware !== "bios") {
    if (facts.variables === undefined) return [];
    return planBootOrder(facts.variables, layout).map((step): Step => ({ kind: "set-boot-variable", step }));
  }
  const { core, boot } = target.grub;
  if (!isFresh && facts.bootCode.core === core.sha256 && facts.bootCode.boot === boot.sha256) return [];
  const partition = layout.partitions.find(({ label }) => label === "BIOS")!;
  return [{ kind: "write-boot-code", core, coreOffset: partition.offset, boot }];
}

const phaseMarker = ({ marker }: Context, phase: Phase): Step & { kind: "write-marker" } => ({
  kind: "write-marker",
  marker: { ...marker, phase, sequence: 0 },
});

/** Markers count on from the one on the disk: the copy that holds is never the one that is written. */
function number(steps: readonly Step[], { sequence }: Context): Step[] {
  let next = sequence;
  return steps.map((step) =>
    step.kind === "write-marker" ? { ...step, marker: { ...step.marker, sequence: ++next } } : step,
  );
}

const specOf = ({ on, path, content, bytes, sha256 }: StagedFile) => ({ on, path, content, bytes, sha256 });
const isSameTags = (a: MetaTags, b: MetaTags) =>
  a.size === b.size &&
  [...b].every(([tag, value]) => Buffer.compare(a.get(tag) ?? Buffer.alloc(0), value) === 0 && a.has(tag));

/** Of any marker that stands there: ours must be the higher one from its first write on. */
function lastSequence(disk: DiskClass): number {
  if (disk.kind === "foreign") return disk.leftover?.sequence ?? 0;
  return "marker" in disk ? disk.marker.sequence : 0;
}

/**
 * Whether `InstallFacts.files` must be filled: only there can files be whole. Elsewhere nothing is mounted or hashed.
 * @param order the install's; undefined in a reset.
 */
export const needsFiles = (disk: DiskClass, order: string | undefined): boolean =>
  disk.kind === "ours" && (disk.marker.phase === "filling" || (isWholeDisk(disk) && disk.marker.order === order));

/** The marker that counts: a foreign one is not gone on with, whatever it says. */
export const markerOf = (disk: DiskClass): Marker | undefined => (disk.kind === "ours" ? disk.marker : undefined);

type Refusal = Extract<InstallPlan, { kind: "refused" }>;

function refuse({ disk, firmware }: InstallFacts, { mayWipe, image }: InstallTarget): Refusal | undefined {
  if (disk.isReadOnly) {
    return {
      kind: "refused",
      reason: `${disk.path} is read-only`,
      remedy: "Take off its write protection, or name another disk.",
    };
  }
  if (image.arch !== ARCH[firmware]) {
    return {
      kind: "refused",
      reason: `the image is for ${image.arch}; this machine (${firmware}) needs ${ARCH[firmware]}`,
      remedy: `Build the image for ${ARCH[firmware]} (\`npm run assets\`), then power the machine on again.`,
    };
  }
  // GRUB's core image finds its own blocks by a list of 512-byte sectors that is made with the image.
  if (firmware === "bios" && disk.sectorBytes !== 512) {
    return {
      kind: "refused",
      reason: `${disk.path} has sectors of ${disk.sectorBytes} bytes; a BIOS starts only disks with sectors of 512`,
      remedy: "Set the machine's firmware to UEFI, or name a disk with 512-byte sectors (install.disk).",
    };
  }
  if (FOREIGN.includes(disk.class.kind) && !mayWipe) {
    return {
      kind: "refused",
      reason: `${disk.path} holds data: ${disk.class.detail}`,
      remedy:
        "If it may go: `slipway install MAC --wipe`, or install.wipe in the machine config. Else name another disk.",
    };
  }
  return undefined;
}

/** A slot takes the image twice: an update writes the new one beside the old one's rest. 32 MiB are for FATs and loader. */
function refuseSize({ image, grub }: InstallTarget, layout: Layout): Refusal | undefined {
  const slot = layout.partitions.find(({ label }) => label === "EFI")!.bytes;
  const needed = 2 * image.uki.bytes + 32 * 1024 * 1024;
  const core = layout.partitions.find(({ label }) => label === "BIOS");
  const what =
    needed > slot
      ? `image ${image.version} has ${image.uki.bytes} bytes; a slot of ${slot} takes ${(slot - 32 * 1024 * 1024) / 2}`
      : core !== undefined && grub.core.bytes > core.bytes
        ? `GRUB's core image has ${grub.core.bytes} bytes; its partition has ${core.bytes}`
        : undefined;
  if (what === undefined) return undefined;
  return {
    kind: "refused",
    reason: what,
    remedy: "Build a smaller image: leave out firmware or modules that no machine needs.",
  };
}
