// Boot orders and reinstalls of one UEFI virtual machine under its own variables (no `bootindex`): installed once, then
// rebooted with the network first in its BootOrder, then with the disk first, then reinstalled. Exactly one install per
// order, no boot entry twice, and the seconds that the firmware spends before the disk. Run it as root:
//   node test/long/network-first.ts [--reboots 5] [--reinstalls 5]
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { EventView } from "../../server/rest/schema.ts";
import { type ClusterRack, openClusterRack } from "../e2e/cluster/cluster-rack.ts";
import { chooseAccelerator } from "../lab/accelerator.ts";
import { isNetworkEntry, putFirst, readBootOrder } from "../lab/firmware-variables.ts";
import type { KeptVm } from "../lab/kept-vm.ts";

const { values } = parseArgs({
  options: { reboots: { type: "string", default: "5" }, reinstalls: { type: "string", default: "5" } },
});
const WITHIN_MS = 3_600_000;

const { accelerator, reason } = await chooseAccelerator();
console.log(`${accelerator}: ${reason}`);
const lab: ClusterRack = await openClusterRack({ controlPlanes: 1, workers: 0 }, (rack) => ({
  ...{ isSingle: true, isSlow: accelerator === "tcg" },
  makeMachine: () => rack.makeVm({ firmware: "uefi", accelerator, memoryMiB: 3072 }),
}));
const faults: string[] = [];
try {
  await run(lab.cluster.nodes[0]!.machine as KeptVm);
} finally {
  await lab.close();
}
console.log(JSON.stringify({ faults }));
process.exitCode = faults.length === 0 ? 0 : 1;

async function run(machine: KeptVm): Promise<void> {
  await machine.powerOn();
  await untilStartedAfterInstall(machine);
  console.log(`installed, and started from its disk; boot order: ${orderOf(machine)}`);
  const orders = [
    ["network first", (flash: Buffer) => putFirst(flash, isNetworkEntry)],
    ["disk first", (flash: Buffer) => putFirst(flash, (entry) => !isNetworkEntry(entry))],
  ] as const;
  for (const [name, change] of orders) {
    await machine.kill();
    writeFileSync(machine.varsFile, change(readFileSync(machine.varsFile)));
    for (let boot = 1; boot <= Number(values.reboots); boot++) {
      await machine.kill();
      await machine.powerOn();
      const heard = await untilEvent(machine, "agent-contact");
      console.log(JSON.stringify({ order: name, boot, secondsToAgent: heard, firmwareSaw: await wireOf(machine) }));
    }
    const installs = await countInstalls(machine);
    if (installs !== 1) faults.push(`${name}: ${installs} installs after ${values.reboots} reboots, 1 expected`);
    console.log(`${name}: boot order is still ${orderOf(machine)}`);
  }
  for (let round = 1; round <= Number(values.reinstalls); round++) {
    const before = await countInstalls(machine);
    await lab.cli(["install", machine.mac, "--wipe", "--yes", "--cluster-name", lab.cluster.name]);
    while ((await countInstalls(machine)) === before) await patience(machine, "the reinstall");
    await untilStartedAfterInstall(machine);
    const entries = readBootOrder(readFileSync(machine.varsFile)).map(({ description }) => description);
    const twice = entries.filter((entry, at) => entries.indexOf(entry) !== at);
    if (twice.length > 0) faults.push(`reinstall ${round}: ${twice.join(", ")} stand twice in the boot order`);
    console.log(JSON.stringify({ reinstall: round, entries }));
  }
}

function orderOf(machine: KeptVm): string {
  return readBootOrder(readFileSync(machine.varsFile))
    .map(({ description }) => description)
    .join(" | ");
}

async function eventsOf(machine: KeptVm): Promise<EventView[]> {
  const query = { machine: machine.mac, limit: 1000 };
  return (await lab.rack.admin.get<{ events: EventView[] }>("/v1/events", query)).events;
}

async function countInstalls(machine: KeptVm): Promise<number> {
  return (await eventsOf(machine)).filter((event) => event.kind === "installed").length;
}

/** Seconds from the last power-on to the first event of this kind after it. */
async function untilEvent(machine: KeptVm, kind: EventView["kind"], afterMs = machine.poweredOnAt): Promise<number> {
  for (;;) {
    const found = (await eventsOf(machine)).find((event) => event.kind === kind && event.at >= afterMs);
    if (found !== undefined) return Math.round((found.at - machine.poweredOnAt) / 100) / 10;
    await patience(machine, kind);
  }
}

/** The last install is over, and the agent was heard since: from the disk. */
async function untilStartedAfterInstall(machine: KeptVm): Promise<void> {
  await untilEvent(machine, "installed");
  const installs = (await eventsOf(machine)).filter(({ kind }) => kind === "installed");
  await untilEvent(machine, "agent-contact", Math.max(...installs.map(({ at }) => at)) + 1);
}

async function patience(machine: KeptVm, what: string): Promise<void> {
  if (Date.now() - machine.poweredOnAt > WITHIN_MS) {
    throw new Error(`no ${what} within ${WITHIN_MS / 60_000} minutes; the machine shows:\n${machine.lastWords()}`);
  }
  await sleep(1000);
}

/** What the appliance saw of this power-on before the agent spoke: how the firmware came to the disk. */
async function wireOf(machine: KeptVm): Promise<string[]> {
  const seen = (await eventsOf(machine)).filter((event) => event.at >= machine.poweredOnAt);
  return seen
    .slice(
      0,
      seen.findIndex((event) => event.kind === "agent-contact"),
    )
    .map((event) => `${((event.at - machine.poweredOnAt) / 1000).toFixed(1)} s ${event.kind}`);
}
