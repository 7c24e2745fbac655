// A machine as the admin API shows it: its record, the address that it has now, and what it says of itself while it is in
// touch. Called by machine-routes.ts and order-routes.ts. Pure.
import type { PendingInstall } from "../../inventory/cluster.ts";
import type { Lease } from "../../inventory/lease.ts";
import type { Machine } from "../../inventory/machine.ts";
import { describeStep, type LiveMachine, secondsLeft } from "../boot/live-machine.ts";
import type { MachineView } from "./schema.ts";

/** `facts` are long: only the route of one machine adds them. Who an order's config went to is in the events. */
export function viewOf(
  machine: Machine,
  leases: readonly Lease[],
  nowSeconds: number,
  live: LiveMachine | undefined,
): MachineView {
  const lease = leases.find((l) => l.state === "bound" && l.expiresAt > nowSeconds && machine.macs.includes(l.mac));
  const { facts: _, install, verb, ...rest } = machine;
  return {
    ...rest,
    ...(install !== undefined && { install: installView(install) }),
    ...(verb !== undefined && { verb: { verb: verb.verb, at: verb.at } }),
    ...(lease !== undefined && { leasedAddress: lease.address }),
    ...(live !== undefined && { seenAt: later(machine.seenAt, nowSeconds * 1000), ...liveView(machine, live) }),
  };
}

/** Whose agent is in touch is seen now, whatever the last packet's time. */
const later = (iso: string, atMs: number): string => (Date.parse(iso) > atMs ? iso : new Date(atMs).toISOString());

const installView = ({ mayWipe, orderedAt, firstContactAt, givenToKey, failure }: PendingInstall) => ({
  ...{ mayWipe, orderedAt, isConfigGiven: givenToKey !== undefined },
  ...(firstContactAt !== undefined && { firstContactAt }),
  ...(failure !== undefined && { failure }),
});

const WITH_STEPS: ReadonlySet<string> = new Set(["installing", "resetting"]);

/** The step's bytes are newer than the words that were written down for it. */
function liveView(machine: Machine, { bootSource, step, node }: LiveMachine): Partial<MachineView> {
  const isStepping = step !== undefined && WITH_STEPS.has(machine.activity);
  const left = isStepping ? secondsLeft(step) : undefined;
  return {
    live: {
      bootSource,
      ...(isStepping && { step: { ...step, ...(left !== undefined && { secondsLeft: left }) } }),
      ...(node !== undefined && { node }),
    },
    ...(isStepping && { activityReason: describeStep(step) }),
  };
}
