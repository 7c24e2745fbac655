// `install`, `reboot`, `shutdown` and `reset`: asks before what is there goes, and for the cluster's name before a cluster does.
import type { MachineView } from "../rest/schema.ts";
import { confirm } from "./ask-person.ts";
import { splitRefs } from "./machine-commands.ts";
import { nextSteps } from "./machine-table.ts";
import { type CommonOptions, type Desk, openDesk, show } from "./output.ts";
import { postOrder } from "./post-order.ts";

export type OrderOptions = CommonOptions & { yes?: boolean; clusterName?: string };
export type InstallOptions = OrderOptions & { wipe?: boolean };

export async function runInstall(args: readonly string[], options: InstallOptions): Promise<void> {
  const refs = splitRefs(args);
  const desk = await openDesk(options);
  const question = options.yes ? undefined : await installQuestion(desk, refs, options.wipe === true);
  if (question !== undefined && !(await confirm(`install ${refs.join(" ")}`, question))) {
    return desk.note("Nothing was ordered.\n");
  }
  const body = { machines: refs, ...(options.wipe && { mayWipe: true }) };
  await order(desk, "install", body, options, (m) => `is to be installed${anew(m)}; ${whenInstalled(m)}`);
}

const isInstalled = (m: MachineView): boolean => m.installation !== undefined;
const anew = (m: MachineView): string => (isInstalled(m) ? " anew" : "");
const callOf = (m: MachineView): string => m.name ?? m.macs[0]!;

/** undefined: nothing that a person would miss can go. */
async function installQuestion(desk: Desk, refs: readonly string[], mayWipe: boolean): Promise<string | undefined> {
  if (mayWipe) return `Install ${refs.join(", ")}, and wipe whatever is on the system disk?`;
  const machines = await Promise.all(
    refs.map((ref) => desk.client.get<MachineView>(`/v1/machines/${encodeURIComponent(ref)}`)),
  );
  const lost = machines.filter(isInstalled).map(callOf);
  return lost.length === 0 ? undefined : `Install ${lost.join(", ")} anew? What the node keeps on its disk is lost.`;
}

/** A role is missing, or it must be switched on, or it is under way. */
function whenInstalled(m: MachineView): string {
  if (m.verb?.verb === "reboot") return "it restarts now, and must boot from the network";
  if (m.live?.bootSource === "container") return "it begins at once";
  return m.live === undefined ? "it begins when it boots from the network" : "it begins now";
}

const SAY = {
  reboot: () => "restarts",
  shutdown: () => "shuts down",
  reset: (m: MachineView) =>
    m.live === undefined ? "is wiped as soon as its agent is heard" : "is wiped and restarts",
} as const;

export async function runVerb(verb: keyof typeof SAY, args: readonly string[], options: OrderOptions): Promise<void> {
  const refs = splitRefs(args);
  const desk = await openDesk(options);
  const question = `Wipe ${refs.join(", ")}? Configuration, keys and all that the node keeps on its disk are lost.`;
  if (verb === "reset" && !options.yes && !(await confirm(`reset ${refs.join(" ")}`, question))) {
    return desk.note("Nothing was ordered.\n");
  }
  await order(desk, verb, { machines: refs }, options, SAY[verb]);
}

async function order(
  desk: Desk,
  what: string,
  body: object,
  { clusterName }: OrderOptions,
  say: (machine: MachineView) => string,
): Promise<void> {
  const { machines } = await postOrder(desk, what, { ...body, ...(clusterName !== undefined && { clusterName }) });
  await show(desk, machines, () => machines.map((m) => `${callOf(m)}: ${say(m)}\n`).join("") + nextSteps(machines));
}
