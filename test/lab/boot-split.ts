// How long each part of a boot took, from the machine's timeline: the figures of `npm start`, of the end-to-end tests and
// of test/long/boot-times.ts. Pure.
import type { EventKind } from "../../inventory/event.ts";

/** What happened, and when (milliseconds since 1970). `ms` of `agent-contact`: from the agent's start to its contact. */
export type TimedEvent = { kind: string; at: number; detail?: { ms?: unknown } };

/**
 * The parts of a machine's way from power-on to Ready, in order; each ends with the first event of one of its kinds.
 * A kind of a later part ends the parts before it too: a BIOS machine, for one, loads no loader.
 */
export const PARTS = {
  /** Power-on until the firmware asks for an address. */
  "self-test": ["dhcp-discover", "dhcp-ignored", "dhcp-offer", "dhcp-proxy-offer"],
  /** Until it asks for a loader, or, where iPXE is in the network card, for its script. */
  firmware: ["tftp-start", "tftp-done", "loader-fetched", "script"],
  /** iPXE: until it asks for the first file of the OS. */
  loader: ["image-start", "image-done"],
  /** Until the kernel has all that it needs. */
  image: ["ticket-fetched"],
  /** Hand-over, decompression, kernel, systemd: until the agent starts. */
  kernel: ["agent-contact"],
  /** Until it has its certificate. */
  agent: ["enrolled"],
  /** Until all is on its disk, and the appliance knows; a container node has only its config to write. */
  install: ["installed"],
  /** Restart, firmware, loader on the disk, kernel: until the agent is heard from there. */
  "second boot": ["agent-contact"],
  /** The first control plane node only: until etcd has begun. */
  "control plane": ["bootstrap-confirmed"],
  /** Until Kubernetes says so. */
  Ready: ["ready"],
} as const satisfies Record<string, readonly EventKind[]>;
export type Part = keyof typeof PARTS;
/** Not every machine has these: a container node boots once, a worker begins no control plane. */
const OPTIONAL: ReadonlySet<Part> = new Set<Part>(["second boot", "control plane"]);

/** Milliseconds of each part that has ended, and of all of them. */
export type BootSplit = { parts: Partial<Record<Part, number>>; totalMs: number; isEnrolled: boolean };

/**
 * Splits a boot.
 *
 * @param poweredOnAt milliseconds since 1970; earlier events belong to an earlier boot and are left out.
 * @param events the machine's, in any order.
 */
export function splitBoot(poweredOnAt: number, events: readonly TimedEvent[]): BootSplit {
  const ours = events
    .filter((event) => event.at >= poweredOnAt)
    .map((event) => ({ kind: event.kind, at: startOf(event) }))
    .sort((a, b) => a.at - b.at);
  const names = Object.keys(PARTS) as Part[];
  const parts: Partial<Record<Part, number>> = {};
  let since = poweredOnAt;
  names.forEach((part, index) => {
    const enders: readonly string[] = names
      .slice(index)
      .filter((name) => name === part || !(OPTIONAL.has(name) || OPTIONAL.has(part)))
      .flatMap((name) => [...PARTS[name]]);
    const end = ours.find((event) => enders.includes(event.kind) && event.at >= since);
    if (end === undefined) return;
    parts[part] = end.at - since;
    since = end.at;
  });
  return { parts, totalMs: since - poweredOnAt, isEnrolled: parts.agent !== undefined };
}

/** The agent's first word comes after its start, by as long as it says. */
const startOf = ({ kind, at, detail }: TimedEvent): number =>
  kind === "agent-contact" && typeof detail?.ms === "number" ? at - detail.ms : at;

/** The last thing that is there names how far it came. */
const REACHED = [
  ["Ready", "to Ready"],
  ["install", "to installed"],
  ["agent", "to enrolled"],
] as const satisfies readonly (readonly [Part, string])[];

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** `firmware 9.6 s, loader 0.4 s, image 3.1 s, kernel 12.0 s, agent 0.9 s: 26.0 s from power-on to enrolled`. */
export function describeSplit(split: BootSplit): string {
  const parts = Object.entries(shownParts(split.parts)).map(([part, ms]) => `${part} ${seconds(ms)}`);
  const reached = REACHED.find(([part]) => split.parts[part] !== undefined)?.[1] ?? "so far";
  return `${parts.join(", ")}: ${seconds(split.totalMs)} from power-on ${reached}`;
}

/** People count the self-test as firmware; the measurements keep it apart. A container node has neither, nor a loader. */
function shownParts(all: BootSplit["parts"]): Record<string, number> {
  const { "self-test": selfTest = 0, firmware, loader, image, kernel, ...rest } = all;
  if (firmware === undefined) return all as Record<string, number>;
  if (loader === 0 && image === 0) return { start: selfTest + firmware + (kernel ?? 0), ...rest };
  const between = { ...(loader !== undefined && { loader }), ...(image !== undefined && { image }) };
  return { firmware: selfTest + firmware, ...between, ...(kernel !== undefined && { kernel }), ...rest };
}
