// A machine whose disk holds its OS is sent there each time its firmware asks the network first. When its agent is not heard
// after the third time, a person is told; it is still sent to its disk, because nothing installs over data unasked. Called by
// service.ts, which counts. Pure.
import type { Machine } from "../../inventory/machine.ts";
import type { BootDecision } from "./decide.ts";

/** So many times in a row it is sent to its disk before it counts as failed. */
export const MOST_UNHEARD = 3;

/** Whether this is an installed machine on its way to its disk: only then its agent is to be heard next. */
export const isSentToOwnDisk = (machine: Machine | undefined, decision: BootDecision): machine is Machine =>
  decision.kind === "disk" && (machine?.lifecycle === "installed" || machine?.lifecycle === "ready");

/** What people read when it was sent there once more; undefined while that is no reason to worry. */
export function findUnheard(machine: Machine, diskBoots: number): { reason: string; remedy: string } | undefined {
  if (diskBoots < MOST_UNHEARD) return undefined;
  return {
    reason: `it was sent to its disk ${diskBoots} times and its agent was not heard`,
    remedy: `look at its screen; to install it anew: slipway install ${machine.name ?? machine.macs[0]}`,
  };
}
