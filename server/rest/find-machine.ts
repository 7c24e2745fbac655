// A person's way to name a machine → the machine: any spelling of a MAC, its name, its id or how that begins. Pure.
import { type Mac, parseMac } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";

export type Found =
  | { kind: "machine"; machine: Machine }
  /** A MAC that no machine has. */
  | { kind: "unknown-mac"; mac: Mac }
  | { kind: "none"; reason: string }
  | { kind: "several"; reason: string };

/** Shorter beginnings of an id would hit the wrong machine by luck. */
const LEAST_ID_LENGTH = 4;

export function findMachine(machines: readonly Machine[], ref: string): Found {
  const mac = parseMac(ref);
  const exact = machines.find(
    (m) => (mac !== undefined && m.macs.includes(mac)) || m.name === ref.toLowerCase() || m.id === ref,
  );
  if (exact) return { kind: "machine", machine: exact };
  if (mac !== undefined) return { kind: "unknown-mac", mac };
  const begins = ref.length < LEAST_ID_LENGTH ? [] : machines.filter((m) => m.id.startsWith(ref.toLowerCase()));
  if (begins.length === 1) return { kind: "machine", machine: begins[0]! };
  if (begins.length > 1)
    return {
      kind: "several",
      reason: `the beginning of ${begins.length} ids (${begins.slice(0, 3).map(callName).join(", ")} …)`,
    };
  return { kind: "none", reason: isLikeMac(ref) ? NO_MAC : "no machine has this MAC, name or id" };
}

/** A slip in a MAC must not read as if the machine were unknown. */
const isLikeMac = (ref: string): boolean =>
  /^[0-9a-z]{1,4}([:.-][0-9a-z]{1,4}){2,}$/i.test(ref) && /[:.]|(-..){5}/.test(ref);
const NO_MAC = "is no machine's MAC: that is six bytes of hex digits such as 52:54:00:12:34:56, the first of them even";

/** How a machine is called in a sentence: its name, else its first MAC. */
export const callName = (machine: Pick<Machine, "name" | "macs">): string => machine.name ?? machine.macs[0] ?? "?";
