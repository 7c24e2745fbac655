// `set`, `approve` and `retire`: which machines a request means and what it writes into them, or every fault at once.
// machine-routes.ts hands the plan to the inventory, which writes all or none. Pure.
import type { Mac } from "../../inventory/address.ts";
import { LIFECYCLE, type Lifecycle, type Machine } from "../../inventory/machine.ts";
import type { MachineChange, NewMachine } from "../../inventory/port.ts";
import { fixedFaults } from "../cluster/fixed-fields.ts";
import { SlipwayError } from "../contract/errors.ts";
import {
  type Facts,
  type FieldFault,
  judgeAddress,
  judgeBoot,
  judgeCluster,
  judgeName,
  judgeRole,
  take,
} from "./check-fields.ts";
import { callName, findMachine } from "./find-machine.ts";
import { type EndsCluster, judgeEnds } from "./judge-end.ts";
import { raiseFaults } from "./raise-faults.ts";
import type { SetBody } from "./schema.ts";

export type Plan = { creations: NewMachine[]; changes: MachineChange[] };
type Targets = { machines: Machine[]; macs: Mac[] };

/** @throws BAD_REQUEST, UNKNOWN_ROLE, NOT_FOUND, CONFLICT, BAD_TRANSITION: the message names every fault. */
export function planSet(body: SetBody, facts: Facts): Plan {
  const faults: FieldFault[] = [];
  const targets = findTargets(body.machines, facts.machines, faults);
  assertOneForUnique(body, targets);
  const fields = judgeFields(body, targets, facts, faults);
  for (const machine of targets.machines)
    for (const { field, message } of fixedFaults(machine, fields))
      faults.push({ code: "CONFLICT", at: callName(machine), message: `its ${field} ${message}` });
  const isApproval = body.approve === true;
  const changes = targets.machines.map((m) => ({
    id: m.id,
    ...fields,
    ...(isApproval ? moveTo(m, "approved", faults) : {}),
  }));
  const creations = targets.macs.map((mac) => ({
    macs: [mac],
    ...fields,
    ...(isApproval ? { lifecycle: "approved" as const } : {}),
  }));
  if (Object.keys(fields).length === 0 && !isApproval && faults.length === 0)
    throw new SlipwayError(
      "BAD_REQUEST",
      "nothing to set: give at least one of role, cluster, name, address, boot or approve",
    );
  raiseFaults(faults, "BAD_REQUEST");
  return { creations, changes };
}

export type Move = {
  machines: readonly string[];
  verb: "approve" | "retire";
  undo?: boolean | undefined;
  /** The cluster that a person says they mean to end. */
  clusterName?: string | undefined;
};

/** Moves machines that are known along the lifecycle. @throws NOT_FOUND, BAD_TRANSITION, ENDS_CLUSTER. */
export function planMove(move: Move, machines: readonly Machine[], endsCluster: EndsCluster): MachineChange[] {
  const { verb, undo, clusterName } = move;
  const faults: FieldFault[] = [];
  const found = knownMachines(move.machines, machines, faults);
  const changes = found.map((m) => ({
    id: m.id,
    ...(undo ? undone(m, verb, faults) : moveTo(m, MOVES[verb], faults)),
  }));
  if (verb === "retire" && !undo) judgeEnds(found, clusterName, endsCluster, faults);
  raiseFaults(faults, "BAD_REQUEST");
  return changes;
}

const MOVES = { approve: "approved", retire: "retired" } as const;

/**
 * A machine whose disk holds its OS comes back as what it is: as `discovered` it would be asked for approval, and the approval
 * would install it anew, over its data.
 */
function undone(machine: Machine, verb: Move["verb"], faults: FieldFault[]): { lifecycle?: Lifecycle } {
  const isInstalled = machine.installation !== undefined;
  if (verb === "retire") return moveTo(machine, isInstalled ? "installed" : "discovered", faults);
  if (!isInstalled || machine.lifecycle === "discovered") return moveTo(machine, "discovered", faults);
  const at = callName(machine);
  const message = `is installed, so its approval is used up; to take it out: slipway retire ${at}, or slipway reset ${at}`;
  faults.push({ code: "BAD_TRANSITION", at, message });
  return {};
}

/** Machines that must exist, each once. */
export function knownMachines(refs: readonly string[], machines: readonly Machine[], faults: FieldFault[]): Machine[] {
  const targets = findTargets(refs, machines, faults);
  for (const mac of targets.macs) faults.push({ code: "NOT_FOUND", at: mac, message: "no machine has this MAC" });
  return targets.machines;
}

function findTargets(refs: readonly string[], machines: readonly Machine[], faults: FieldFault[]): Targets {
  const targets = { machines: new Set<Machine>(), macs: new Set<Mac>() };
  for (const ref of refs) {
    const found = findMachine(machines, ref);
    if (found.kind === "machine") targets.machines.add(found.machine);
    else if (found.kind === "unknown-mac") targets.macs.add(found.mac);
    else faults.push({ code: found.kind === "none" ? "NOT_FOUND" : "BAD_REQUEST", at: ref, message: found.reason });
  }
  return { machines: [...targets.machines], macs: [...targets.macs] };
}

/** Two machines cannot share a name or an address, so a batch of them is a slip. */
function assertOneForUnique({ set, machines }: SetBody, targets: Targets): void {
  const count = Math.max(machines.length, targets.machines.length + targets.macs.length);
  for (const field of ["name", "address"] as const) {
    if (set[field] != null && count > 1) {
      throw new SlipwayError(
        "BAD_REQUEST",
        `${field}: "${set[field]}" can be given to one machine only, found ${count} machines`,
        {
          remedy: `Set the ${field} of each machine in a command of its own, or import a file.`,
        },
      );
    }
  }
}

type Fields = Pick<MachineChange, "name" | "role" | "cluster" | "address" | "boot">;

/** null clears and needs no judging. */
function judgeFields({ set }: SetBody, targets: Targets, facts: Facts, faults: FieldFault[]): Fields {
  const machine = targets.machines[0];
  const macs = machine?.macs ?? targets.macs;
  const judge = {
    name: (text: string) => judgeName(text, machine, facts),
    role: (text: string) => judgeRole(text, facts),
    cluster: (text: string) => judgeCluster(text, facts),
    address: (text: string) => judgeAddress(text, macs, machine, facts),
    boot: judgeBoot,
  };
  const fields: Record<string, unknown> = {};
  for (const [key, check] of Object.entries(judge)) {
    const wanted = set[key as keyof typeof judge];
    if (wanted === undefined) continue;
    fields[key] = wanted === null ? null : take<unknown>(check(wanted), key, faults);
  }
  return fields as Fields;
}

/**
 * Approval means "at least approved": a machine that is installed stays so, because approving it again would install it
 * anew and wipe its disk.
 */
export function moveTo(machine: Machine, to: Lifecycle, faults: FieldFault[]): { lifecycle?: Lifecycle } {
  const isBeyond = to === "approved" && (machine.lifecycle === "installed" || machine.lifecycle === "ready");
  if (isBeyond || machine.lifecycle === to) return {};
  const next: readonly string[] = LIFECYCLE[machine.lifecycle];
  if (next.includes(to)) return { lifecycle: to };
  const at = callName(machine);
  const remedy =
    machine.lifecycle === "retired"
      ? `slipway retire ${at} --undo takes it back into service`
      : `it can become ${next.join(" or ")}`;
  faults.push({ code: "BAD_TRANSITION", at, message: `is ${machine.lifecycle} and cannot become ${to}; ${remedy}` });
  return {};
}
