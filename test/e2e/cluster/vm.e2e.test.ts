// One virtual machine from a blank disk to a Ready node: netboot, install, boot from its disk, control plane, Ready. Nobody
// touches it, and it carries no `bootindex`: what it boots is its firmware's word and the appliance's.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AcceleratorChoice, chooseAccelerator } from "../../lab/accelerator.ts";
import { describeSplit, splitBoot, type TimedEvent } from "../../lab/boot-split.ts";
import { type ClusterRack, openClusterRack } from "./cluster-rack.ts";

/** Under emulation; nine minutes were seen, and more than eleven. */
const READY_WITHIN_MS = 30 * 60_000;
const ANSWER_WITHIN_MS = 6 * 60_000;

let lab: ClusterRack;
let choice: AcceleratorChoice;
beforeAll(async () => {
  choice = await chooseAccelerator();
  const { accelerator } = choice;
  lab = await openClusterRack({ controlPlanes: 1, workers: 0 }, (rack) => ({
    ...{ isSingle: true, isSlow: accelerator === "tcg" },
    makeMachine: () => rack.makeVm({ firmware: "uefi", accelerator, memoryMiB: 3072 }),
  }));
});
afterAll(() => lab?.close());

test("a UEFI machine with a blank disk becomes a Ready node", {
  timeout: READY_WITHIN_MS + ANSWER_WITHIN_MS + 60_000,
}, async () => {
  const [{ machine, name }] = lab.cluster.nodes as [(typeof lab.cluster.nodes)[number]];
  await machine.powerOn();
  const words = (summary: string) =>
    console.log(`${((Date.now() - machine.poweredOnAt) / 1000).toFixed(0)} s: ${summary}`);
  const status = await lab.cluster.waitUntilReady(READY_WITHIN_MS, words);
  const { events } = await lab.rack.admin.get<{ events: TimedEvent[] }>("/v1/events", {
    ...{ machine: machine.mac, limit: 1000 },
  });
  console.log(`${name} (${choice.accelerator}): ${describeSplit(splitBoot(machine.poweredOnAt, events))}`);
  expect(status.nodes).toMatchObject([{ name: "test-cp1", isReady: true }]);
  expect(events.filter((event) => event.kind === "installed")).toHaveLength(1);
  // The control plane's other pods start now, on an emulated processor: an answer may take minutes.
  await expect
    .poll(async () => (await lab.kubectl(["get", "nodes", "--no-headers"]).catch(() => ({ stdout: "" }))).stdout, {
      ...{ timeout: ANSWER_WITHIN_MS, interval: 5000 },
    })
    .toMatch(/^test-cp1\s+Ready\s+control-plane/);
});
