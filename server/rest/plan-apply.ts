// The machines of an apply: their documents as rows of an import, judged by the same rules, with cluster, role and patches
// beside them. What a document does not say stays as it is; only its patches are all that the machine has. Pure.
import { isDeepStrictEqual } from "node:util";
import type { Machine } from "../../inventory/machine.ts";
import type { MachineChange, NewMachine } from "../../inventory/port.ts";
import { type Applied, appliedOf } from "../cluster/plan-apply.ts";
import type { Machine as MachineDocument } from "../cluster/topology.ts";
import type { FaultAt, TopologyFault } from "../cluster/topology-document.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { Facts } from "./check-fields.ts";
import { type ImportPlan, planImport } from "./plan-import.ts";
import type { ImportRow } from "./schema.ts";

export type MachinesPlan = {
  creations: NewMachine[];
  changes: MachineChange[];
  applied: Applied[];
  faults: TopologyFault[];
};

export function planMachines(documents: readonly MachineDocument[], facts: Facts, faultAt: FaultAt): MachinesPlan {
  const plan: MachinesPlan = { creations: [], changes: [], applied: [], faults: [] };
  const rows = tryImport(documents, facts, faultAt, plan.faults);
  if (rows === undefined) return plan;
  for (const document of documents) {
    const before = facts.machines.find((m) => m.macs.some((mac) => document.macs.includes(mac)));
    const more = extrasOf(document, before);
    if (before === undefined) {
      const row = rows.creations.find((c) => c.name === document.name)!;
      plan.creations.push({ ...row, ...more });
      plan.applied.push({ kind: "Machine", name: document.name, change: "created", what: [] });
      continue;
    }
    const { id: _, ...row } = rows.changes.find((c) => c.id === before.id) ?? { id: before.id };
    const change = { ...row, ...more };
    const applied = appliedOf("Machine", document.name, pick(before, Object.keys(change)), withoutNull(change));
    plan.applied.push(applied);
    if (applied.change === "changed") plan.changes.push({ id: before.id, ...change });
  }
  return plan;
}

/** Roles and clusters are known by the documents themselves: topology-checks.ts has judged them. */
function extrasOf({ role, cluster, patches }: MachineDocument, before: Machine | undefined) {
  const spec = patches.length === 0 ? null : { patches };
  const isSame = isDeepStrictEqual(before?.spec ?? null, spec);
  return {
    ...(role === undefined ? {} : { role }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(isSame ? {} : { spec }),
  };
}

/** Where a row's field stands in a document. */
const pathOf = (field: string): string => (field === "name" ? "metadata.name" : `spec.${field}`);

function tryImport(
  documents: readonly MachineDocument[],
  facts: Facts,
  faultAt: FaultAt,
  faults: TopologyFault[],
): ImportPlan | undefined {
  const rows = documents.map(({ macs, name, address, boot, uuid, serial }): ImportRow => {
    const fields = { name, address, boot, uuid, serial };
    const given = Object.entries(fields).filter((pair) => pair[1] !== undefined);
    return { macs: [...macs], ...Object.fromEntries(given) };
  });
  try {
    return planImport(rows, false, facts, () => []);
  } catch (fault) {
    if (!(fault instanceof SlipwayError) || fault.faults.length === 0) throw fault;
    for (const { at, message } of fault.faults) {
      const [, index = "0", field = "macs"] = /^rows\.(\d+)\.(\w+)$/.exec(at) ?? [];
      faults.push(faultAt("Machine", documents[Number(index)]!.name, pathOf(field), message));
    }
    return undefined;
  }
}

const pick = (machine: Machine, keys: readonly string[]): object =>
  Object.fromEntries(keys.map((key) => [key, (machine as Record<string, unknown>)[key]]));
const withoutNull = (change: object): object =>
  Object.fromEntries(Object.entries(change).filter((pair) => pair[1] !== null));
