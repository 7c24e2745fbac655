// Writes what a machine says about itself. Edge: reads and writes the inventory. Its word about its other network cards counts
// from approval on: a stranger could else take the MAC of a machine that was not switched on yet, and be approved in its
// place. A MAC that the inventory gives to another machine is left with it and told, for it is a person who knows which of
// the two entries is the real one; but an entry that nobody touched is only what the wire said of this very card.
import type { Mac } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory, MachineChange } from "../../inventory/port.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { Facts } from "../contract/generated/agent.ts";
import { changeOf, macsOf } from "./node-facts.ts";

export type FactsDeps = { inventory: Inventory; log: Log; record: RecordEvent };

/** Saves the facts of a machine; nothing is written when nothing changed. */
export async function saveFacts(deps: FactsDeps, machineId: string, facts: Facts): Promise<void> {
  const machine = await deps.inventory.findMachineById(machineId);
  if (machine === undefined) return;
  const change = changeOf(machineId, facts);
  const isNews = JSON.stringify(change.facts) !== JSON.stringify(machine.facts);
  const macs = machine.lifecycle === "discovered" ? [] : await freeMacs(deps, machine, macsOf(facts), isNews);
  const wanted: MachineChange = macs.length === 0 ? change : { ...change, macs: [...machine.macs, ...macs] };
  if (changesNothing(machine, wanted)) return;
  const actor = `machine ${machine.macs[0]}`;
  try {
    await deps.inventory.changeMachines([], [wanted], actor);
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== "CONFLICT") throw error;
    // Another machine took one of these between our look and our write.
    deps.log.warn(
      `${machine.macs[0]}: what it says about itself was saved without its other network cards: ${error.message}`,
    );
    await deps.inventory.changeMachines([], [change], actor);
  }
}

/** Approval makes the machine's earlier word about its network cards count. */
export async function adoptMacs(deps: FactsDeps, machine: Machine): Promise<void> {
  if (machine.lifecycle === "discovered") return;
  const macs = await freeMacs(deps, machine, macsOf(machine.facts as Facts | undefined), false);
  if (macs.length === 0) return;
  const change = { id: machine.id, macs: [...machine.macs, ...macs] };
  await deps.inventory.changeMachines([], [change], `machine ${machine.macs[0]}`);
}

/** Only the wire speaks of it: no person gave it anything, it never enrolled. */
const isUntouched = (m: Machine): boolean =>
  m.lifecycle === "discovered" && (m.name ?? m.role ?? m.address ?? m.boot ?? m.keyFingerprint) === undefined;

/** Those of `macs` that are new to this machine and belong to no other; each that does is told, unless it was before. */
async function freeMacs(
  { inventory, record, log }: FactsDeps,
  machine: Machine,
  macs: readonly Mac[],
  isNews: boolean,
): Promise<Mac[]> {
  const free: Mac[] = [];
  for (const mac of macs.filter((m) => !machine.macs.includes(m))) {
    const other = await inventory.findMachineByMac(mac);
    if (other === undefined) {
      free.push(mac);
      continue;
    }
    if (isUntouched(other) && other.macs.length === 1) {
      await inventory.deleteMachines([other.id], `machine ${machine.macs[0]}`);
      free.push(mac);
      continue;
    }
    if (!isNews) continue;
    const detail = { mac, other: other.name ?? other.macs[0] };
    record({ kind: "mac-conflict", mac: machine.macs[0]!, detail });
    log.warn(`${machine.macs[0]} has the network card ${mac}, which the inventory gives to ${detail.other}.`);
  }
  return free;
}

const COMPARED = ["serial", "product", "arch", "firmware"] as const;

function changesNothing(machine: Machine, wanted: MachineChange): boolean {
  return (
    wanted.macs === undefined &&
    JSON.stringify(wanted.facts) === JSON.stringify(machine.facts) &&
    COMPARED.every((field) => wanted[field] === undefined || wanted[field] === machine[field])
  );
}
