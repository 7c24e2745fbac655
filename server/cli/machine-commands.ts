// `machines`, `set`, `approve`, `retire` and `rm`.
import { SlipwayError } from "../contract/errors.ts";
import type { MachineView, SetBody } from "../rest/schema.ts";
import type { StatusView } from "../rest/status.ts";
import { confirm } from "./ask-person.ts";
import { machinePage, machineTable, nextSteps } from "./machine-table.ts";
import { type CommonOptions, type Desk, openDesk, show } from "./output.ts";
import { postOrder } from "./post-order.ts";
import { alarmLines } from "./status-commands.ts";

type Machines = { machines: MachineView[] };
const FIELDS = ["role", "cluster", "name", "address", "boot"] as const;
type Field = (typeof FIELDS)[number];
export type SetOptions = CommonOptions & { [F in Field]?: string } & { approve?: boolean; unset?: string[] };

/** `a,b c` → a, b, c, each once. */
export const splitRefs = (args: readonly string[]): string[] => [
  ...new Set(args.flatMap((arg) => arg.split(",")).filter((ref) => ref !== "")),
];

export async function runMachines(ref: string | undefined, options: CommonOptions): Promise<void> {
  const desk = await openDesk(options);
  if (ref !== undefined) {
    const machine = await desk.client.get<MachineView>(`/v1/machines/${encodeURIComponent(ref)}`);
    return show(desk, machine, () => machinePage(machine, desk.now()));
  }
  const { machines } = await desk.client.get<Machines>("/v1/machines");
  const status = await desk.client.get<StatusView>("/v1/status");
  // What somebody has to do about the appliance may be why they stand still, and with a full disk the table itself is old.
  const toDo = { alarms: status.alarms.filter(({ remedy }) => remedy !== undefined) };
  const alarms = () => alarmLines(toDo, desk.now(), desk.isTerminal);
  return show(desk, machines, () => `${alarms()}${machineTable(machines, desk.now(), desk.width)}`);
}

export async function runSet(args: readonly string[], options: SetOptions): Promise<void> {
  const body: SetBody = {
    machines: splitRefs(args),
    set: fieldsOf(options),
    ...(options.approve ? { approve: true } : {}),
  };
  const desk = await openDesk(options);
  await showChanged(desk, await desk.client.post<Machines>("/v1/machines/set", body));
}

function fieldsOf(options: SetOptions): SetBody["set"] {
  const fields: SetBody["set"] = {};
  for (const field of FIELDS) if (options[field] !== undefined) fields[field] = options[field];
  for (const field of splitRefs(options.unset ?? [])) {
    if (!FIELDS.includes(field as Field))
      throw new SlipwayError("BAD_REQUEST", `--unset: must be one of ${FIELDS.join(", ")}, found "${field}"`);
    if (fields[field as Field] !== undefined)
      throw new SlipwayError("BAD_REQUEST", `--unset ${field} and --${field} contradict each other`, {
        remedy: "Give one of the two.",
      });
    fields[field as Field] = null;
  }
  return fields;
}

export type MoveOptions = CommonOptions & { undo?: boolean; clusterName?: string };
export type RemoveOptions = CommonOptions & { yes?: boolean; clusterName?: string };

export async function runMove(
  verb: "approve" | "retire",
  args: readonly string[],
  options: MoveOptions,
): Promise<void> {
  const desk = await openDesk(options);
  const { undo, clusterName } = options;
  const body = { machines: splitRefs(args), ...(undo && { undo: true }), ...(clusterName && { clusterName }) };
  await showChanged(desk, await postOrder(desk, verb, body));
}

async function showChanged(desk: Desk, { machines }: Machines): Promise<void> {
  const lines = machines.map((m) => {
    const cluster = m.cluster && `cluster ${m.cluster}`;
    const fields = [m.role, cluster, m.address, m.boot && `boot ${m.boot}`].filter(Boolean).join(", ");
    const also = m.name === undefined ? "" : ` (${m.macs[0]})`;
    return `${m.name ?? m.macs[0]}${also}: ${m.lifecycle}${fields ? `, ${fields}` : ""}\n`;
  });
  await show(desk, machines, () => lines.join("") + nextSteps(machines));
}

export async function runRemove(args: readonly string[], options: RemoveOptions): Promise<void> {
  const refs = splitRefs(args);
  const desk = await openDesk(options);
  const question = `Remove ${refs.join(", ")} from the inventory? A machine that is still there comes back as discovered.`;
  if (!options.yes && !(await confirm(`rm ${refs.join(" ")}`, question))) return desk.note("Nothing was removed.\n");
  const { clusterName } = options;
  const { machines } = await postOrder(desk, "delete", { machines: refs, ...(clusterName && { clusterName }) });
  await show(desk, machines, () => machines.map((m) => `${m.name ?? m.macs[0]}: removed\n`).join(""));
}
