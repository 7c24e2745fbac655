// Which entry systemd-boot takes, as a model of its rules. Used by plan tests and by `next`, to say beforehand what the
// machine will start; it decides nothing on the machine itself. Pure.
// Source: systemd-boot 257's ordering and its behaviour on OVMF: entries without tries left come last; then sort-key,
// then version downwards, but only where both have a sort-key; else the file name decides.
import type { Slot } from "./layout.ts";
import { type EntryText, formatEntryName, parseEntry, parseEntryName } from "./loader-entries.ts";

/** What the loader sees of a slot: entry file → text, and path → size of every other file. */
export type LoaderVolume = { entries: ReadonlyMap<string, string>; sizes: ReadonlyMap<string, number> };

export type LoaderChoice =
  | {
      kind: "starts";
      slot: Slot;
      file: string;
      path: string;
      /** The entry's name after the loader has counted down; the same name when it is not counted. */
      fileAfter: string;
    }
  | { kind: "nothing"; reason: string };

type Candidate = { slot: Slot; file: string; id: string; left: number | undefined; done: number; text: EntryText };

/**
 * The entry that is started without anyone at the keyboard.
 *
 * @param from the slot that the loader itself was started from: on EFI it also reads BOOT, on BOOT only itself.
 *   A `default` in loader.conf or a LoaderEntryDefault would overrule all of this: we set neither.
 */
export function chooseEntry(from: Slot, volumes: Partial<Record<Slot, LoaderVolume>>): LoaderChoice {
  const slots: Slot[] = from === "EFI" ? ["EFI", "BOOT"] : ["BOOT"];
  const [first] = slots.flatMap((slot) => candidatesOn(slot, volumes[slot])).sort(compareCandidates);
  if (first === undefined)
    return { kind: "nothing", reason: `no entry with a file behind it on ${slots.join(" or ")}` };
  return {
    kind: "starts",
    slot: first.slot,
    file: first.file,
    path: first.text.path,
    fileAfter: countDown(first.file),
  };
}

/** A missing or empty file behind an entry makes the loader skip it, without counting. */
function candidatesOn(slot: Slot, volume: LoaderVolume | undefined): Candidate[] {
  return [...(volume?.entries ?? [])].flatMap(([file, content]) => {
    const text = parseEntry(content);
    if (!file.endsWith(".conf") || text === undefined || (volume?.sizes.get(text.path) ?? 0) === 0) return [];
    const counter = /^(.*?)(?:\+(\d+)(?:-(\d+))?)?\.conf$/.exec(file)!;
    const left = counter[2] === undefined ? undefined : Number(counter[2]);
    return [{ slot, file, id: counter[1]!, left, done: Number(counter[3] ?? 0), text }];
  });
}

/** Rules in the loader's order; the first that tells two entries apart decides. */
const RULES: readonly ((a: Candidate, b: Candidate) => number)[] = [
  (a, b) => Number(a.left === 0) - Number(b.left === 0),
  (a, b) => Number(a.text.sortKey === undefined) - Number(b.text.sortKey === undefined),
  (a, b) => (bothSorted(a, b) ? compareText(a.text.sortKey!, b.text.sortKey!) : 0),
  (a, b) => (bothSorted(a, b) ? -compareVersions(a.text.version, b.text.version) : 0),
  (a, b) => -compareVersions(a.id, b.id),
  (a, b) => (a.left === undefined || b.left === undefined ? 0 : b.left - a.left),
  (a, b) => a.done - b.done,
];

const bothSorted = (a: Candidate, b: Candidate) => a.text.sortKey !== undefined && b.text.sortKey !== undefined;
const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function compareCandidates(a: Candidate, b: Candidate): number {
  for (const rule of RULES) {
    const difference = rule(a, b);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Numbers by value, other characters by code: what the loader's comparison does with names and numbers like ours. */
export function compareVersions(a: string, b: string): number {
  const parts = (text: string) => text.match(/\d+|\D+/g) ?? [];
  const [left, right] = [parts(a), parts(b)];
  for (let n = 0; n < Math.max(left.length, right.length); n++) {
    const [x, y] = [left[n] ?? "", right[n] ?? ""];
    const areNumbers = /^\d/.test(x) && /^\d/.test(y);
    const difference = areNumbers ? Number(x) - Number(y) : compareText(x, y);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The loader renames before it starts the entry: one try less, one done more. */
function countDown(file: string): string {
  const name = parseEntryName(file);
  if (name?.left === undefined || name.left === 0) return file;
  return formatEntryName({ install: name.install, left: name.left - 1, done: (name.done ?? 0) + 1 });
}
