// A control plane and a worker as virtual machines from blank disks, one with UEFI and one with a BIOS, unattended and with
// no way out: both Ready, and a workload that spans them. `npm run test:cluster-vm`.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AcceleratorChoice, chooseAccelerator } from "../../lab/accelerator.ts";
import { describeSplit, splitBoot, type TimedEvent } from "../../lab/boot-split.ts";
import { VM_MEMORY_MIB } from "../../lab/vm-sizes.ts";
import { type ClusterRack, openClusterRack } from "../cluster/cluster-rack.ts";
import { checkAcrossNodes, checkDns, rollOut, type WebPod } from "../cluster/workload-checks.ts";

const READY_WITHIN_MS = 60 * 60_000;
const FIRMWARE = { controlplane: "uefi", worker: "bios" } as const;

let lab: ClusterRack;
let choice: AcceleratorChoice;
let pods: WebPod[];
beforeAll(async () => {
  choice = await chooseAccelerator();
  const { accelerator } = choice;
  lab = await openClusterRack({ controlPlanes: 1, workers: 1 }, (rack) => ({
    isSlow: accelerator === "tcg",
    makeMachine: ({ role }) => rack.makeVm({ firmware: FIRMWARE[role], accelerator, memoryMiB: VM_MEMORY_MIB[role] }),
  }));
});
afterAll(() => lab?.close());

test("both become Ready, workers first", { timeout: READY_WITHIN_MS + 60_000 }, async () => {
  const startedAt = Date.now();
  const seconds = () => ((Date.now() - startedAt) / 1000).toFixed(0);
  for (const { machine } of lab.cluster.nodes.toReversed()) await machine.powerOn();
  const status = await lab.cluster.waitUntilGreen(READY_WITHIN_MS, (text) => console.log(`${seconds()} s: ${text}`));
  console.log(`1+1 virtual machines (${choice.accelerator}): green after ${seconds()} s`);
  for (const { name, machine } of lab.cluster.nodes) {
    const query = { machine: machine.mac, limit: 1000 };
    const { events } = await lab.rack.admin.get<{ events: TimedEvent[] }>("/v1/events", query);
    console.log(`${name}: ${describeSplit(splitBoot(machine.poweredOnAt, events))}`);
    expect(events.filter((event) => event.kind === "installed")).toHaveLength(1);
  }
  for (const { name, memoryAvailableBytes } of status.nodes)
    console.log(`${name}: ${Math.round((memoryAvailableBytes ?? 0) / 2 ** 20)} MiB of memory available`);
  expect(status.nodes.map((node) => node.isReady)).toEqual([true, true]);
});

test("a workload spans both, and its pods reach each other by the Service's name", { timeout: 1_200_000 }, async () => {
  pods = await rollOut(lab, 900_000);
  await checkAcrossNodes(lab, pods);
});

test("CoreDNS answers from both replicas", { timeout: 600_000 }, () => checkDns(lab, pods[0]!));
