// What a machine is told about itself: its name, and what it waits for. Pure. node-service.ts sends it whenever it changes.
import type { Machine } from "../../inventory/machine.ts";
import { ROLES } from "../../inventory/machine.ts";
import type { NodeState } from "../contract/generated/agent.ts";

/** Why a machine of this lifecycle cannot go on, and what a person does about it. The first row that fits. */
const WAITS: readonly { when: (m: Machine) => boolean; waits: string; next: (m: Machine) => string }[] = [
  {
    when: (m) => m.lifecycle === "discovered",
    waits: "nobody approved it yet",
    next: (m) => `slipway approve ${m.macs[0]}`,
  },
  {
    when: (m) => m.lifecycle === "approved" && m.role === undefined,
    waits: "it has no role yet",
    next: (m) => `slipway set ${m.macs[0]} --role ${ROLES.join("|")}`,
  },
];

/** How the appliance sees this machine now. */
export function nodeStateOf(machine: Machine): NodeState {
  const wait = WAITS.find((row) => row.when(machine));
  return {
    name: machine.name ?? "",
    lifecycle: machine.lifecycle,
    role: machine.role ?? "",
    waits: wait?.waits ?? "",
    next: wait?.next(machine) ?? "",
    reportInstallDisk: wait === undefined && machine.lifecycle === "approved",
  };
}

/** The same as one sentence for the timeline: `nobody approved it yet: slipway approve 52:54:00:12:34:56`. */
export const waitReason = (state: NodeState): string =>
  state.next === "" ? state.waits : `${state.waits}: ${state.next}`;
