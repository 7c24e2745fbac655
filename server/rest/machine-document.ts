// A machine as a document for files: `apiVersion`, `kind: Machine`, `metadata`, `spec`, `status`. `export` writes a stream of
// them, `import` (and a later `apply -f`) reads exactly that back; docs/cli.md describes it. `status` is what was observed:
// written for people, ignored when read. Pure.
import { isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, stringify } from "yaml";
import { cellPlace, type FileRow, type FileRows } from "./file-row.ts";
import type { ImportRow, MachineView } from "./schema.ts";

export const API_VERSION = "slipway.dev/v1alpha1";
export const KIND = "Machine";

const SPEC_KEYS = ["macs", "role", "cluster", "address", "boot", "uuid", "serial"] as const;
const TOP_KEYS = ["apiVersion", "kind", "metadata", "spec", "status"];

/** What a person decided is `spec`; the rest is `status`. */
export function machineDocument(m: MachineView) {
  const { macs, role, cluster, address, boot, uuid, serial } = m;
  const { lifecycle, activity, seenAt, product, arch } = m;
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { ...(m.name === undefined ? {} : { name: m.name }) },
    spec: { macs, role, cluster, address, boot, uuid, serial },
    status: { lifecycle, activity, seenAt, product, arch },
  };
}

/** Documents separated by `---`, in the order given. */
export const formatDocuments = (machines: readonly MachineView[]): string =>
  machines.map((m) => `---\n${stringify(JSON.parse(JSON.stringify(machineDocument(m))))}`).join("");

/** Reads a stream of documents. Faults of form are listed; values are judged by the appliance. */
export function parseDocuments(text: string): FileRows {
  const lineCounter = new LineCounter();
  const result: FileRows = { rows: [], faults: [] };
  const placeOf = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false, uniqueKeys: true });
  if (!Array.isArray(documents)) return result;
  for (const document of documents) {
    for (const e of document.errors)
      result.faults.push({ ...placeOf(e.pos[0]), at: "", message: `not valid YAML: ${e.message}` });
    if (document.errors.length > 0 || document.contents === null) continue;
    readDocument(document.contents as Node, placeOf, result);
  }
  return result;
}

type PlaceOf = (offset: number) => { line: number; column: number };

function readDocument(root: Node, placeOf: PlaceOf, result: FileRows): void {
  const complain = (node: Node | undefined, at: string, message: string) =>
    result.faults.push({ ...placeOf(node?.range?.[0] ?? root.range?.[0] ?? 0), at, message });
  if (!isMap(root))
    return void complain(root, "", "must be a Machine document (a map with apiVersion, kind, metadata, spec)");
  const top = keysOf(root, TOP_KEYS, "", complain);
  expectWord(top.get("apiVersion"), root, "apiVersion", API_VERSION, complain);
  expectWord(top.get("kind"), root, "kind", KIND, complain);
  const row: FileRow = { row: { macs: [] }, places: {}, ...placeOf(root.range?.[0] ?? 0) };
  const metadata = top.get("metadata");
  if (isMap(metadata)) fill(row, keysOf(metadata, ["name"], "metadata.", complain), placeOf, complain);
  const spec = top.get("spec");
  if (!isMap(spec)) return void complain(spec, "spec", "must be a map with at least macs");
  fill(row, keysOf(spec, SPEC_KEYS, "spec.", complain), placeOf, complain);
  result.rows.push(row);
}

type Complain = (node: Node | undefined, at: string, message: string) => unknown;

function keysOf(map: Node, known: readonly string[], prefix: string, complain: Complain): Map<string, Node> {
  const keys = new Map<string, Node>();
  if (!isMap(map)) return keys;
  for (const { key, value } of map.items) {
    const name = isScalar(key) ? String(key.value) : "?";
    if (known.includes(name)) keys.set(name, value as Node);
    else complain(key as Node, `${prefix}${name}`, `no such key; known here: ${known.join(", ")}`);
  }
  return keys;
}

function expectWord(node: Node | undefined, root: Node, at: string, want: string, complain: Complain): void {
  const found = isScalar(node) ? node.value : undefined;
  if (found !== want) complain(node ?? root, at, `must be ${want}, found ${JSON.stringify(found) ?? "nothing"}`);
}

/** Copies values as text, each with its place. */
function fill(row: FileRow, keys: Map<string, Node>, placeOf: PlaceOf, complain: Complain): void {
  for (const [key, node] of keys) {
    row.places[key] = placeOf(node?.range?.[0] ?? 0);
    if (key === "macs") {
      const items = isSeq(node) ? node.items : [node];
      row.row.macs = items.flatMap((item) => (isScalar(item) && item.value !== null ? [String(item.value)] : []));
      if (row.row.macs.length !== items.length) complain(node, "spec.macs", "must be a list of MACs");
    } else if (isScalar(node)) {
      if (node.value !== null) row.row[key as Exclude<keyof ImportRow, "macs">] = String(node.value);
    } else complain(node, cellPlace(key), "must be one value");
  }
}
