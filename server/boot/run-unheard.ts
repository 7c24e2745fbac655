// Says of a machine that was sent to its disk three times and then asks nobody any more that it failed: after ten minutes of
// silence, counted anew when the appliance starts. Follows the inventory; run-appliance.ts opens it. Edge: a timer for each.
import { clearTimeout, setTimeout } from "node:timers";
import { type Machine, MOST_UNHEARD } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import { findUnheard, SILENCE_MS } from "./disk-boots.ts";
import type { Log, RecordEvent } from "./ports.ts";

export type UnheardDeps = {
  inventory: Pick<Inventory, "watchMachines" | "listMachines" | "findMachineById" | "moveActivity">;
  record: RecordEvent;
  log: Log;
  /** Tests take less. */
  silenceMs?: number;
};

/** @returns when those that were sent there before this start are counted, too. */
export async function runUnheard(deps: UnheardDeps): Promise<{ close(): void }> {
  const { inventory, silenceMs = SILENCE_MS } = deps;
  const timers = new Map<string, NodeJS.Timeout>();
  const stop = (id: string) => {
    clearTimeout(timers.get(id));
    timers.delete(id);
  };
  const look = (machine: Machine) => {
    if (!isOnItsWay(machine)) return stop(machine.id);
    if (timers.has(machine.id)) return;
    const tell = () => {
      timers.delete(machine.id);
      tellSilent(deps, machine.id).catch((err) =>
        deps.log.warn("A silent machine could not be written down.", { err }),
      );
    };
    timers.set(machine.id, setTimeout(tell, silenceMs).unref());
  };
  const unwatch = inventory.watchMachines((machines, deletedIds) => {
    for (const machine of machines) look(machine);
    for (const id of deletedIds) stop(id);
  });
  for (const machine of await inventory.listMachines()) look(machine);
  return {
    close: () => {
      unwatch();
      for (const id of timers.keys()) stop(id);
    },
  };
}

/** Only its last chance is waited for: with fewer it may be off, and with more service.ts has said it. */
const isOnItsWay = ({ lifecycle, activity, diskBoots = 0 }: Machine): boolean =>
  (lifecycle === "installed" || lifecycle === "ready") && activity !== "failed" && diskBoots === MOST_UNHEARD;

async function tellSilent({ inventory, record, log }: UnheardDeps, id: string): Promise<void> {
  const machine = await inventory.findMachineById(id);
  if (machine === undefined || !isOnItsWay(machine)) return;
  const fault = findUnheard(machine, MOST_UNHEARD);
  if (fault === undefined || !(await inventory.moveActivity(id, "failed", `${fault.reason}: ${fault.remedy}`))) return;
  const mac = machine.macs[0]!;
  record({ kind: "disk-unheard", mac, detail: { count: MOST_UNHEARD, remedy: fault.remedy } });
  log.warn(`${machine.name ?? mac}: ${fault.reason}.`, { mac });
}
