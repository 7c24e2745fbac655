// `import` and `export`: the inventory as a file.
import { readFileSync, statSync } from "node:fs";
import { SlipwayError } from "../contract/errors.ts";
import { type FileFault, type FileRows, formatFaults, placeFault } from "../rest/file-row.ts";
import type { ImportResult } from "../rest/schema.ts";
import { nextSteps } from "./machine-table.ts";
import { type CommonOptions, type Desk, openDesk, show } from "./output.ts";

const MAX_FILE_BYTES = 8 * 2 ** 20;

export type ImportOptions = CommonOptions & { approve?: boolean; dryRun?: boolean };

/**
 * Checks the file's form here and its values in the appliance, and tells all faults together.
 * @throws BAD_IMPORT with a `FILE:line:column` for each fault; then nothing was written.
 */
export async function runImport(file: string, options: ImportOptions): Promise<void> {
  const read = await parseFile(file);
  const desk = await openDesk(options);
  if (read.rows.length === 0 && read.faults.length === 0)
    throw new SlipwayError("BAD_IMPORT", `${file}: holds no machine`, {
      remedy: "`slipway export` writes what such a file looks like.",
    });
  if (read.faults.length > 0) {
    const more = read.rows.length === 0 ? [] : await faultsOfValues(desk, read, options);
    throw badImport(file, [...read.faults, ...more]);
  }
  try {
    await showResult(desk, await send(desk, read, options, options.dryRun === true));
  } catch (fault) {
    throw placed(file, fault, read);
  }
}

async function parseFile(file: string): Promise<FileRows> {
  const text = readText(file);
  if (file.endsWith(".csv")) return (await import("../rest/machine-csv.ts")).parseCsv(text);
  if (/\.ya?ml$/.test(file)) return (await import("../rest/machine-document.ts")).parseDocuments(text);
  throw new SlipwayError("BAD_REQUEST", `${file}: must end in .csv or .yaml`, {
    remedy: "Rename the file: its ending says how it is read.",
  });
}

function readText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > MAX_FILE_BYTES)
      throw new SlipwayError("BAD_IMPORT", `${file}: has ${size} bytes, at most ${MAX_FILE_BYTES} are read`, {
        remedy: "Import it in several parts.",
      });
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (cause) {
    if (cause instanceof SlipwayError) throw cause;
    throw new SlipwayError("BAD_IMPORT", `${file}: ${(cause as Error).message}`, {
      cause,
      remedy: "Name a file that exists and is UTF-8 text.",
    });
  }
}

const send = (desk: Desk, { rows }: FileRows, { approve }: ImportOptions, dryRun: boolean): Promise<ImportResult> =>
  desk.client.post("/v1/machines/import", { rows: rows.map((r) => r.row), dryRun, ...(approve ? { approve } : {}) });

/** A file of wrong form is not imported, but its readable rows are judged too, so that one round of corrections is enough. */
async function faultsOfValues(desk: Desk, read: FileRows, options: ImportOptions): Promise<FileFault[]> {
  try {
    await send(desk, read, options, true);
    return [];
  } catch (fault) {
    if (fault instanceof SlipwayError && fault.faults.length > 0)
      return fault.faults.map((f) => placeFault(f, read.rows));
    throw fault;
  }
}

const placed = (file: string, fault: unknown, { rows }: FileRows): unknown =>
  fault instanceof SlipwayError && fault.faults.length > 0
    ? badImport(
        file,
        fault.faults.map((f) => placeFault(f, rows)),
      )
    : fault;

const badImport = (file: string, faults: readonly FileFault[]): SlipwayError =>
  new SlipwayError("BAD_IMPORT", formatFaults(file, faults).join("\n"));

async function showResult(desk: Desk, result: ImportResult): Promise<void> {
  const { created, changed, unchanged, dryRun, machines } = result;
  const would = dryRun ? "would be " : "";
  await show(
    desk,
    result,
    () => `${created} ${would}created, ${changed} ${would}changed, ${unchanged} unchanged\n${nextSteps(machines)}`,
  );
}

export type ExportOptions = Omit<CommonOptions, "output"> & { output: "yaml" | "json" | "csv"; site?: boolean };

/** YAML and CSV are what `import` reads back; JSON is the list for programs. */
export async function runExport(options: ExportOptions): Promise<void> {
  const desk = await openDesk({ ...options, output: "json" });
  if (options.site && options.output !== "yaml")
    throw new SlipwayError("BAD_REQUEST", `--site: is written as yaml only, found -o ${options.output}`, {
      remedy: "Leave -o out.",
    });
  if (options.site) return desk.print(await desk.client.getText("/v1/export/site"));
  if (options.output === "json") {
    const { machines } = await desk.client.get<{ machines: unknown[] }>("/v1/machines");
    return show(desk, machines, () => "");
  }
  desk.print(await desk.client.getText("/v1/export/machines", { format: options.output }));
}
