// `import`: rows of a file → what is created and changed, or every fault of every row. What a row does not say stays as it
// is. Lifecycle never comes from a file: only --approve arms a machine. Pure.
import { type Mac, parseMac } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { MachineChange, NewMachine } from "../../inventory/port.ts";
import { fixedFaults } from "../cluster/fixed-fields.ts";
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
import { callName } from "./find-machine.ts";
import { moveTo, type Plan } from "./plan-set.ts";
import { raiseFaults } from "./raise-faults.ts";
import type { ImportRow } from "./schema.ts";

/** Values that must differ between rows, with the row that had each first. */
type Seen = { name: Map<string, number>; address: Map<string, number>; mac: Map<string, number> };

export type ImportPlan = Plan & { unchanged: number };

/**
 * @param judgeInstalled what may not change of an installed machine; an apply judges that with the rest of its documents.
 * @throws BAD_IMPORT whose faults are at `rows.<index>.<field>`, rows from 0.
 */
export function planImport(
  rows: readonly ImportRow[],
  approve: boolean,
  facts: Facts,
  judgeInstalled: typeof fixedFaults = fixedFaults,
): ImportPlan {
  const faults: FieldFault[] = [];
  const seen: Seen = { name: new Map(), address: new Map(), mac: new Map() };
  const byMac = new Map(facts.machines.flatMap((m) => m.macs.map((mac) => [mac, m] as const)));
  const machines = vacate(rows, facts.machines, byMac);
  const plan: ImportPlan = { creations: [], changes: [], unchanged: 0 };
  rows.forEach((row, index) => {
    planRow(
      { row, at: `rows.${index}`, index, approve, facts: { ...facts, machines }, faults, seen, byMac, judgeInstalled },
      plan,
    );
  });
  raiseFaults(
    faults.map((f) => ({ ...f, code: "BAD_IMPORT" as const })),
    "BAD_IMPORT",
  );
  return plan;
}

/** What the file gives anew is free for the file's other rows, so that two machines may swap names or addresses. */
function vacate(rows: readonly ImportRow[], machines: readonly Machine[], byMac: ReadonlyMap<Mac, Machine>): Machine[] {
  const named = new Set<string>();
  const addressed = new Set<string>();
  for (const row of rows) {
    for (const text of row.macs) {
      const id = byMac.get(parseMac(text) ?? "")?.id;
      if (id !== undefined && row.name) named.add(id);
      if (id !== undefined && row.address) addressed.add(id);
    }
  }
  return machines.map((m) => {
    const { name, address, ...rest } = m;
    return {
      ...rest,
      ...(name && !named.has(m.id) ? { name } : {}),
      ...(address && !addressed.has(m.id) ? { address } : {}),
    };
  });
}

type RowTask = {
  row: ImportRow;
  at: string;
  index: number;
  approve: boolean;
  facts: Facts;
  faults: FieldFault[];
  seen: Seen;
  byMac: ReadonlyMap<Mac, Machine>;
  judgeInstalled: typeof fixedFaults;
};

function planRow(task: RowTask, plan: ImportPlan): void {
  const macs = judgeMacs(task);
  const machine = judgeOwner(task, macs);
  const fields = judgeRow(task, macs, machine);
  if (machine === undefined) {
    plan.creations.push({ macs, ...fields, ...(task.approve ? { lifecycle: "approved" } : {}) } as NewMachine);
    return;
  }
  for (const { field, message } of task.judgeInstalled(machine, fields))
    task.faults.push({ code: "BAD_IMPORT", at: `${task.at}.${field}`, message });
  const change: MachineChange = { id: machine.id, ...fields, ...addedMacs(machine, macs) };
  if (task.approve) Object.assign(change, moveTo(machine, "approved", task.faults));
  if (changesSomething(machine, change)) plan.changes.push(change);
  else plan.unchanged++;
}

function judgeMacs({ row, at, index, faults, seen }: RowTask): Mac[] {
  if (row.macs.length === 0)
    faults.push({ code: "BAD_IMPORT", at: `${at}.macs`, message: "must hold at least one MAC" });
  return row.macs.flatMap((text) => {
    const mac = parseMac(text);
    if (mac === undefined)
      faults.push({
        code: "BAD_IMPORT",
        at: `${at}.macs`,
        message: `must be a MAC such as 52:54:00:12:34:56, found "${text}"`,
      });
    else if (isDouble(seen.mac, mac, index))
      faults.push({
        code: "BAD_IMPORT",
        at: `${at}.macs`,
        message: `${mac} stands in row ${seen.mac.get(mac)! + 1} already`,
      });
    return mac === undefined ? [] : [mac];
  });
}

/** The machine that these MACs belong to; two machines in one row are a fault. */
function judgeOwner({ at, faults, byMac }: RowTask, macs: readonly Mac[]): Machine | undefined {
  const owners = [...new Set(macs.flatMap((mac) => byMac.get(mac) ?? []))];
  if (owners.length > 1) {
    const names = owners.map((m) => callName(m)).join(" and ");
    faults.push({ code: "CONFLICT", at: `${at}.macs`, message: `belong to ${owners.length} machines, ${names}` });
  }
  return owners[0];
}

function judgeRow(task: RowTask, macs: readonly Mac[], machine: Machine | undefined): Partial<NewMachine> {
  const { row, at, index, facts, faults, seen } = task;
  const fields: Record<string, unknown> = {};
  const judge = (
    key: "name" | "role" | "cluster" | "address" | "boot",
    check: (text: string) => Parameters<typeof take<unknown>>[0],
  ) => {
    const text = row[key];
    if (text === undefined || text === "") return;
    const value = take<unknown>(check(text), `${at}.${key}`, faults);
    if (value === undefined) return;
    fields[key] = value;
    const others = key === "name" || key === "address" ? seen[key] : undefined;
    if (others && isDouble(others, String(value), index))
      faults.push({
        code: "BAD_IMPORT",
        at: `${at}.${key}`,
        message: `${value} stands in row ${others.get(String(value))! + 1} already`,
      });
  };
  judge("name", (text) => judgeName(text, machine, facts));
  judge("role", (text) => judgeRole(text, facts));
  judge("cluster", (text) => judgeCluster(text, facts));
  judge("address", (text) => judgeAddress(text, macs, machine, facts));
  judge("boot", judgeBoot);
  if (row.uuid && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(row.uuid))
    faults.push({
      code: "BAD_IMPORT",
      at: `${at}.uuid`,
      message: `must be a UUID of 32 hex digits with hyphens, found "${row.uuid}"`,
    });
  else if (row.uuid) fields.uuid = row.uuid.toLowerCase();
  if (row.serial && /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(row.serial))
    faults.push({
      code: "BAD_IMPORT",
      at: `${at}.serial`,
      message: `must be printable text, found ${JSON.stringify(row.serial)}`,
    });
  else if (row.serial) fields.serial = row.serial;
  return fields as Partial<NewMachine>;
}

/** Remembers the first row of a value; says whether there was one. */
function isDouble(seen: Map<string, number>, value: string, index: number): boolean {
  if (seen.has(value)) return true;
  seen.set(value, index);
  return false;
}

const addedMacs = (machine: Machine, macs: readonly Mac[]): { macs?: readonly Mac[] } => {
  const added = macs.filter((mac) => !machine.macs.includes(mac));
  return added.length === 0 ? {} : { macs: [...machine.macs, ...added] };
};

const changesSomething = (machine: Machine, { id: _, ...change }: MachineChange): boolean =>
  Object.entries(change).some(([key, value]) => machine[key as keyof Machine] !== value);
