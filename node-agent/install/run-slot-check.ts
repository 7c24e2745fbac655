// Reads every image on the slots whole and compares it with its sum, at each boot, in the background: what a loader starts
// without looking (UEFI) is looked at here. Edge. The agent calls it once the node runs, and tells what it found.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { failedBy } from "./fault-reasons.ts";
import { SLOTS, type Slot } from "./layout.ts";
import type { DiskCalls } from "./open-disk-calls.ts";
import type { OwnDisk } from "./read-own-disk.ts";
import { digestFile } from "./read-volume.ts";
import { openMounts } from "./run-mounts.ts";
import { PAYLOAD_DIR, PAYLOAD_SUFFIX } from "./slot-files.ts";
import { parseSums } from "./slot-sums.ts";

/** `unknown`: it could not be looked at, which says nothing of the image. */
export type SlotCheck =
  | { kind: "whole"; files: number; bytes: number }
  | { kind: "damaged"; reason: string; remedy: string }
  | { kind: "unknown"; reason: string };

/** After each piece it rests three times as long as the piece took: the node's own reads and writes go before. */
const REST = 3;
const LONGEST_REST_MS = 500;

/** @param at where it may mount, for itself alone. */
export async function isSlotWhole(
  own: OwnDisk,
  calls: DiskCalls,
  signal: AbortSignal,
  at = "/run/slipway/mnt/check",
): Promise<SlotCheck> {
  const mounts = openMounts(calls, at, async (slot) => own.partitions[slot]?.device ?? "", true);
  const total = { files: 0, bytes: 0 };
  try {
    for (const slot of SLOTS) {
      const dir = await mounts.at(slot);
      const fault = await checkSlot(slot, dir, calls, signal, total);
      if (fault !== undefined) return { kind: "damaged", reason: `${own.disk}: ${fault}`, remedy: REMEDY };
    }
    if (total.files === 0) return { kind: "damaged", reason: `${own.disk}: no slot holds an image`, remedy: REMEDY };
    return { kind: "whole", ...total };
  } catch (fault) {
    return { kind: "unknown", reason: signal.aborted ? "the agent was stopped" : failedBy(fault, own.disk).reason };
  } finally {
    mounts.end();
  }
}

const REMEDY =
  "The next start from this disk may fail. Look at the disk's health, then install anew: `slipway install MAC`.";

async function checkSlot(
  slot: Slot,
  dir: string,
  calls: DiskCalls,
  signal: AbortSignal,
  total: { files: number; bytes: number },
): Promise<string | undefined> {
  const names = await readdir(join(dir, PAYLOAD_DIR)).catch(() => []);
  for (const name of names.filter((each) => each.endsWith(`.${PAYLOAD_SUFFIX.sums}`))) {
    const sums = parseSums(await readFile(join(dir, PAYLOAD_DIR, name), "utf8"));
    if (sums === undefined) return `${slot}${PAYLOAD_DIR}/${name} is not a list of sums`;
    for (const { path, sha256 } of sums) {
      const found = await digestFile(join(dir, path), calls, restingReader(signal)).catch(absent);
      if (found === undefined) return `${slot}${path} is gone`;
      if (found.sha256 !== sha256) return `${slot}${path} has SHA-256 ${found.sha256}; ${sha256} was installed`;
      total.files++;
      total.bytes += found.bytes;
    }
  }
  return undefined;
}

function absent(fault: NodeJS.ErrnoException): undefined {
  if (fault.code !== "ENOENT") throw fault;
}

function restingReader(signal: AbortSignal): () => Promise<void> {
  let beganMs = performance.now();
  return async () => {
    signal.throwIfAborted();
    const tookMs = performance.now() - beganMs;
    await sleep(Math.min(LONGEST_REST_MS, REST * tookMs), undefined, { signal });
    beganMs = performance.now();
  };
}
