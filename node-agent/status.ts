// What the screen shows, worked out from what the agent knows. Pure.
import type { Facts, NodeState } from "../server/contract/generated/agent.ts";
import type { InstallDisk } from "./plan.ts";
import type { ScreenStatus } from "./screen.ts";

/** Where the machine stands with its appliance. */
export type Standing =
  | { kind: "starting" }
  | { kind: "no-ticket"; reason: string }
  | { kind: "enrolling" }
  /** The appliance said no for good. */
  | { kind: "refused"; reason: string }
  /** No answer; the agent tries again. */
  | { kind: "unreachable"; reason: string }
  | { kind: "in-touch"; state: NodeState; disk?: InstallDisk };

export type Known = {
  facts: Facts;
  standing: Standing;
  /** The MAC that the ticket was given to; empty without one. */
  mac: string;
  server: string;
  pairingCode: string;
};

const AGAIN = "Power the machine off and on again: each boot gets a fresh ticket.";

/** The words for one standing: what is, and what a person does next. */
const WORDS: { [K in Standing["kind"]]: (s: Extract<Standing, { kind: K }>) => { state: string; next: string } } = {
  starting: () => ({ state: "starting", next: "" }),
  "no-ticket": ({ reason }) => ({
    state: `has no ticket: ${reason}`,
    next: "Boot this machine from the network of its Slipway appliance.",
  }),
  enrolling: () => ({ state: "enrolling", next: "" }),
  refused: ({ reason }) => ({ state: `was refused: ${reason}`, next: AGAIN }),
  unreachable: ({ reason }) => ({
    state: `cannot reach the appliance: ${reason}`,
    next: "Nothing: it tries again. If this stays, see that the appliance runs (slipway serve).",
  }),
  "in-touch": inTouch,
};

/** Everything on the screen. */
export function statusOf({ facts, standing, mac, server, pairingCode }: Known): ScreenStatus {
  const words = WORDS[standing.kind] as (s: Standing) => { state: string; next: string };
  return {
    osVersion: facts.osVersion,
    hardware: [facts.arch, facts.firmware].filter((part) => part !== "").join(", "),
    product: [facts.vendor, facts.product].filter((part) => part !== "").join(" "),
    name: standing.kind === "in-touch" ? standing.state.name : "",
    mac: mac || (facts.nics.find((nic) => nic.carrier) ?? facts.nics[0])?.mac || "no network card",
    addresses: addressesOf(facts),
    appliance: server,
    pairingCode,
    ...words(standing),
  };
}

function inTouch({ state, disk }: Extract<Standing, { kind: "in-touch" }>): { state: string; next: string } {
  if (state.waits !== "") {
    return { state: `waits: ${state.waits}`, next: state.next === "" ? "" : `On the appliance: ${state.next}` };
  }
  const role = state.role === "" ? state.lifecycle : `${state.lifecycle} as ${state.role}`;
  if (disk === undefined) return { state: role, next: "" };
  if (disk.kind === "impossible") return { state: `${role}; cannot install: ${disk.reason}`, next: "Fit a disk." };
  return { state: `${role}; would install to ${disk.path}: ${disk.reason}`, next: "" };
}

/** IPv4 first: that is what the appliance gave out. */
function addressesOf(facts: Facts): string[] {
  const all = facts.nics.flatMap((nic) => nic.addresses.map((cidr) => ({ nic: nic.name, ip: cidr.split("/")[0]! })));
  const ipv4 = all.filter(({ ip }) => !ip.includes(":"));
  return (ipv4.length > 0 ? ipv4 : all).map(({ nic, ip }) => `${ip} on ${nic}`);
}
