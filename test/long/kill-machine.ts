// The plug is pulled from one virtual machine at random moments: while it installs, or after it is Ready (--after-ready).
// Each time it must end up Ready by itself, with every object that a writer was told is stored. Run it as root:
//   node test/long/kill-machine.ts [--runs 10] [--seed 1] [--after-ready]
import { setTimeout as sleep } from "node:timers/promises";
import type { EventView } from "../../server/rest/schema.ts";
import { type ClusterRack, openClusterRack } from "../e2e/cluster/cluster-rack.ts";
import { chooseAccelerator } from "../lab/accelerator.ts";
import type { LabMachine } from "../lab/machine.ts";
import { startWriter } from "./object-writer.ts";
import { type RunResult, repeatRuns } from "./repeat-runs.ts";

const isAfterReady = process.argv.includes("--after-ready");
const WITHIN_MS = 3_600_000;
const { accelerator } = await chooseAccelerator();

const open = (): Promise<ClusterRack> =>
  openClusterRack({ controlPlanes: 1, workers: 0 }, (rack) => ({
    ...{ isSingle: true, isSlow: accelerator === "tcg" },
    makeMachine: () => rack.makeVm({ firmware: "uefi", accelerator, memoryMiB: 3072 }),
  }));

/** A blank disk each time; the plug is pulled at a moment between the order to install and its end. */
async function duringInstall(random: () => number): Promise<RunResult> {
  const lab = await open();
  try {
    const machine = lab.cluster.nodes[0]!.machine;
    await machine.powerOn();
    await untilEvent(lab, machine, "install-ordered");
    // An install under emulation takes one to three minutes; a moment after its end hits the second boot, and counts too.
    const killAfterMs = Math.round(random() * 120_000);
    await sleep(killAfterMs);
    const doing = (await lab.cluster.status()).waiting[0]?.doing ?? "nothing to wait for";
    await machine.kill();
    await machine.powerOn();
    const startedAt = Date.now();
    const status = await lab.cluster.waitUntilGreen(WITHIN_MS);
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    return { isGood: status.isGreen, killAfterMs, doing, secondsToGreen: seconds };
  } finally {
    await lab.close();
  }
}

let running: ClusterRack | undefined;

/** One machine for all runs: each adds objects, and the next pulls the plug again. */
async function afterReady(random: () => number): Promise<RunResult> {
  running ??= await open();
  const machine = running.cluster.nodes[0]!.machine;
  await machine.powerOn();
  await running.cluster.waitUntilGreen(WITHIN_MS);
  const writer = startWriter(running, `run-${Date.now()}`);
  const killAfterMs = Math.round(10_000 + random() * 30_000);
  await sleep(killAfterMs);
  await machine.kill();
  await machine.powerOn();
  const startedAt = Date.now();
  await running.cluster.waitUntilGreen(WITHIN_MS);
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  const { acknowledged, failed, lost } = await writer.finish();
  return {
    isGood: lost.length === 0 && acknowledged > 0,
    killAfterMs,
    secondsToGreen: seconds,
    acknowledged,
    failed,
    lost,
  };
}

async function untilEvent({ rack }: ClusterRack, machine: LabMachine, kind: EventView["kind"]): Promise<void> {
  while (Date.now() - machine.poweredOnAt < WITHIN_MS) {
    const query = { machine: machine.mac, limit: 1000 };
    const { events } = await rack.admin.get<{ events: EventView[] }>("/v1/events", query).catch(() => ({ events: [] }));
    if (events.some((event) => event.kind === kind)) return;
    await sleep(1000);
  }
  throw new Error(`no ${kind} within ${WITHIN_MS / 60_000} minutes:\n${machine.lastWords()}`);
}

try {
  const once = (_run: number, random: () => number) => (isAfterReady ? afterReady(random) : duringInstall(random));
  await repeatRuns({ name: isAfterReady ? "kill-machine-after-ready" : "kill-machine", runs: 10, once });
} finally {
  await running?.close();
}
