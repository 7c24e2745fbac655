// The firmware's boot entries, planned at install and never again: loader on EFI, three copies of it under other names,
// loader on BOOT, network, then whatever else was there. Called by plan-install.ts. Pure: variables in, writes out.
// Every entry of ours that is right is kept under its number, so that five installs leave no duplicate.
import { type DevicePathNode, isNetworkNode } from "./efi-device-path.ts";
import {
  BOOT_ORDER,
  bootVariable,
  decodeBootOrder,
  decodeLoadOption,
  encodeBootOrder,
  encodeLoadOption,
  LOAD_OPTION,
  type LoadOption,
  parseBootVariable,
} from "./efi-load-option.ts";
import type { Layout, Slot } from "./layout.ts";
import { LOADER_COPIES, LOADER_ON_BOOT } from "./slot-files.ts";

/** efivarfs file name → its bytes; only Boot#### and BootOrder are looked at. */
export type BootVariables = ReadonlyMap<string, Uint8Array>;

/** In this order: entries first, so that BootOrder never names one that is not there; stale ones of ours go last. */
export type VariableStep =
  | { kind: "write"; variable: string; bytes: Uint8Array; why: string }
  | { kind: "remove"; variable: string; why: string };

type Entry = { number: number; option: LoadOption };

/** All descriptions of ours start with this; it is also how a stale one of an earlier install is known. */
const NAME = "Slipway OS";

/** Names in the firmware's menu, for people: what each one is. */
const wantedOptions = (layout: Layout): LoadOption[] => {
  const option = (slot: Slot, path: string, description: string): LoadOption => ({
    attributes: LOAD_OPTION.active,
    description,
    path: pathTo(layout, slot, path),
    data: new Uint8Array(0),
  });
  const copies = LOADER_COPIES.map((path, n) => option("EFI", path, n === 0 ? NAME : `${NAME} (again ${n})`));
  return [...copies, option("BOOT", LOADER_ON_BOOT, `${NAME} (second slot)`)];
};

function pathTo(layout: Layout, slot: Slot, path: string): DevicePathNode[] {
  const partition = layout.gpt.partitions.find(({ label }) => label === slot)!;
  return [
    {
      kind: "hard-drive",
      partition: partition.number,
      firstLba: partition.firstLba,
      lbas: partition.lastLba - partition.firstLba + 1,
      guid: partition.guid,
    },
    { kind: "file", path },
  ];
}

/**
 * What must be written so that the firmware starts this disk first, then the network.
 *
 * @param variables all of efivarfs.
 * @returns [] when everything is there. An order that lists all of ours, in our order among themselves, is a person's if
 *   others stand before them (network first), and stays as it is.
 */
export function planBootOrder(variables: BootVariables, layout: Layout): VariableStep[] {
  const entries = readEntries(variables);
  const placed = placeOptions(variables, entries, wantedOptions(layout));
  const steps = placed.flatMap(({ number, option, isThere }): VariableStep[] => {
    if (isThere) return [];
    return [
      { kind: "write", variable: nameOf(variables, number), bytes: encodeLoadOption(option), why: option.description },
    ];
  });
  const ours = placed.map(({ number }) => number);
  const stale = entries.filter((entry) => isOurs(entry) && !ours.includes(entry.number));
  const staleNumbers = stale.map(({ number }) => number);
  const before = decodeBootOrder(variables.get(BOOT_ORDER));
  const order = orderOf(before, entries, ours, staleNumbers);
  if (!isSame(order, before)) {
    steps.push({ kind: "write", variable: BOOT_ORDER, bytes: encodeBootOrder(order), why: "boot order" });
  }
  return [...steps, ...removals(variables, stale)];
}

/** Removing what an install left: entries of ours go, the order loses them, the rest is as it was. */
export function planBootOrderRemoval(variables: BootVariables): VariableStep[] {
  const stale = readEntries(variables).filter(isOurs);
  const numbers = new Set(stale.map(({ number }) => number));
  const before = decodeBootOrder(variables.get(BOOT_ORDER));
  const after = before.filter((number) => !numbers.has(number));
  const order: VariableStep[] = isSame(before, after)
    ? []
    : [{ kind: "write", variable: BOOT_ORDER, bytes: encodeBootOrder(after), why: "boot order" }];
  return [...order, ...removals(variables, stale)];
}

/** `partial` and `none` do not fail an install: the firmware finds BOOTX64.EFI or BOOTAA64.EFI by itself. */
export type BootOrderOutcome =
  | { kind: "whole" }
  | { kind: "partial" | "none"; missing: string[]; reason: string; remedy: string };

/**
 * Judges what the firmware really kept, after the writes.
 * @param variables read back; writes that the firmware refused (`ENOSPC`, `EIO`) are simply not in them.
 */
export function judgeBootOrder(variables: BootVariables, layout: Layout): BootOrderOutcome {
  const order = decodeBootOrder(variables.get(BOOT_ORDER));
  const entries = readEntries(variables).filter(({ number }) => order.includes(number));
  const missing = wantedOptions(layout).filter((option) => !entries.some((entry) => isEqual(entry.option, option)));
  if (missing.length === 0) return { kind: "whole" };
  const names = missing.map(({ description }) => description);
  const all = wantedOptions(layout).length;
  return {
    kind: missing.length === all ? "none" : "partial",
    missing: names,
    reason: `the firmware kept ${all - missing.length} of ${all} boot entries (missing: ${names.join(", ")})`,
    remedy:
      "The machine still starts by the loader's default name. Remove boot entries that nobody needs in the firmware's setup, or reset its settings, then run `slipway install MAC`.",
  };
}

function readEntries(variables: BootVariables): Entry[] {
  return [...variables]
    .flatMap(([name, bytes]): Entry[] => {
      const number = parseBootVariable(name);
      const reading = number === undefined ? undefined : decodeLoadOption(bytes);
      return reading?.kind === "option" ? [{ number: number!, option: reading.option }] : [];
    })
    .sort((a, b) => a.number - b.number);
}

/** By what it starts, not only by its name: some firmware rewrites descriptions. */
function isOurs({ option }: Entry): boolean {
  const file = option.path.find((node) => node.kind === "file");
  const path = file?.kind === "file" ? file.path.toLowerCase() : "";
  return LOADER_COPIES.some((copy) => copy.toLowerCase() === path) || option.description.startsWith(NAME);
}

type Placed = { number: number; option: LoadOption; isThere: boolean };

/** An equal entry keeps its number; another one of ours is written over; only then a new number is taken. */
function placeOptions(variables: BootVariables, entries: readonly Entry[], wanted: readonly LoadOption[]): Placed[] {
  const taken = new Set<number>();
  const equal = wanted.map((option) => {
    const entry = entries.find(({ number, option: there }) => !taken.has(number) && isEqual(there, option));
    if (entry !== undefined) taken.add(entry.number);
    return entry?.number;
  });
  return wanted.map((option, index) => {
    const number = equal[index];
    if (number !== undefined) return { number, option, isThere: true };
    const reused = entries.find((entry) => isOurs(entry) && !taken.has(entry.number))?.number;
    const chosen = reused ?? freeNumber(variables, taken);
    taken.add(chosen);
    return { number: chosen, option, isThere: false };
  });
}

/** A damaged entry of somebody else's is not read, yet its number is not free. */
function freeNumber(variables: BootVariables, taken: ReadonlySet<number>): number {
  const used = new Set([...[...variables.keys()].map(parseBootVariable), ...taken]);
  let number = 0;
  while (used.has(number)) number++;
  return number;
}

/** Ours, then the network's as they stood to each other, then the rest; what BootOrder did not list stays out. */
function orderOf(
  before: readonly number[],
  entries: readonly Entry[],
  ours: readonly number[],
  stale: readonly number[],
): number[] {
  const kept = [...new Set(before)].filter((number) => !stale.includes(number));
  const isPersons = isSame(
    kept.filter((number) => ours.includes(number)),
    ours,
  );
  if (isPersons) return kept;
  const isNetwork = (number: number) =>
    entries.find((entry) => entry.number === number)?.option.path.some(isNetworkNode) ?? false;
  const rest = kept.filter((number) => !ours.includes(number));
  return [...ours, ...rest.filter(isNetwork), ...rest.filter((number) => !isNetwork(number))];
}

/** A variable's name as it stands in efivarfs: firmware may have written the digits in lower case. */
const nameOf = (variables: BootVariables, number: number): string =>
  [...variables.keys()].find((name) => parseBootVariable(name) === number) ?? bootVariable(number);

function removals(variables: BootVariables, stale: readonly Entry[]): VariableStep[] {
  return stale.map(({ number, option }) => ({
    kind: "remove",
    variable: nameOf(variables, number),
    why: `${option.description}: an earlier install's`,
  }));
}

/** Data behind the path is the firmware's own business (some adds to ours), so it does not count. */
function isEqual(a: LoadOption, b: LoadOption): boolean {
  const bytes = (option: LoadOption) => encodeLoadOption({ ...option, data: new Uint8Array(0) });
  return Buffer.compare(bytes(a), bytes(b)) === 0;
}

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((number, index) => number === b[index]);
