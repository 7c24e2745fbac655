// A machine as one row of an import file, with the place of each value in that file, so that the appliance's faults
// (`rows.3.role`) become `machines.csv:5:8: role`. Made by machine-csv.ts and machine-document.ts, used by the CLI. Pure.
import type { Fault } from "../contract/errors.ts";
import type { ImportRow } from "./schema.ts";

/** Both from 1. */
export type Place = { line: number; column: number };
export type FileRow = Place & { row: ImportRow; places: Record<string, Place> };
export type FileFault = Place & Fault;
export type FileRows = { rows: FileRow[]; faults: FileFault[] };

/** Where a value stands inside a Machine document. */
export const cellPlace = (key: string): string => (key === "name" ? "metadata.name" : `spec.${key}`);

/** The appliance's `rows.3.role` → line and column of that value in the file; other faults stand at the first line. */
export function placeFault({ at, message }: Fault, rows: readonly FileRow[]): FileFault {
  const [, index, key] = /^rows\.(\d+)\.(\w+)$/.exec(at) ?? [];
  const row = rows[Number(index)];
  if (row === undefined || key === undefined) return { line: 1, column: 1, at, message };
  // Only the appliance counts rows; the reader of a file counts lines.
  const words = message.replace(
    /stands in row (\d+) already/,
    (_, n) => `stands in line ${rows[Number(n) - 1]?.line} already`,
  );
  return { ...(row.places[key] ?? { line: row.line, column: row.column }), at: key, message: words };
}

/** `machines.csv:5:8: role: must be …`, in the order of the file. */
export const formatFaults = (fileName: string, faults: readonly FileFault[]): string[] =>
  faults
    .toSorted((a, b) => a.line - b.line || a.column - b.column)
    .map(({ line, column, at, message }) => `${fileName}:${line}:${column}: ${at === "" ? "" : `${at}: `}${message}`);
