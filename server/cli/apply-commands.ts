// `apply` and `config`: documents in, machine configs out.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../contract/errors.ts";
import type { AppliedView, ApplyBody, ConfigView } from "../rest/cluster-schema.ts";
import { type CommonOptions, openDesk, show } from "./output.ts";

export type ApplyOptions = CommonOptions & { file: string[]; dryRun?: boolean };
type File = ApplyBody["files"][number];

const MAX_BYTES = 6 * 2 ** 20;

/** @throws BAD_IMPORT with every fault as `FILE:line:column: path: words`; then nothing was written. */
export async function runApply(options: ApplyOptions): Promise<void> {
  const files = options.file.flatMap(readPath);
  const sum = files.reduce((bytes, file) => bytes + file.text.length, 0);
  if (sum > MAX_BYTES)
    throw new SlipwayError("BAD_IMPORT", `the files have ${sum} bytes together, at most ${MAX_BYTES} are read`, {
      remedy: "Apply them in several parts.",
    });
  const desk = await openDesk(options);
  const body: ApplyBody = { files, ...(options.dryRun ? { dryRun: true } : {}) };
  const result = await desk.client.post<AppliedView>("/v1/apply", body);
  await show(desk, result, () => applyPage(result));
}

export function applyPage({ applied, endpoints, dryRun }: AppliedView): string {
  const would = dryRun ? "would be " : "";
  const lines = applied.map(({ kind, name, change, what }) => {
    const word = change === "unchanged" ? "unchanged" : `${would}${change}`;
    return `${kind.toLowerCase()} ${name}: ${word}${what.length > 0 ? ` (${what.join(", ")})` : ""}\n`;
  });
  const chosen = endpoints.map(
    ({ cluster, endpoint, reason }) => `cluster ${cluster}: endpoint ${endpoint} (${reason})\n`,
  );
  const isClusterChanged = applied.some((a) => a.kind !== "Machine" && a.change === "changed");
  const note = isClusterChanged
    ? "Machines that are installed keep their config until they are installed again.\n"
    : "";
  return [...lines, ...chosen, note].join("");
}

function readPath(path: string): File[] {
  try {
    if (path === "-") return [readText("/dev/stdin", "stdin")];
    if (!statSync(path).isDirectory()) return [readText(path)];
    const names = readdirSync(path).filter((name) => /\.ya?ml$/.test(name));
    if (names.length > 0) return names.sort().map((name) => readText(join(path, name)));
  } catch (cause) {
    if (cause instanceof SlipwayError) throw cause;
    throw new SlipwayError("BAD_IMPORT", `${path}: ${(cause as Error).message}`, {
      cause,
      remedy: "Name a file or a directory that exists and that this user may read.",
    });
  }
  throw new SlipwayError("BAD_IMPORT", `${path}: holds no .yaml file`, {
    remedy: "docs/clusters.md shows what such a file looks like.",
  });
}

function readText(path: string, name = path): File {
  try {
    return { name, text: new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path)) };
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new SlipwayError("BAD_IMPORT", `${name}: is no UTF-8 text`, { remedy: "Save the file as UTF-8." });
  }
}

export async function runConfig(ref: string, options: CommonOptions): Promise<void> {
  const desk = await openDesk(options);
  const config = await desk.client.get<ConfigView>(`/v1/machines/${encodeURIComponent(ref)}/config`);
  if (options.output === "json") return show(desk, config, () => "");
  desk.print(config.text);
  for (const { line, column, path, message } of config.notes) desk.note(`${line}:${column}: ${path}: ${message}\n`);
}
