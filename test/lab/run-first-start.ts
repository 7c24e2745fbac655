// `npm start` in a fresh clone: one machine with a blank disk netboots at once, with whatever image is there. When the full
// image is there (Kubernetes is compiled meanwhile, on the first run), a cluster is made, and the same machine installs
// itself, boots from its disk and becomes a Ready node. Called by run-lab.ts.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EventView } from "../../server/rest/schema.ts";
import { chooseAccelerator } from "./accelerator.ts";
import { describeSplit, splitBoot } from "./boot-split.ts";
import type { LabOptions } from "./lab-options.ts";
import type { Rack } from "./rack.ts";
import { runCluster } from "./run-cluster.ts";
import { VM_MEMORY_MIB, VM_READY_WITHIN_MS } from "./vm-sizes.ts";

const ENROLLED_WITHIN_MS = 15 * 60_000;
const LOOK_EVERY_MS = 2000;
/** The signature is an image's last file. */
const FULL_IMAGE = "assets/images/amd64-full/manifest.sig";

const hasFullImage = (dataDir: string): boolean => existsSync(join(dataDir, FULL_IMAGE));

/** Ends when the cluster is Ready. @throws COMMAND_FAILED with the machine's last words when it does not get there. */
export async function runFirstStart(rack: Rack, options: LabOptions, print: (text: string) => void): Promise<void> {
  const { dataDir, firmwares } = options;
  const { accelerator, reason } = await chooseAccelerator();
  print(`${accelerator === "kvm" ? "KVM" : "An emulated processor"}: ${reason}.`);
  const machine = rack.makeVm({ firmware: firmwares[0]!, accelerator, memoryMiB: VM_MEMORY_MIB.controlplane });
  if (!hasFullImage(dataDir)) {
    await machine.powerOn();
    print(
      `${machine.mac} is powered on (${firmwares[0]}); it netboots the base image while the full one is being built.`,
    );
    await untilEnrolled(rack, machine, print);
    print(
      "It waits for the full image: that one holds Kubernetes, and is what a disk gets. What can be done meanwhile,",
    );
    print("in a second terminal, here:\n\n  ./slipway machines\n  ./slipway events --follow\n");
    while (!hasFullImage(dataDir)) await sleep(LOOK_EVERY_MS);
  }
  await runCluster(rack, {
    shape: { controlPlanes: 1, workers: 0 },
    ...{ isSingle: true, isSlow: accelerator === "tcg", order: "planes-first", dataDir, print, staysUp: options.keep },
    makeMachine: () => machine,
    timeoutMs: VM_READY_WITHIN_MS,
  });
}

async function untilEnrolled(
  rack: Rack,
  machine: { mac: string; poweredOnAt: number; lastWords(): string },
  print: (text: string) => void,
): Promise<void> {
  const until = Date.now() + ENROLLED_WITHIN_MS;
  let shown = 0;
  while (Date.now() < until) {
    const { events } = await rack.admin.get<{ events: EventView[] }>("/v1/events", {
      ...{ machine: machine.mac, afterSeq: shown, limit: 1000 },
    });
    for (const event of events) {
      shown = event.seq;
      print(`${`${((event.at - machine.poweredOnAt) / 1000).toFixed(1)} s`.padStart(9)}  ${event.text}`);
    }
    if (events.some((event) => event.kind === "enrolled")) {
      const all = await rack.admin.get<{ events: EventView[] }>("/v1/events", { machine: machine.mac, limit: 1000 });
      print(`\n  ${machine.mac} has enrolled: ${describeSplit(splitBoot(machine.poweredOnAt, all.events))}\n`);
      return;
    }
    await sleep(500);
  }
  print(
    `${machine.mac} has not enrolled within ${ENROLLED_WITHIN_MS / 60_000} minutes; it shows:\n${machine.lastWords()}`,
  );
}
