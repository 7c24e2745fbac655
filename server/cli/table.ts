// Text for a tired admin: aligned columns, ages instead of dates, sizes with units. Used by every command's table form.
import { styleText } from "node:util";

/** Sentences go on under themselves in this many columns at least, however narrow the terminal is. */
const LEAST_ROOM = 20;

/** A sentence broken at blanks to fit `width` columns, its further lines indented as its first one stands. */
export function wrap(text: string, indent: number, width: number | undefined): string {
  const room = width === undefined ? Number.POSITIVE_INFINITY : Math.max(LEAST_ROOM, width - indent);
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line !== "" && line.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}

/** Columns stand two blanks apart; a line is cut when the terminal is narrower, so that none wraps. Cells are made {@link plain}. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  widthChars?: number,
): string {
  const all = [head, ...rows.map((cells) => cells.map(plain))];
  const widths = head.map((_, i) => Math.max(...all.map((cells) => (cells[i] ?? "").length)));
  return all
    .map((cells) => cells.map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd(widths[i]!))).join("  "))
    .map((line) => `${cut(line.trimEnd(), widthChars)}\n`)
    .join("");
}

/** `name: value` lines, aligned; what is undefined is left out. Values are made {@link plain}. */
export function renderPairs(pairs: readonly (readonly [string, string | undefined])[], indent = ""): string {
  const shown = pairs.filter((p): p is [string, string] => p[1] !== undefined && p[1] !== "");
  const width = Math.max(0, ...shown.map(([key]) => key.length)) + 1;
  return shown.map(([key, value]) => `${indent}${`${key}:`.padEnd(width)} ${plain(value)}\n`).join("");
}

/** As {@link renderTable}, for a last column of sentences: they go on under themselves instead of being cut. */
export function renderSentences(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  widthChars?: number,
): string {
  const last = head.length - 1;
  const front = renderTable(
    head.slice(0, last),
    rows.map((cells) => cells.slice(0, last)),
  ).split("\n");
  const indent = Math.max(...front.map((line) => line.length)) + 2;
  const sentences = [head, ...rows].map((cells) => wrap(plain(cells[last] ?? ""), indent, widthChars));
  return sentences.map((sentence, i) => `${front[i]!.padEnd(indent)}${sentence}\n`).join("");
}

const cut = (line: string, width: number | undefined): string =>
  width === undefined || line.length <= width ? line : `${line.slice(0, Math.max(1, width - 1))}…`;

/** `12 s`, `3 min`, `5 h`, `2 d`: how long ago, good enough to act on. */
export function age(iso: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(iso)) / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return seconds < 36 * 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** Time since the event before: `+0.84 s`, `+3 min`. */
export function delta(ms: number | undefined): string {
  if (ms === undefined) return "";
  if (ms < 10_000) return `+${(ms / 1000).toFixed(2)} s`;
  if (ms < 90_000) return `+${(ms / 1000).toFixed(1)} s`;
  return ms < 5_400_000 ? `+${Math.round(ms / 60_000)} min` : `+${Math.round(ms / 3_600_000)} h`;
}

const pad = (n: number, digits = 2) => String(n).padStart(digits, "0");
/** Local time of day to the millisecond. */
export const clock = (ms: number): string => {
  const d = new Date(ms);
  return `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}.${pad(d.getMilliseconds(), 3)}`;
};
/** Local date. */
export const day = (ms: number): string => {
  const d = new Date(ms);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
};

export const size = (bytes: number): string =>
  bytes < 10_000
    ? `${bytes} bytes`
    : bytes < 10_000_000
      ? `${Math.round(bytes / 1000)} kB`
      : `${Math.round(bytes / 1e6)} MB`;

/** Names and log lines come from machines: nothing in them may steer the terminal, break a line, or turn its direction. */
export const plain = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => (c === "\t" ? " " : "\ufffd"));

/** Colour only on a terminal, and not when NO_COLOR is set. */
export const paint = (colour: Parameters<typeof styleText>[0], text: string, isTerminal: boolean): string =>
  isTerminal && !process.env.NO_COLOR ? styleText(colour, text, { validateStream: false }) : text;
