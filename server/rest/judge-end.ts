// Whoever ends a cluster says its name: a slip in a MAC must not do that. What takes machines' data away asks here: reset,
// install, retire, rm. Pure.
import type { Machine } from "../../inventory/machine.ts";
import type { FieldFault } from "./check-fields.ts";
import { callName } from "./find-machine.ts";

/** Name of the cluster whose data would be gone with this machine's, and with those that `going` names. */
export type EndsCluster = (machine: Machine, going: readonly Machine[]) => string | undefined;

/** @param machines all that one request takes away: two control planes at once may hold the last two copies. */
export function judgeEnds(
  machines: readonly Machine[],
  named: string | undefined,
  endsCluster: EndsCluster,
  faults: FieldFault[],
): void {
  const found = named === undefined ? "" : `, and ${named} was named`;
  for (const machine of machines.filter((m) => m.installation !== undefined)) {
    const cluster = endsCluster(machine, machines);
    if (cluster === undefined || cluster === named) continue;
    const message = `holds the last data of cluster ${cluster}, which would be gone for good${found}`;
    faults.push({ code: "ENDS_CLUSTER", at: callName(machine), message });
  }
}
