// Machines as CSV (RFC 4180): a head line, one machine a line. Each value keeps its line and column, which no CSV library
// tells, and which an import's faults need. Pure.
import type { FileFault, FileRow, FileRows, Place } from "./file-row.ts";
import type { ImportRow, MachineView } from "./schema.ts";

const COLUMNS = ["mac", "role", "cluster", "name", "address", "boot", "uuid", "serial"] as const;
type Cell = Place & { text: string };

/** Lines of cells. Quotes may hold commas, quotes ("") and line breaks; a missing closing quote is a fault. */
export function splitCsv(text: string): { lines: Cell[][]; fault?: FileFault } {
  const lines: Cell[][] = [];
  let cells: Cell[] = [];
  let at: Place = { line: 1, column: 1 };
  let rest = text.replace(/^\uFEFF/, "");
  while (rest.length > 0) {
    const quoted = /^[ \t]*"((?:[^"]|"")*)"[ \t]*(?=[,\r\n]|$)/.exec(rest);
    if (!quoted && /^[ \t]*"/.test(rest)) {
      return { lines, fault: { ...at, at: "", message: 'a quote (") without its end, or with text after it' } };
    }
    const whole = quoted ? quoted[0] : /^[^,\r\n]*/.exec(rest)![0];
    const indent = whole.length - whole.trimStart().length;
    cells.push({
      line: at.line,
      column: at.column + indent,
      text: quoted ? quoted[1]!.replaceAll('""', '"') : whole.trim(),
    });
    const end = /^(,|\r\n|\n|\r|$)/.exec(rest.slice(whole.length))![0];
    at = advance(at, whole + end);
    rest = rest.slice(whole.length + end.length);
    if (end === ",") {
      if (rest.length === 0) cells.push({ ...at, text: "" });
      continue;
    }
    lines.push(cells);
    cells = [];
  }
  if (cells.length > 0) lines.push(cells);
  return { lines };
}

function advance({ line, column }: Place, text: string): Place {
  const breaks = text.match(/\r\n|\n|\r/g)?.length ?? 0;
  return breaks === 0
    ? { line, column: column + text.length }
    : { line: line + breaks, column: text.length - Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r")) };
}

/** Reads the table. Several MACs of one machine stand in one cell, separated by blanks. `#` begins a comment line. */
export function parseCsv(text: string): FileRows {
  const { lines, fault } = splitCsv(text);
  const result: FileRows = { rows: [], faults: fault ? [fault] : [] };
  const [head, ...body] = lines.filter((cells) => cells.some((c) => c.text !== "") && !cells[0]!.text.startsWith("#"));
  if (head === undefined) return result;
  const columns = head.map((cell) => cell.text.toLowerCase());
  result.faults.push(...headFaults(head, columns));
  for (const cells of body) readRow(cells, columns, result);
  return result;
}

/** A file without a head line gets one sentence, not one for each of its values. */
function headFaults(head: Cell[], columns: string[]): FileFault[] {
  const given = columns.join(",");
  if (!columns.includes("mac"))
    return [
      { ...place(head[0]!), at: "", message: `the first line must name the columns, mac among them; found "${given}"` },
    ];
  return head.flatMap((cell, i): FileFault[] => {
    const name = columns[i]!;
    if (!(COLUMNS as readonly string[]).includes(name))
      return [{ ...place(cell), at: cell.text, message: `no such column; known: ${COLUMNS.join(", ")}` }];
    return columns.indexOf(name) < i ? [{ ...place(cell), at: cell.text, message: "this column is given twice" }] : [];
  });
}

const place = ({ line, column }: Cell): Place => ({ line, column });

function readRow(cells: Cell[], columns: string[], result: FileRows): void {
  const row: FileRow = { ...place(cells[0]!), row: { macs: [] }, places: {} };
  if (cells.length > columns.length) {
    const extra = cells[columns.length]!;
    result.faults.push({
      ...place(extra),
      at: "",
      message: `${cells.length} cells, but the first line names ${columns.length}`,
    });
  }
  cells.slice(0, columns.length).forEach((cell, i) => {
    const key = columns[i] === "mac" ? "macs" : columns[i]!;
    row.places[key] = place(cell);
    if (key !== "macs" && !(COLUMNS as readonly string[]).includes(key)) return;
    if (key === "macs") row.row.macs = cell.text.split(/\s+/).filter((t) => t !== "");
    else if (cell.text !== "") row.row[key as Exclude<keyof ImportRow, "macs">] = cell.text;
  });
  result.rows.push(row);
}

/** The table that {@link parseCsv} reads back. */
export function formatCsv(machines: readonly MachineView[]): string {
  const lines = machines.map((m) => [m.macs.join(" "), m.role, m.cluster, m.name, m.address, m.boot, m.uuid, m.serial]);
  return [[...COLUMNS], ...lines].map((cells) => `${cells.map(quote).join(",")}\n`).join("");
}

const quote = (cell: string | undefined): string =>
  cell === undefined ? "" : /[",\r\n#]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
