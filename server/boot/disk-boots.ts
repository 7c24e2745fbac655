// A machine whose disk holds its OS is sent there each time its firmware asks the network first. When its agent is not heard
// after the third time, a person is told: when it asks a fourth time (service.ts, which counts), or has been silent for ten
// minutes (run-unheard.ts). It is still sent to its disk, because nothing installs over data unasked. Pure.
import { type Machine, MOST_UNHEARD } from "../../inventory/machine.ts";
import type { BootDecision } from "./decide.ts";

/** What the third boot from the disk is given: slow firmware, disk checks and an image load fit in. */
export const SILENCE_MS = 600_000;

/** Whether this is an installed machine on its way to its disk: only then its agent is to be heard next. */
export const isSentToOwnDisk = (machine: Machine | undefined, decision: BootDecision): machine is Machine =>
  decision.kind === "disk" && (machine?.lifecycle === "installed" || machine?.lifecycle === "ready");

/**
 * What people read of a machine that did not come back from its disk; undefined while that is no reason to worry.
 *
 * @param unheard how often in a row it was sent there and has had its time.
 */
export function findUnheard(machine: Machine, unheard: number): { reason: string; remedy: string } | undefined {
  if (unheard < MOST_UNHEARD) return undefined;
  return {
    reason: `it was sent to its disk ${unheard} times and its agent was not heard`,
    remedy: `look at its screen; to install it anew: slipway install ${machine.name ?? machine.macs[0]}`,
  };
}
