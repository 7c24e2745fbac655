// `install`, `reboot`, `shutdown` and `reset`: which machines a request means, what is ordered of each, or every fault at
// once. order-routes.ts hands the plan to the inventory, which writes all or none; the agents hear of it by their state
// (server/grpc/node-state.ts), and keep at it until it is done. Pure.
import type { PendingVerb } from "../../inventory/cluster.ts";
import { LIFECYCLE, type Machine } from "../../inventory/machine.ts";
import type { MachineChange } from "../../inventory/port.ts";
import type { LiveMachine } from "../boot/live-machine.ts";
import type { FieldFault } from "./check-fields.ts";
import { callName } from "./find-machine.ts";
import { type EndsCluster, judgeEnds } from "./judge-end.ts";
import { knownMachines } from "./plan-set.ts";
import { raiseFaults } from "./raise-faults.ts";
import type { InstallBody, VerbBody } from "./schema.ts";

export type OrderFacts = {
  machines: readonly Machine[];
  /** undefined: the machine is not in touch. */
  liveOf: (machineId: string) => LiveMachine | undefined;
  endsCluster: EndsCluster;
  /** By chance, never given before. */
  newId: () => string;
  /** Milliseconds since 1970. */
  now: number;
};

/** @throws NOT_FOUND, BAD_TRANSITION, CONFLICT, ENDS_CLUSTER, or BAD_REQUEST for faults of several kinds: all are named. */
export function planInstallOrders(body: InstallBody, facts: OrderFacts): MachineChange[] {
  const faults: FieldFault[] = [];
  const machines = knownMachines(body.machines, facts.machines, faults);
  const changes = machines.map((machine): MachineChange => {
    judgeInstall(machine, faults);
    const order = { order: facts.newId(), mayWipe: body.mayWipe === true, orderedAt: facts.now };
    // What runs from its disk installs nothing over itself: it is asked to go through its firmware.
    const isOnDisk = facts.liveOf(machine.id)?.bootSource === "disk";
    const verb: PendingVerb = { id: facts.newId(), verb: "reboot", at: facts.now };
    const change: MachineChange = { id: machine.id, lifecycle: "approved", install: order };
    return isOnDisk ? { ...change, verb } : change;
  });
  judgeEnds(machines, body.clusterName, facts.endsCluster, faults);
  raiseFaults(faults, "BAD_REQUEST");
  return changes;
}

/** @throws as {@link planInstallOrders}, and NOT_HEARD for a machine that is not in touch. */
export function planVerbs(verb: PendingVerb["verb"], body: VerbBody, facts: OrderFacts): MachineChange[] {
  const faults: FieldFault[] = [];
  const machines = knownMachines(body.machines, facts.machines, faults);
  const changes = machines.map((machine): MachineChange => {
    const isHeard = facts.liveOf(machine.id) !== undefined;
    // A reset may wait for its machine. A restart that comes true days later is nobody's wish.
    const mayWait = verb === "reset" && machine.installation !== undefined && machine.lifecycle !== "retired";
    if (!isHeard && !mayWait) {
      faults.push({
        code: "NOT_HEARD",
        at: callName(machine),
        message: `its agent is not in touch, so it cannot ${verb}`,
      });
    }
    return { id: machine.id, verb: { id: facts.newId(), verb, at: facts.now } };
  });
  if (verb === "reset") judgeEnds(machines, body.clusterName, facts.endsCluster, faults);
  raiseFaults(faults, "BAD_REQUEST");
  return changes;
}

/** An order counts as approval; a machine that a person keeps away from the OS must be let go first. */
function judgeInstall(machine: Machine, faults: FieldFault[]): void {
  const at = callName(machine);
  const next: readonly string[] = LIFECYCLE[machine.lifecycle];
  if (machine.lifecycle !== "approved" && !next.includes("approved")) {
    const message = `is ${machine.lifecycle} and cannot be installed; slipway retire ${at} --undo takes it back into service`;
    faults.push({ code: "BAD_TRANSITION", at, message });
  }
  if (machine.boot === "disk" || machine.boot === "ignore") {
    const message = `has boot: ${machine.boot}, so it would never load the OS; first: slipway set ${at} --unset boot`;
    faults.push({ code: "CONFLICT", at, message });
  }
}
