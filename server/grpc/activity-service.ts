// Moves a machine's activity to what its own agent says. Edge: writes the inventory. An agent that speaks is running, whatever
// the last packet said: a machine whose agent came back after a power cut of the appliance may still stand on "loading".
import type { Activity, Machine } from "../../inventory/machine.ts";
import { canMoveActivity } from "../../inventory/machine.ts";
import type { Inventory, Urgency } from "../../inventory/port.ts";

/** Nothing is written when the machine is there already, with these words. */
export async function enterActivity(
  inventory: Inventory,
  machine: Machine,
  to: Activity,
  reason?: string,
  urgency?: Urgency,
): Promise<void> {
  if (machine.activity === to && machine.activityReason === reason) return;
  if (!canMoveActivity(machine.activity, to)) await inventory.moveActivity(machine.id, "running", undefined, urgency);
  await inventory.moveActivity(machine.id, to, reason, urgency);
}
