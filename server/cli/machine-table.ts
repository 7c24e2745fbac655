// Machines for people: the table, the page of one machine, and what to do next.
import type { MachineView } from "../rest/schema.ts";
import { age, plain, renderPairs, renderTable } from "./table.ts";

const HEAD = ["MAC", "NAME", "ROLE", "ADDRESS", "STATE", "NOW", "READY", "SEEN", "STEP"];
const BEFORE = [
  "No machine is known yet.",
  "Power one on in a network that this appliance serves (`slipway status` shows which), or write one down:",
  "  slipway set 52:54:00:12:34:56 --role worker --approve",
  "",
].join("\n");

const orDash = (text: string | undefined): string => (text === undefined || text === "" ? "-" : text);

/** The named ones first, then by MAC: the same machine stands at the same place each time. */
export function machineTable(machines: readonly MachineView[], now: number, width?: number): string {
  if (machines.length === 0) return BEFORE;
  const sorted = machines.toSorted(
    (a, b) => Number(b.name !== undefined) - Number(a.name !== undefined) || BY_NAME.compare(sortKey(a), sortKey(b)),
  );
  const rows = sorted.map((m) => [
    m.macs[0]! + (m.macs.length > 1 ? ` +${m.macs.length - 1}` : ""),
    orDash(m.name),
    orDash(m.role),
    orDash(m.address ?? m.leasedAddress),
    m.lifecycle,
    m.activity,
    readyWord(m),
    isUnseen(m) ? "never" : age(m.seenAt, now),
    stepOf(m),
  ]);
  return renderTable(HEAD, rows, width) + failures(sorted) + nextSteps(sorted);
}

/** Of a node of a cluster; a word that is not heard now is in brackets. */
function readyWord(m: MachineView): string {
  if (m.live?.node !== undefined)
    return m.live.node.isReady ? `yes${m.live.node.holdsEndpoint ? ", endpoint" : ""}` : "no";
  if (m.lifecycle === "ready") return "(yes)";
  return m.lifecycle === "installed" ? "(no)" : "-";
}

/** What it does or lacks, in words, with bytes and time left. */
function stepOf(m: MachineView): string {
  if (m.verb !== undefined) return `${m.verb.verb} ordered`;
  if (m.activityReason !== undefined) return m.activityReason;
  return m.live?.node?.reason ?? "";
}

/** A machine that a person wrote down has the time of that until the wire shows it; what boots is at least "firmware". */
const isUnseen = (m: MachineView): boolean =>
  m.seenAt === m.createdAt &&
  m.activity === "off" &&
  (m.name ?? m.role ?? m.address ?? m.boot ?? m.approvedAt) !== undefined;

/** node2 stands before node10. */
const BY_NAME = new Intl.Collator("en", { numeric: true });
const sortKey = (m: MachineView): string => m.name ?? m.macs[0]!;

/** Why they failed, in full: the table has no room for it. */
function failures(machines: readonly MachineView[]): string {
  const failed = machines.filter((m) => m.activity === "failed");
  return (
    failed.map((m) => `\n${m.name ?? m.macs[0]} failed: ${plain(m.activityReason ?? "no reason was given")}`).join("") +
    (failed.length > 0 ? "\n" : "")
  );
}

/** The one thing to do next, with the command. */
export function nextSteps(machines: readonly MachineView[]): string {
  const waiting = machines.filter((m) => m.lifecycle === "discovered" && m.role === undefined);
  const ready = machines.filter((m) => m.lifecycle === "discovered" && m.role !== undefined);
  const roleless = machines.filter((m) => m.lifecycle === "approved" && m.role === undefined);
  const list = (some: readonly MachineView[], separator: string) =>
    [...some.slice(0, 3).map(sortKey), ...(some.length > 3 ? ["…"] : [])].join(separator);
  const lines = [
    ...(waiting.length > 0
      ? [`${count(waiting)} for approval: slipway set ${list(waiting, ",")} --role worker --approve`]
      : []),
    ...(ready.length > 0 ? [`${count(ready)} for approval: slipway approve ${list(ready, " ")}`] : []),
    ...(roleless.length > 0 ? [`${count(roleless)} for a role: slipway set ${list(roleless, ",")} --role worker`] : []),
  ];
  return lines.length === 0 ? "" : `\n${lines.join("\n")}\n`;
}
const count = (some: readonly unknown[]) => (some.length === 1 ? "1 machine waits" : `${some.length} machines wait`);

const reservation = (m: MachineView): string =>
  m.lifecycle === "discovered" ? "reserved as soon as it is approved" : "reserved";

/** Everything about one machine. */
export function machinePage(m: MachineView, now: number): string {
  const ago = (iso: string | undefined) => (iso === undefined ? undefined : `${age(iso, now)} ago (${iso})`);
  const approved = m.approvedAt === undefined ? undefined : `${ago(m.approvedAt)} by ${m.approvedBy ?? "?"}`;
  return renderPairs([
    ["name", m.name ?? "-"],
    ["macs", m.macs.join(" ")],
    ["id", m.id],
    ["role", m.role ?? "-"],
    ["cluster", m.cluster],
    ["address", m.address === undefined ? undefined : `${m.address} (${reservation(m)})`],
    ["has now", m.leasedAddress],
    ["boot", m.boot],
    ["state", m.lifecycle],
    ["now", m.activityReason === undefined ? m.activity : `${m.activity}: ${m.activityReason}`],
    ["node", nodeWords(m)],
    ["runs from", m.live?.bootSource],
    ["ordered", m.verb && `${m.verb.verb}, ${ago(isoOf(m.verb.at))}`],
    ["install", m.install && installWords(m.install, ago)],
    ["installed", m.installation && installationWords(m.installation, ago)],
    ["to disk", m.diskBoots === undefined ? undefined : `${m.diskBoots} times in a row without its agent being heard`],
    ["pairing code", m.pairingCode],
    ["firmware", [m.firmware, m.arch].filter(Boolean).join(", ")],
    ["product", m.product],
    ["serial", m.serial],
    ["uuid", m.uuid],
    ["would install", m.installDisk],
    ["key", m.keyFingerprint && `sha256 ${m.keyFingerprint}`],
    ["approved", approved],
    ["known since", ago(m.createdAt)],
    ["last seen", isUnseen(m) ? "never" : ago(m.seenAt)],
  ]);
}

type Ago = (iso: string) => string | undefined;
const isoOf = (ms: number): string => new Date(ms).toISOString();

function nodeWords({ live }: MachineView): string | undefined {
  if (live?.node === undefined) return undefined;
  const { isReady, reason, holdsEndpoint } = live.node;
  return (isReady ? "Ready" : `not Ready: ${reason}`) + (holdsEndpoint ? ", holds the cluster's endpoint" : "");
}

function installWords(install: NonNullable<MachineView["install"]>, ago: Ago): string {
  const { orderedAt, mayWipe, isConfigGiven, failure } = install;
  const words = [
    `ordered ${ago(isoOf(orderedAt))}`,
    mayWipe && "may wipe the disk",
    isConfigGiven && "has its config",
    failure && `cannot go on: ${failure.reason}${failure.remedy === "" ? "" : ` (${failure.remedy})`}`,
  ];
  return words.filter(Boolean).join(", ");
}

const installationWords = ({ number, disk, at }: NonNullable<MachineView["installation"]>, ago: Ago): string =>
  `${disk === "" ? "" : `on ${disk}, `}install ${number}, ${ago(isoOf(at))}`;
