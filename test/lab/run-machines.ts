// Machines with real firmware that netboot into the appliance, with the timeline on the terminal, until all have enrolled.
// Called by run-lab.ts.
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { EventView } from "../../server/rest/schema.ts";
import { describeSplit, splitBoot } from "./boot-split.ts";
import type { LabOptions } from "./lab-options.ts";
import type { Rack } from "./rack.ts";
import type { Vm } from "./vm.ts";

/** A machine that has not enrolled by then will not: under TCG the slowest need three minutes on a busy host. */
const ENROLLED_WITHIN_MS = 10 * 60_000;

const print = (text: string) => console.log(text);

/** Seconds since the machine's power-on, then what it did; what is nobody's has no seconds. */
function printEvent(event: EventView, machine: Vm | undefined): void {
  const at = machine === undefined ? "" : `${((event.at - machine.poweredOnAt) / 1000).toFixed(1)} s`;
  const mark = event.level === "alarm" || event.level === "warning" ? "! " : "";
  print(`${at.padStart(9)}  ${(event.mac ?? "").padEnd(17)}  ${mark}${event.text}`);
}

/** Prints the timeline until `enrolled` has been said of every machine; then on, for ever, when `keep`. */
async function followMachines(rack: Rack, machines: readonly Vm[], afterSeq: number, keep: boolean): Promise<void> {
  const seen = new Map(machines.map((vm): [string, EventView[]] => [vm.mac, []]));
  const waiting = new Set(seen.keys());
  for await (const event of rack.admin.follow<EventView>("/v1/events/follow", { afterSeq })) {
    const machine = machines.find((vm) => vm.mac === event.mac);
    printEvent(event, machine);
    if (machine === undefined) continue;
    seen.get(machine.mac)!.push(event);
    if (event.kind !== "enrolled" || !waiting.delete(machine.mac)) continue;
    print(
      `\n  ${machine.mac} has enrolled: ${describeSplit(splitBoot(machine.poweredOnAt, seen.get(machine.mac)!))}\n`,
    );
    if (waiting.size > 0) continue;
    if (!keep) return;
    sayHowToLook(machine.mac);
  }
  throw new SlipwayError("NOT_RUNNING", "the appliance ended while the lab was watching it");
}

const DISK_BYTES = 20 * 2 ** 30;

/** An empty disk, new for each run; sparse, it takes no room. */
function blankDisk(dataDir: string, number: number): string {
  const file = join(dataDir, `lab-disk-${number}.img`);
  rmSync(file, { force: true });
  writeFileSync(file, "", { mode: 0o600 });
  truncateSync(file, DISK_BYTES);
  return file;
}

function sayHowToLook(mac: string): void {
  print(`The appliance and the lab stay up until Ctrl-C. In a second terminal, here:

  ./slipway machines                                   what is there
  ./slipway events ${mac} --follow        what happens to it
  ./slipway set ${mac} --role worker --approve
`);
}

/** The appliance runs. Ends when every machine has enrolled; never, when the lab is to be kept. */
export async function runMachines(rack: Rack, options: LabOptions): Promise<void> {
  const newest = await rack.admin.get<{ events: EventView[] }>("/v1/events", { limit: 1 });
  const afterSeq = newest.events.at(-1)?.seq ?? 0;
  const machines: Vm[] = [];
  for (let i = 0; i < options.machines; i++) {
    const firmware = options.firmwares[i % options.firmwares.length]!;
    const vm = await rack.powerOn({ firmware, disk: blankDisk(options.dataDir, i + 1) });
    machines.push(vm);
    print(`${vm.mac} is powered on (${firmware}, emulated processor); its console: ${vm.consoleFile}`);
  }
  const following = followMachines(rack, machines, afterSeq, options.keep);
  await (options.keep ? following : Promise.race([following, timeIsOver(machines)]));
}

async function timeIsOver(machines: readonly Vm[]): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, ENROLLED_WITHIN_MS));
  const consoles = machines.map((vm) => `${vm.mac} shows:\n${vm.console().split("\n").slice(-30).join("\n")}`);
  throw new SlipwayError(
    "COMMAND_FAILED",
    `not every machine enrolled within ${ENROLLED_WITHIN_MS / 60_000} minutes.\n${consoles.join("\n")}`,
  );
}
