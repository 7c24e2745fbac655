// `npm start` without an interface, and `npm run lab`: the appliance and machines that netboot into it, or a whole cluster,
// with the timeline on the terminal. Needs root. setup/start.mjs and setup/lab.mjs prepare the host and call it.
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { SlipwayError } from "../../server/contract/errors.ts";
import { chooseAccelerator } from "./accelerator.ts";
import { bindAgentFromSources } from "./agent-from-sources.ts";
import { forgetEarlier } from "./cluster.ts";
import type { PlannedNode } from "./cluster-shape.ts";
import { judgeLab, tellVerdict } from "./judge-lab.ts";
import type { LabOptions } from "./lab-options.ts";
import type { Accelerator, Firmware } from "./qemu-arguments.ts";
import { buildRack, type Rack } from "./rack.ts";
import { CLUSTER, runCluster } from "./run-cluster.ts";
import { runFirstStart } from "./run-first-start.ts";
import { runMachines } from "./run-machines.ts";
import { openScratchFolder } from "./scratch-folder.ts";
import { VM_MEMORY_MIB, VM_READY_WITHIN_MS } from "./vm-sizes.ts";

const CONTAINERS_READY_WITHIN_MS = 10 * 60_000;

const print = (text: string) => console.log(text);

async function runLab(rack: Rack, options: LabOptions): Promise<void> {
  if (options.mode !== "server") {
    await rack.startRouter();
    print("A real dnsmasq gives out the addresses on this wire.");
  }
  print("Starting the appliance; it first looks for other DHCP servers on the wire, for 10 seconds …");
  await rack.startAppliance();
  if (options.start || options.cluster !== undefined) await forgetEarlier(rack.admin, CLUSTER);
  if (options.start) await runFirstStart(rack, options, print);
  else if (options.cluster === undefined) return runMachines(rack, options);
  else await runClusterLab(rack, options, options.cluster);
  if (!options.keep) return;
  print("The cluster stays up until Ctrl-C.");
  await new Promise(() => {});
}

async function runClusterLab(
  rack: Rack,
  { dataDir, firmwares, keep }: LabOptions,
  { shape, isVm, order, agent }: NonNullable<LabOptions["cluster"]>,
): Promise<void> {
  const { accelerator, reason } = isVm ? await chooseAccelerator() : { accelerator: "tcg" as const, reason: "" };
  if (isVm) print(`${accelerator === "kvm" ? "KVM" : "Emulated processors"}: ${reason}.`);
  const binds = agent === "sources" ? await bindAgentFromSources(openScratchFolder().path) : {};
  const makeMachine = (node: PlannedNode, index: number) =>
    isVm ? makeVm(rack, node, firmwares[index % firmwares.length]!, accelerator) : rack.makeContainer({ binds });
  await runCluster(rack, {
    ...{ shape, order, dataDir, makeMachine, print, staysUp: keep },
    isSingle: shape.workers === 0,
    isSlow: isVm && accelerator === "tcg",
    timeoutMs: isVm ? VM_READY_WITHIN_MS : CONTAINERS_READY_WITHIN_MS,
  });
}

const makeVm = (rack: Rack, { role }: PlannedNode, firmware: Firmware, accelerator: Accelerator) =>
  rack.makeVm({ firmware, accelerator, memoryMiB: VM_MEMORY_MIB[role] });

async function main(): Promise<number> {
  const verdict = judgeLab(process.argv.slice(2), existsSync);
  if (verdict.kind !== "lab") return tellVerdict(verdict);
  const { options } = verdict;
  const dataDir = resolve(options.dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  const logFile = join(dataDir, "lab-appliance.log");
  const rack = buildRack({ prefix: "lab", dataDir, dhcp: options.mode, logFile });
  print(`The appliance's log: ${logFile}`);
  // The lab would end everything hard at a signal; here the appliance is asked to stop, and everything is waited for.
  const stopped = new Promise<number>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.removeAllListeners(signal);
      process.on(signal, () => resolve(signal === "SIGINT" && options.keep ? 0 : 130));
    }
  });
  try {
    return await Promise.race([runLab(rack, { ...options, dataDir }).then(() => 0), stopped]);
  } catch (error) {
    console.error(error instanceof SlipwayError ? `${error.message}\n${error.remedy}` : error);
    return 1;
  } finally {
    print("Ending the lab …");
    await rack.close();
  }
}

process.exit(await main());
