// What the screen shows, worked out from what the agent knows. Pure.
import type { Facts, InstallStep, NodeState } from "../server/contract/generated/agent.ts";
import type { InstallDisk } from "./plan.ts";
import type { ScreenStatus } from "./screen.ts";
import { progressOf, type Running, type Work } from "./work.ts";

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
  /** What is in hand, and the node that runs: both go before the standing. */
  work: Work;
  running: Running | undefined;
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

/** The words for what is in hand; undefined leaves them to the node, or to the standing. */
const WORK: { [K in Work["kind"]]: (w: Extract<Work, { kind: K }>) => { state: string; next: string } | undefined } = {
  none: () => undefined,
  step: ({ what, step }) => ({ state: stepWords(what, step), next: "Leave the power on; it ends by itself." }),
  failed: ({ what, reason, remedy }) => ({ state: `cannot ${what}: ${reason}`, next: remedy }),
  installed: ({ disk }) => ({ state: installedWords(disk), next: "" }),
  verb: ({ verb }) => ({ state: `was asked for ${verb}`, next: "" }),
};

const installedWords = (disk: string): string =>
  disk === "" ? "the machine config is stored" : `installed to ${disk}; restarts when the appliance has noted it`;

function stepWords(what: "install" | "reset", step: InstallStep | undefined): string {
  if (step === undefined) return what === "install" ? "installs: asks for its machine config" : "resets";
  const progress = progressOf(step);
  const verb = what === "install" ? "installs" : "resets";
  return `${verb}: step ${step.number} of ${step.of}, ${step.text}${progress === "" ? "" : `: ${progress}`}`;
}

/** A node says how its cluster sees it, and beside it when the appliance is away: it works without. */
function nodeWords({ status }: Running, standing: Standing): { state: string; next: string } {
  const state = status.ready ? "Ready" : `not ready: ${status.reason || "starting"}`;
  const alone = standing.kind === "unreachable" ? " (the appliance is away)" : "";
  const refused = standing.kind === "refused" ? `; the appliance refuses it: ${standing.reason}` : "";
  return {
    state: `${state}${alone}${refused}`,
    next: refused === "" ? "" : "slipway machines says what it knows of this machine.",
  };
}

/** Everything on the screen. */
export function statusOf({ facts, standing, work, running, mac, server, pairingCode }: Known): ScreenStatus {
  const ofStanding = WORDS[standing.kind] as (s: Standing) => { state: string; next: string };
  const ofWork = WORK[work.kind] as (w: Work) => { state: string; next: string } | undefined;
  const ofLife = () => (running === undefined ? ofStanding(standing) : nodeWords(running, standing));
  const words = notNoted(work, standing) ?? ofWork(work) ?? ofLife();
  return {
    osVersion: facts.osVersion,
    hardware: [facts.arch, facts.firmware].filter((part) => part !== "").join(", "),
    product: [facts.vendor, facts.product].filter((part) => part !== "").join(" "),
    name: standing.kind === "in-touch" ? standing.state.name : "",
    mac: mac || (facts.nics.find((nic) => nic.carrier) ?? facts.nics[0])?.mac || "no network card",
    addresses: addressesOf(facts),
    appliance: server,
    cluster: running === undefined ? "" : `${running.role}, endpoint ${running.endpoint}`,
    // A person compares it before approval; on a node that runs it only takes a line.
    pairingCode: running === undefined ? pairingCode : "",
    ...words,
  };
}

/** An install that is over waits for nothing but the appliance: why that does not note it is what a person asks then. */
function notNoted(work: Work, standing: Standing): { state: string; next: string } | undefined {
  if (work.kind !== "installed" || standing.kind !== "unreachable") return undefined;
  return {
    state: `${installedWords(work.disk)}, which it cannot: ${standing.reason}`,
    next: "Nothing: it tries again. What the appliance lacks: slipway status",
  };
}

/** Booted from the network although it is installed: somebody wanted it so, and the node is left at rest. */
const AT_REST = {
  state: "is installed; booted from the network, it is at rest",
  next: "Restart it to run its node from the disk: slipway reboot MAC.",
};

function inTouch({ state, disk }: Extract<Standing, { kind: "in-touch" }>): { state: string; next: string } {
  if (state.waits !== "") {
    return { state: `waits: ${state.waits}`, next: state.next === "" ? "" : `On the appliance: ${state.next}` };
  }
  if (state.lifecycle === "installed" || state.lifecycle === "ready") return AT_REST;
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
