// systemd-boot's entries as text and as values: names with counters, contents, loader.conf. Called by plan-install.ts and
// by what updates and blesses; loader-choice.ts says which entry the loader takes. Pure.
// Sources: UAPI Group, Boot Loader Specification (type #1, boot counting); systemd-boot 257, as tried on OVMF.
import { SlipwayError } from "../../server/contract/errors.ts";
import type { Slot } from "./layout.ts";
import { MOST_INSTALLS, payloadPath } from "./slot-files.ts";

/** Attempts that a new version gets before the loader goes back. */
export const TRIES = 3;

/** One in all entries: `version` decides only where every entry has a sort-key. */
export const SORT_KEY = "slipway";

/**
 * A name such as `slipway-7+2-1.conf`: install 7, two tries left, one done. No `left`: blessed, or never counted; such an
 * entry is never counted down, so one that breaks later is tried for ever.
 */
export type EntryName = { install: number; left?: number; done?: number };

export type EntryText = { title: string; version: string; sortKey: string | undefined; path: string };

const NAME = /^slipway-(\d{1,8})(?:\+(\d{1,3})(?:-(\d{1,3}))?)?\.conf$/;

/** @returns undefined for every name that is not one of ours. */
export function parseEntryName(file: string): EntryName | undefined {
  const match = NAME.exec(file);
  if (match === null) return undefined;
  const [, install, left, done] = match;
  return {
    install: Number(install),
    ...(left === undefined ? {} : { left: Number(left) }),
    ...(done === undefined ? {} : { done: Number(done) }),
  };
}

/** @throws SlipwayError INTERNAL when the install number has more than eight digits or is no count. */
export function formatEntryName({ install, left, done }: EntryName): string {
  if (!Number.isInteger(install) || install < 0 || install > MOST_INSTALLS) {
    throw new SlipwayError("INTERNAL", `install number ${install}; 0 to ${MOST_INSTALLS} are possible`);
  }
  const counter = left === undefined ? "" : `+${left}${done === undefined ? "" : `-${done}`}`;
  return `slipway-${install}${counter}.conf`;
}

/** The entry of one install: a UKI outside EFI/Linux, named by our own number and not by the version inside it. */
export function renderEntry(install: number, osVersion: string): string {
  const title = osVersion.replace(/[^\x20-\x7e]/g, "");
  return [
    `title Slipway OS ${title} (install ${install})`,
    `version ${install}`,
    `sort-key ${SORT_KEY}`,
    `efi ${payloadPath(install, "uki")}`,
    "",
  ].join("\n");
}

/** @returns undefined when the text names no program: the loader skips such an entry. */
export function parseEntry(text: string): EntryText | undefined {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\s*([a-z-]+)\s+(.*?)\s*$/.exec(line);
    if (match !== null) fields.set(match[1]!, match[2]!);
  }
  const path = fields.get("efi") ?? fields.get("linux");
  if (path === undefined) return undefined;
  return {
    title: fields.get("title") ?? "",
    version: fields.get("version") ?? "",
    sortKey: fields.get("sort-key"),
    path,
  };
}

/**
 * The same on both slots. No `default`: with one set, the loader never goes back to the older version. No menu: a machine
 * that waits for a key is a machine that is down; a key held while it starts still shows the menu.
 */
export const LOADER_CONF_TEXT = [
  "timeout 0",
  "editor no",
  "auto-entries no",
  "auto-firmware no",
  "console-mode keep",
  "",
].join("\n");

/** An entry file and the slot that it stands on. */
export type PlacedEntry = { slot: Slot; file: string };

/** `refused` and `none` are outcomes; the reason is for people. */
export type SlotDecision =
  | { kind: "slot"; slot: Slot; install: number; reason: string }
  | { kind: "refused"; reason: string; remedy: string };

const other = (slot: Slot): Slot => (slot === "EFI" ? "BOOT" : "EFI");

/** One more than any number in use, tried or not: a number never names two installs. */
export function nextInstall(entries: readonly PlacedEntry[], atLeast = 0): number {
  const numbers = entries.map(({ file }) => parseEntryName(file)?.install ?? 0);
  return Math.max(atLeast, ...numbers) + 1;
}

/**
 * Which slot the next version goes to: the one that does not run.
 *
 * @param running install number of the running system; undefined when it came over the network, whose slot is EFI.
 */
export function decideSlot(running: number | undefined, entries: readonly PlacedEntry[]): SlotDecision {
  const install = nextInstall(entries);
  if (running === undefined) {
    return { kind: "slot", slot: "EFI", install, reason: "the running system came over the network" };
  }
  const own = entries.filter(({ file }) => parseEntryName(file)?.install === running);
  const [entry] = own;
  if (entry === undefined || own.length > 1) {
    const found = own.length === 0 ? "no entry" : `${own.length} entries`;
    return {
      kind: "refused",
      reason: `${found} for the running install ${running}; its slot is not known, and the wrong one would be overwritten`,
      remedy: "Install the machine anew (`slipway install MAC`).",
    };
  }
  // While the running version is on trial, the other slot holds the one that the loader goes back to.
  if (parseEntryName(entry.file)?.left !== undefined) {
    return {
      kind: "refused",
      reason: `install ${running} is still on trial (${entry.file}); slot ${other(entry.slot)} holds the version to go back to`,
      remedy: "Wait until the node is healthy and its version is blessed, then update again.",
    };
  }
  return { kind: "slot", slot: other(entry.slot), install, reason: `slot ${entry.slot} runs install ${running}` };
}

/** What blessing is: a rename, durable when the file, then its directory, are synced (boot order: docs/install.md). */
export type Blessing =
  | { kind: "rename"; slot: Slot; from: string; to: string }
  | { kind: "blessed" }
  | { kind: "missing"; reason: string };

/** Takes the counter off the running install's entry. */
export function decideBlessing(running: number, entries: readonly PlacedEntry[]): Blessing {
  const own = entries.filter(({ file }) => parseEntryName(file)?.install === running);
  if (own.some(({ file }) => parseEntryName(file)!.left === undefined)) return { kind: "blessed" };
  const [entry] = own;
  if (entry === undefined) return { kind: "missing", reason: `no entry for the running install ${running}` };
  return { kind: "rename", slot: entry.slot, from: entry.file, to: formatEntryName({ install: running }) };
}
