// What a machine is told about itself: its name, what it waits for, and what is wanted of it. Level, not edge: each order
// stays in the state until it is done, so that a broken line or a restart loses nothing. Pure. report-service.ts sends it
// whenever it changes.
import { type Machine, ROLES } from "../../inventory/machine.ts";
import type { LiveMachine } from "../boot/live-machine.ts";
import type { ClusterOrders, InstallOrder, NodeState } from "../contract/generated/agent.ts";
import type { ClusterWait } from "./cluster-port.ts";
import { isLate } from "./hand-out.ts";

/** What is known beside the machine's record. */
export type NodeView = {
  live: Pick<LiveMachine, "bootSource" | "installId">;
  /** From the cluster desk; undefined: a config could be rendered. */
  wait: ClusterWait | undefined;
  orders: ClusterOrders | undefined;
  /** `http://ip:port/image/<id>/`; undefined when there is no image for this machine. */
  imageUrl: string | undefined;
  armedMs: number;
  /** Milliseconds since 1970. */
  now: number;
};

/** What a machine is told while nobody made a cluster. */
export const NO_CLUSTER: ClusterWait = { waits: "there is no cluster yet", next: "slipway cluster create NAME" };

const callOf = (m: Machine): string => m.name ?? m.macs[0] ?? m.id;
const isApproved = (m: Machine): boolean => m.lifecycle === "approved";
/** A machine that has said hello and is no container: it installs an image. */
const wantsImage = ({ live }: NodeView): boolean => live.bootSource !== "" && live.bootSource !== "container";

type Row = (m: Machine, view: NodeView) => ClusterWait | undefined;

/** Why a machine cannot go on, and what a person does about it. The first row that fits. */
const WAITS: readonly Row[] = [
  (m) =>
    m.lifecycle === "discovered"
      ? { waits: "nobody approved it yet", next: `slipway approve ${m.macs[0]}` }
      : undefined,
  (m) =>
    isApproved(m) && m.role === undefined
      ? { waits: "it has no role yet", next: `slipway set ${m.macs[0]} --role ${ROLES.join("|")}` }
      : undefined,
  (m, { wait }) => (isApproved(m) ? wait : undefined),
  // What it runs is what is known: so the new install has not been begun.
  (m, { live }) =>
    isApproved(m) && live.bootSource === "disk" && live.installId !== "" && live.installId === m.installation?.installId
      ? { waits: "it is to be installed anew, and runs from its disk", next: "boot it from the network" }
      : undefined,
  (m, view) =>
    isApproved(m) && wantsImage(view) && view.imageUrl === undefined
      ? { waits: `there is no OS image for ${m.arch ?? "its processor"} on the appliance`, next: "npm run assets" }
      : undefined,
  (m, { armedMs, now }) =>
    isApproved(m) && m.install !== undefined && isLate(m.install, armedMs, now)
      ? { waits: "the time in which it may install is over", next: `slipway install ${callOf(m)}` }
      : undefined,
  (m, { live }) =>
    (m.lifecycle === "installed" || m.lifecycle === "ready") &&
    live.bootSource === "network" &&
    live.installId !== m.installation?.installId
      ? { waits: "it is installed, and was booted from the network", next: bootFromDisk(m) }
      : undefined,
];

const bootFromDisk = (m: Machine): string =>
  m.boot === "os"
    ? `slipway set ${callOf(m)} --unset boot, then slipway reboot ${callOf(m)}`
    : `slipway reboot ${callOf(m)}`;

/** Why this machine waits; undefined when it does not. */
export function findWait(machine: Machine, view: NodeView): ClusterWait | undefined {
  for (const row of WAITS) {
    const wait = row(machine, view);
    if (wait !== undefined) return wait;
  }
  return undefined;
}

/** Whether an install is to be ordered now: approved, in touch, nothing missing, and none ordered yet. */
export const needsInstall = (machine: Machine, view: NodeView): boolean =>
  isApproved(machine) &&
  machine.install === undefined &&
  view.live.bootSource !== "" &&
  findWait(machine, view) === undefined;

function installOf(machine: Machine, view: NodeView, wait: ClusterWait | undefined): InstallOrder | undefined {
  const { install } = machine;
  if (!isApproved(machine) || install === undefined || wait !== undefined || view.live.bootSource === "")
    return undefined;
  const imageUrl = wantsImage(view) ? (view.imageUrl ?? "") : "";
  return { order: install.order, imageUrl, mayWipe: install.mayWipe };
}

/** How the appliance sees this machine now, and what it wants of it. */
export function nodeStateOf(machine: Machine, view: NodeView): NodeState {
  const wait = findWait(machine, view);
  const install = installOf(machine, view, wait);
  const { verb } = machine;
  return {
    name: machine.name ?? "",
    lifecycle: machine.lifecycle,
    role: machine.role ?? "",
    waits: wait?.waits ?? "",
    next: wait?.next ?? "",
    // Also while it waits for a cluster: a person sees early that no disk will do.
    reportInstallDisk: isApproved(machine) && machine.role !== undefined,
    ...(install !== undefined && { install }),
    ...(verb !== undefined && { verb: { id: verb.id, verb: verb.verb } }),
    ...(view.orders !== undefined && { cluster: view.orders }),
  };
}

/** The same as one sentence for the timeline: `nobody approved it yet: slipway approve 52:54:00:12:34:56`. */
export const waitReason = (state: NodeState): string =>
  state.next === "" ? state.waits : `${state.waits}: ${state.next}`;
