// The boot decision: one-shot, server-side, the same on every firmware (design §3). Pure.
import type { Machine } from "../../inventory/machine.ts";

/** What an unknown machine gets, per interface (`strangers` in slipway.yaml). */
export type Strangers = "boot" | "disk" | "ignore";

export type BootDecision =
  /** Load Slipway OS from the network. */
  | { kind: "os"; reason: string }
  /** Go on to the disk, in the way this firmware understands. */
  | { kind: "disk"; reason: string }
  /** No boot data at all. */
  | { kind: "ignore"; reason: string };

const BY_CHOICE: Record<"os" | "disk" | "ignore", string> = {
  os: "a person chose to boot the OS",
  disk: "a person chose its disk",
  ignore: "a person chose to ignore it",
};
const BY_STRANGERS = { boot: "os", disk: "disk", ignore: "ignore" } as const;

/**
 * Which boot a machine gets now.
 *
 * @param machine undefined when the inventory does not know it.
 * @param strangers what the interface gives to machines that nobody approved.
 */
export function decideBoot(machine: Machine | undefined, strangers: Strangers): BootDecision {
  if (machine?.lifecycle === "retired") return { kind: "disk", reason: "it is retired" };
  if (machine?.boot !== undefined) return { kind: machine.boot, reason: BY_CHOICE[machine.boot] };
  if (machine === undefined || machine.lifecycle === "discovered") {
    return { kind: BY_STRANGERS[strangers], reason: `nobody approved it yet, and strangers: ${strangers}` };
  }
  if (machine.lifecycle === "installed" || machine.lifecycle === "ready") {
    return { kind: "disk", reason: "its OS is on its disk" };
  }
  // What a person ordered goes before what is on the disk.
  if (machine.installation !== undefined) return { kind: "os", reason: "it is to be installed anew" };
  return { kind: "os", reason: "it is approved and not installed yet" };
}
