// An order, carried out: choose the disk, fetch and check the manifest, plan from what is true, do it stage by stage. Edge.
// The agent's session calls it, as often as it takes, with the same order: what is done already is not done again.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { InstallStep } from "../../server/contract/generated/agent.ts";
import type { InstallConfig } from "../../server/contract/machine-config/node-config.ts";
import { uptimeMs } from "../clock-service.ts";
import type { Observer } from "../observe.ts";
import { type Candidate, chooseDisk } from "./choose-disk.ts";
import type { Holder } from "./classify-disk.ts";
import { judgeBootOrder } from "./efi-boot-order.ts";
import { type Failed, failedBy } from "./fault-reasons.ts";
import { getPart, type ImageManifest, isOwnersSignature, type Part, parseImageManifest } from "./image-manifest.ts";
import { BOOT_ENTRIES_TEXT, type Stage, stagesOf } from "./install-stages.ts";
import type { GivenFile, InstallTarget, Sized, Step } from "./install-step.ts";
import { type Firmware, type Layout, type LayoutGuids, partitionNumber, planLayout } from "./layout.ts";
import type { MetaTags } from "./meta.ts";
import { readBootVariables } from "./open-boot-variables.ts";
import { findPartition, type OpenDisk, openDisk, type PartitionFinder } from "./open-disk.ts";
import type { DiskCalls } from "./open-disk-calls.ts";
import { holdsState, markerOf, planInstall } from "./plan-install.ts";
import { readCandidates, readFirmware, readInstallFacts, readWish } from "./read-install-facts.ts";
import { type ImageSource, openImageSource } from "./run-fetch.ts";
import { openMounts } from "./run-mounts.ts";
import type { OpWorld } from "./run-ops.ts";
import { openProgress, type Progress } from "./run-progress.ts";
import { runStages } from "./run-stages.ts";
import { readStateFiles } from "./run-state-check.ts";

/** A file on STATE: its path from there (a leading slash may be missing), a name for the plan, and its bytes, which stand in no plan and no log. */
export type StateFile = Pick<GivenFile, "path" | "name" | "isLiving"> & { bytes: Uint8Array };

export type InstallInput = {
  machine: Observer;
  /** InstallOrder.order, .image_url, .may_wipe. */
  order: string;
  imageUrl: string;
  mayWipe: boolean;
  /** `machine.install` of the config. */
  install: InstallConfig;
  holder: Holder;
  /** SubjectPublicKeyInfo PEM. */
  ownerPublicKey: string;
  stateFiles: readonly StateFile[];
  meta: MetaTags;
  /** A new GUID each time, lower case. */
  newId(): string;
  libc: DiskCalls;
  /** What a test puts in place of this machine's own. */
  place?: { mountDir?: string; findPartition?: PartitionFinder; candidates?: () => Promise<Candidate[]> };
};

export type InstallOutcome = { kind: "installed"; installNumber: number; disk: string } | Failed;

const MOUNT_DIR = "/run/slipway/mnt/install";
/** The manifest also lists packages and files of the image. */
const MANIFEST_BYTES = 32 * 1024 * 1024;
const SIGNATURE_BYTES = 1024;

/**
 * Installs. Resolves in every case: `failed` has the reason and the remedy for people.
 * @param signal stops it between two operations; the next call goes on.
 */
export async function runInstall(
  input: InstallInput,
  report: (step: InstallStep) => void,
  signal: AbortSignal,
): Promise<InstallOutcome> {
  const progress = openProgress(input.order, report, uptimeMs);
  const at = { disk: "the disk" };
  try {
    return await install(input, progress, signal, at);
  } catch (fault) {
    if (signal.aborted) return STOPPED;
    return failedBy(fault, at.disk);
  } finally {
    progress.close();
  }
}

const STOPPED: Failed = {
  kind: "failed",
  reason: "the agent was stopped in the middle of the install",
  remedy: "Nothing to do: it goes on where it was when the agent is back.",
};

async function install(
  input: InstallInput,
  progress: Progress,
  signal: AbortSignal,
  at: { disk: string },
): Promise<InstallOutcome> {
  const { machine, libc } = input;
  const firmware = readFirmware(machine);
  if (firmware === undefined) return NO_FIRMWARE;
  const candidates = await (input.place?.candidates?.() ?? readCandidates(machine, input.holder, libc));
  const done = candidates.find((candidate) => isDone(candidate, input.order));
  if (done !== undefined && (await hasGivenState(input, done.disk.name, firmware))) return installedOn(done);
  const choice = chooseDisk(candidates, await readWish(machine, input.install), input.order, firmware);
  if (choice.kind === "refused") return { kind: "failed", reason: choice.reason, remedy: choice.remedy };
  at.disk = `/dev/${choice.name}`;
  const manifestText = `installs to ${at.disk} (${choice.reason}): checks the image's manifest`;
  progress.begin({ number: 1, of: 1, text: manifestText, bytesTotal: 0 });
  const source = openImageSource(input.imageUrl, {
    wait: (ms, until) => sleep(ms, undefined, { signal: until }).catch(() => {}),
    chance: Math.random,
    signal,
    onWait: (reason) => progress.setWait(reason),
  });
  const manifest = await fetchManifest(input, source);
  const target = targetOf(input, manifest, firmware, firstInstallOf(candidates, choice.name));
  const disk = await openDisk(machine, choice.name, libc, {
    find: input.place?.findPartition ?? findPartition,
  });
  try {
    return await installTo({ input, disk, firmware, target, manifest, source, progress, signal });
  } finally {
    await disk.close();
  }
}

const NO_FIRMWARE: Failed = {
  kind: "failed",
  reason: "this arm64 machine was not started by UEFI firmware",
  remedy: "Put UEFI firmware on it (Raspberry Pi: the pftf UEFI image), then power it on again.",
};

type Job = {
  input: InstallInput;
  disk: OpenDisk;
  firmware: Firmware;
  target: InstallTarget;
  manifest: ImageManifest;
  source: ImageSource;
  progress: Progress;
  signal: AbortSignal;
};

async function installTo({
  input,
  disk,
  firmware,
  target,
  manifest,
  source,
  progress,
  signal,
}: Job): Promise<InstallOutcome> {
  const { machine, holder, libc: calls } = input;
  const deviceOf: OpWorld["deviceOf"] = (label) => disk.partition(partitionNumber(firmware, label));
  const mounts = openMounts(calls, input.place?.mountDir ?? MOUNT_DIR, deviceOf);
  try {
    const { order, grub } = target;
    const facts = await readInstallFacts({ machine, firmware, holder, order, disk, mounts, calls, grub });
    const plan = planInstall(facts, target);
    if (plan.kind === "refused") return { kind: "failed", reason: plan.reason, remedy: plan.remedy };
    progress.end(`it is ${target.image.version}, signed by the owner`);
    const world: Omit<OpWorld, "onBytes"> = {
      machine,
      calls,
      disk,
      mounts,
      deviceOf,
      image: { source, sized: (part) => getPart(manifest, part, "the install needs it") },
      given: new Map(input.stateFiles.map(({ name, bytes }) => [name, bytes])),
      refusedVariables: [],
      isBusyTableFine: false,
      signal,
    };
    const layout = layoutOf(plan.steps, disk, firmware);
    await runStages(stagesOf(plan.steps), world, progress, 1, (stage) => remarkOn(stage, world, layout));
    return { kind: "installed", installNumber: plan.install, disk: disk.path };
  } finally {
    mounts.end();
  }
}

/** The layout that the plan makes: every plan that does anything writes a marker, which has its GUIDs. */
function layoutOf(steps: readonly Step[], disk: OpenDisk, firmware: Firmware): Layout | undefined {
  const marker = steps.flatMap((step) => (step.kind === "write-marker" ? [step.marker] : []))[0];
  const laid = marker === undefined ? undefined : planLayout(disk, firmware, marker.guids);
  return laid?.kind === "layout" ? laid.layout : undefined;
}

/** What the firmware kept of its entries: told, and no reason to fail. */
async function remarkOn(
  { text }: Stage,
  { machine, refusedVariables }: Omit<OpWorld, "onBytes">,
  layout: Layout | undefined,
): Promise<string | undefined> {
  if (text !== BOOT_ENTRIES_TEXT || layout === undefined) return undefined;
  const outcome = judgeBootOrder((await readBootVariables(machine)) ?? new Map(), layout);
  if (outcome.kind === "whole") return undefined;
  const refused = refusedVariables.length === 0 ? "" : ` (${refusedVariables.join(", ")})`;
  return `${outcome.reason}${refused}. ${outcome.remedy}`;
}

/** Whether STATE of a complete install is of this very enrolment. A disk that cannot be asked is planned for like any other. */
async function hasGivenState(input: InstallInput, name: string, firmware: Firmware): Promise<boolean> {
  const from = { machine: input.machine, libc: input.libc, mountDir: input.place?.mountDir ?? MOUNT_DIR };
  const found = await readStateFiles(from, name, firmware, input.place?.findPartition ?? findPartition);
  return holdsState(found, { state: givenFiles(input) });
}

/** This very order is complete: where STATE is right, too, nothing is asked of the appliance any more. */
const isDone = ({ class: found }: Candidate, order: string): boolean =>
  found.kind === "ours" && found.state === "complete" && found.marker.order === order;

const installedOn = ({ disk, class: found }: Candidate): InstallOutcome => ({
  kind: "installed",
  installNumber: found.kind === "ours" ? found.marker.install : 0,
  disk: `/dev/${disk.name}`,
});

/** Over every install that this machine has on another disk: the newest is the one with the highest number. */
function firstInstallOf(candidates: readonly Candidate[], chosen: string): number {
  const others = candidates.filter(({ disk }) => disk.name !== chosen);
  return 1 + Math.max(0, ...others.map(({ class: found }) => markerOf(found)?.install ?? 0));
}

/** @throws ASSET_DAMAGED when it is not signed by the owner, or cannot be read. */
async function fetchManifest(input: InstallInput, source: ImageSource): Promise<ImageManifest> {
  const bytes = await source.whole("manifest.json", MANIFEST_BYTES);
  const signature = await source.whole("manifest.sig", SIGNATURE_BYTES);
  const where = new URL("manifest.json", input.imageUrl).href;
  if (isOwnersSignature(bytes, signature, input.ownerPublicKey))
    return parseImageManifest(bytes.toString("utf8"), where);
  throw new SlipwayError("ASSET_DAMAGED", `${where} is not signed by this machine's owner`, {
    remedy:
      "Nothing was written. Somebody changed the image, or another appliance answers at this address: look there, then build it anew (`npm run assets`).",
  });
}

function targetOf(
  input: InstallInput,
  manifest: ImageManifest,
  firmware: Firmware,
  firstInstall: number,
): InstallTarget {
  const part = (name: Part, purpose: string) => getPart(manifest, name, purpose);
  const isBios = firmware === "bios";
  // An image of the other arch is refused by the plan, in those words, and not for the GRUB that it cannot have.
  const hasGrub = isBios && manifest.arch === "amd64";
  return {
    holder: input.holder,
    order: input.order,
    mayWipe: input.mayWipe || input.install.wipe === true,
    guids: newGuids(input.newId),
    firstInstall,
    image: {
      arch: manifest.arch,
      version: manifest.version,
      cmdline: manifest.cmdline,
      uki: part("uki", "it is the OS itself"),
      linux: part("kernel", "a BIOS starts it through GRUB"),
      initrd: part("initrd", "a BIOS starts it through GRUB"),
    },
    loader: isBios ? NOT_USED : part("loader", "UEFI firmware starts it"),
    grub: {
      core: hasGrub ? part("grub-core", "a BIOS starts it") : NOT_USED,
      boot: hasGrub ? part("grub-boot", "a BIOS starts it") : NOT_USED,
    },
    meta: input.meta,
    state: givenFiles(input),
  };
}

const givenFiles = ({ stateFiles }: InstallInput): GivenFile[] =>
  stateFiles.map(({ bytes, path, ...file }) => ({ ...file, path: join("/", path), ...sizedOf(bytes) }));

/** What the other firmware's machines get. */
const NOT_USED: Sized = { bytes: 0, sha256: "" };

function newGuids(newId: () => string): LayoutGuids {
  return {
    disk: newId(),
    EFI: newId(),
    BIOS: newId(),
    BOOT: newId(),
    META: newId(),
    STATE: newId(),
    EPHEMERAL: newId(),
  };
}

const sizedOf = (bytes: Uint8Array): Sized => ({
  bytes: bytes.length,
  sha256: createHash("sha256").update(bytes).digest("hex"),
});
