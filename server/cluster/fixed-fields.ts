// What of a machine must not change once it has its config: its name, role and cluster are on its disk, in its certificates and
// in its cluster's data. One rule for `set`, `import` and `apply`. Pure.
import type { Machine } from "../../inventory/machine.ts";
import { callMachine, chosenCluster } from "./site.ts";

/** Absent leaves a field as it is, null clears it. */
export type WantedFields = { name?: string | null; role?: string | null; cluster?: string | null };
export type FixedFault = { field: keyof WantedFields; message: string };

export const isInstalled = ({ lifecycle, installation }: Machine): boolean =>
  lifecycle === "installed" || lifecycle === "ready" || installation !== undefined;

/** @param before undefined for a machine that is new. @returns empty when nothing of it is fixed, or nothing of that changes. */
export function fixedFaults(before: Machine | undefined, wanted: WantedFields): FixedFault[] {
  const why = before && reasonOf(before);
  if (before === undefined || why === undefined) return [];
  // Naming the cluster that it is in, or leaving that out again, changes nothing.
  const cluster = wanted.cluster === null ? (chosenCluster({ ...before, cluster: undefined }) ?? null) : wanted.cluster;
  const rows = [
    ["name", before.name, wanted.name],
    ["role", before.role, wanted.role],
    ["cluster", chosenCluster(before), cluster],
  ] as const;
  return rows
    .filter(([, was, will]) => will !== undefined && was !== (will ?? undefined))
    .map(([field, was, will]) => ({
      field,
      message: `cannot change from ${was ?? "nothing"} to ${will ?? "nothing"}: ${why}`,
    }));
}

/** Why its fields are fixed, and what lets them go; undefined when they are not. */
function reasonOf(machine: Machine): string | undefined {
  const name = callMachine(machine);
  if (isInstalled(machine)) return `the machine is installed; \`slipway reset ${name}\` first`;
  const isGiven = machine.lifecycle === "approved" && machine.install?.givenToKey !== undefined;
  return isGiven ? `the machine installs with that already; \`slipway approve ${name} --undo\` first` : undefined;
}
