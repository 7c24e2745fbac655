// Takes back what installs made on this machine's disks, and the firmware's entries for them. Edge. The agent calls it for the
// verb `reset`, after it has stopped the node's services; the machine restarts afterwards and is blank.
import type { InstallStep } from "../../server/contract/generated/agent.ts";
import { uptimeMs } from "../clock-service.ts";
import type { Observer } from "../observe.ts";
import type { Candidate } from "./choose-disk.ts";
import type { Holder } from "./classify-disk.ts";
import { planBootOrderRemoval } from "./efi-boot-order.ts";
import { type Failed, failedBy } from "./fault-reasons.ts";
import { stagesOf } from "./install-stages.ts";
import { type Firmware, partitionNumber } from "./layout.ts";
import { readBootVariables, removeVariable, writeVariable } from "./open-boot-variables.ts";
import { findPartition, openDisk, type PartitionFinder } from "./open-disk.ts";
import type { DiskCalls } from "./open-disk-calls.ts";
import { markerOf } from "./plan-install.ts";
import { planReset } from "./plan-reset.ts";
import { readCandidates, readFirmware, readInstallFacts } from "./read-install-facts.ts";
import { openMounts } from "./run-mounts.ts";
import type { OpWorld } from "./run-ops.ts";
import { openProgress, type Progress } from "./run-progress.ts";
import { runStages } from "./run-stages.ts";

export type ResetOutcome = { kind: "reset"; disks: string[] } | Failed;
/** What a test puts in place of this machine's own. */
export type ResetPlace = {
  mountDir?: string;
  findPartition?: PartitionFinder;
  candidates?: () => Promise<Candidate[]>;
};

const MOUNT_DIR = "/run/slipway/mnt/reset";
/** GRUB plays no part in a reset. */
const NO_GRUB = { core: { bytes: 0, sha256: "" }, boot: { bytes: 0, sha256: "" } };

/**
 * Resets every disk that this machine's installs are on. Resolves in every case.
 * @param report `order` is empty in it: the caller knows the verb's id.
 */
export async function runReset(
  machine: Observer,
  holder: Holder,
  report: (step: InstallStep) => void,
  calls: DiskCalls,
  signal: AbortSignal,
  place: ResetPlace = {},
): Promise<ResetOutcome> {
  const progress = openProgress("", report, uptimeMs);
  const at = { disk: "the disk" };
  try {
    const firmware = readFirmware(machine) ?? "uefi-arm64";
    const candidates = await (place.candidates?.() ?? readCandidates(machine, holder, calls));
    const ours = candidates.filter((candidate) => markerOf(candidate.class) !== undefined).map(({ disk }) => disk.name);
    const job = { machine, holder, calls, firmware, progress, signal, place };
    let told = 0;
    for (const name of ours) {
      at.disk = `/dev/${name}`;
      const outcome = await resetDisk(name, job, told);
      if (outcome.kind === "failed") return outcome;
      told += outcome.stages;
    }
    // With no disk of ours left, entries of one that was taken out may still be there.
    if (ours.length === 0) await removeBootEntries(machine, calls);
    return { kind: "reset", disks: ours.map((name) => `/dev/${name}`) };
  } catch (fault) {
    return signal.aborted ? STOPPED : failedBy(fault, at.disk);
  } finally {
    progress.close();
  }
}

const STOPPED: Failed = {
  kind: "failed",
  reason: "the agent was stopped in the middle of the reset",
  remedy: "Nothing to do: it goes on when the agent is back.",
};

type Job = {
  machine: Observer;
  holder: Holder;
  calls: DiskCalls;
  firmware: Firmware;
  progress: Progress;
  signal: AbortSignal;
  place: ResetPlace;
};

async function resetDisk(name: string, job: Job, told: number): Promise<{ kind: "done"; stages: number } | Failed> {
  const { machine, holder, calls, firmware, progress, signal, place } = job;
  const disk = await openDisk(machine, name, calls, { find: place.findPartition ?? findPartition, isShared: true });
  const deviceOf: OpWorld["deviceOf"] = (label) => disk.partition(partitionNumber(firmware, label));
  const mounts = openMounts(calls, place.mountDir ?? MOUNT_DIR, deviceOf);
  try {
    const facts = await readInstallFacts({ machine, firmware, holder, disk, mounts, calls, grub: NO_GRUB });
    mounts.end();
    const plan = planReset(facts);
    if (plan.kind === "refused") return { kind: "failed", reason: plan.reason, remedy: plan.remedy };
    const stages = stagesOf(plan.steps);
    const world = {
      machine,
      calls,
      disk,
      mounts,
      deviceOf,
      image: undefined,
      given: new Map(),
      refusedVariables: [],
      isBusyTableFine: true,
      signal,
    };
    await runStages(stages, world, progress, told);
    return { kind: "done", stages: stages.length };
  } finally {
    mounts.end();
    await disk.close();
  }
}

async function removeBootEntries(machine: Observer, calls: DiskCalls): Promise<void> {
  const variables = await readBootVariables(machine);
  for (const step of planBootOrderRemoval(variables ?? new Map())) {
    if (step.kind === "write") await writeVariable(machine, step.variable, step.bytes, calls);
    else await removeVariable(machine, step.variable, calls);
  }
}
