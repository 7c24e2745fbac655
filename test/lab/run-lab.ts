// `npm start` without an interface, and `npm run lab`: the appliance and machines with real firmware that netboot into it,
// with the timeline on the terminal. Needs root. setup/start.mjs and setup/lab.mjs prepare the host and call it.
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { EventView } from "../../server/rest/schema.ts";
import { describeSplit, splitBoot } from "./boot-split.ts";
import { FIRMWARES, type Firmware } from "./qemu-arguments.ts";
import { buildRack, type Rack } from "./rack.ts";
import type { Vm } from "./vm.ts";

const USAGE = `npm run lab -- [options]
  --firmware bios|uefi|uefi-http|arm64   firmware of the machines (default: uefi)
  --machines N                           how many (default: 1)
  --mode server|proxy|auto               who gives out addresses: the appliance, or a real dnsmasq beside it (default: server)
  --keep                                 stay up after the last machine has enrolled, until Ctrl-C
  --data-dir DIR                         the appliance's dataDir (default: ./data)
`;
/** A machine that has not enrolled by then will not: under TCG the slowest need three minutes on a busy host. */
const ENROLLED_WITHIN_MS = 10 * 60_000;

type LabOptions = {
  firmware: Firmware;
  machines: number;
  mode: "server" | "proxy" | "auto";
  keep: boolean;
  dataDir: string;
};

function optionsOf(args: readonly string[]): LabOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      firmware: { type: "string", default: "uefi" },
      machines: { type: "string", default: "1" },
      mode: { type: "string", default: "server" },
      keep: { type: "boolean", default: false },
      "data-dir": { type: "string", default: "data" },
    },
  });
  const oneOf = <T extends string>(option: string, value: string, allowed: readonly T[]): T => {
    if ((allowed as readonly string[]).includes(value)) return value as T;
    throw new Error(`--${option}: must be one of ${allowed.join(", ")}, found "${value}"`);
  };
  const machines = Number(values.machines);
  if (!Number.isInteger(machines) || machines < 1 || machines > 64) {
    throw new Error(`--machines: must be a number from 1 to 64, found "${values.machines}"`);
  }
  return {
    firmware: oneOf("firmware", values.firmware, Object.keys(FIRMWARES) as Firmware[]),
    machines,
    mode: oneOf("mode", values.mode, ["server", "proxy", "auto"]),
    keep: values.keep,
    dataDir: resolve(values["data-dir"]),
  };
}

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

async function runLab(rack: Rack, options: LabOptions): Promise<void> {
  if (options.mode !== "server") {
    await rack.startRouter();
    print("A real dnsmasq gives out the addresses on this wire.");
  }
  print("Starting the appliance; it first looks for other DHCP servers on the wire, for 10 seconds …");
  await rack.startAppliance();
  const newest = await rack.admin.get<{ events: EventView[] }>("/v1/events", { limit: 1 });
  const afterSeq = newest.events.at(-1)?.seq ?? 0;
  const machines: Vm[] = [];
  for (let i = 0; i < options.machines; i++) {
    machines.push(await rack.powerOn({ firmware: options.firmware, disk: blankDisk(options.dataDir, i + 1) }));
  }
  for (const vm of machines) {
    print(`${vm.mac} is powered on (${options.firmware}, emulated processor); its console: ${vm.consoleFile}`);
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

async function main(): Promise<number> {
  let options: LabOptions;
  try {
    options = optionsOf(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  mkdirSync(options.dataDir, { recursive: true, mode: 0o711 });
  const logFile = join(options.dataDir, "lab-appliance.log");
  const rack = buildRack({ prefix: "lab", dataDir: options.dataDir, dhcp: options.mode, logFile });
  print(`The appliance's log: ${logFile}`);
  // The lab would end everything hard at a signal; here the appliance is asked to stop, and everything is waited for.
  const stopped = new Promise<number>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.removeAllListeners(signal);
      process.on(signal, () => resolve(signal === "SIGINT" && options.keep ? 0 : 130));
    }
  });
  try {
    return await Promise.race([runLab(rack, options).then(() => 0), stopped]);
  } catch (error) {
    console.error(error instanceof SlipwayError ? `${error.message}\n${error.remedy}` : error);
    return 1;
  } finally {
    print("Ending the lab …");
    await rack.close();
  }
}

process.exit(await main());
