// Files of Cluster, Role and Machine documents → topology, or every fault with file, line and column. `slipway apply` calls
// it. A patch is read by the machine config's own table, so that a mistyped field is told at its line, before any machine
// has been given it. Pure.
import { isMap, isSeq, type Node, type YAMLMap } from "yaml";
import { SlipwayError } from "../contract/errors.ts";
import { DOCUMENTS, type DocumentKind, V1ALPHA1 } from "../contract/machine-config/fields.ts";
import { nearest } from "../contract/machine-config/nearest.ts";
import { type Path, pathText, visit, type Walk } from "../contract/machine-config/walk.ts";
import { type Place, readYamlStream } from "../contract/machine-config/yaml-stream.ts";
import { secretSpots } from "./mask-secrets.ts";
import { CLUSTER_DEFAULTS, type Cluster, type Machine, type Role } from "./topology.ts";
import { crossFaults, type Entry } from "./topology-checks.ts";
import { KINDS, type Kind } from "./topology-fields.ts";

export type TopologyFile = { name: string; text: string };
export type TopologyFault = Place & { file: string; path: string; message: string };
export type Topology = { clusters: Cluster[]; roles: Role[]; machines: Machine[] };
export type ParsedTopology = ({ kind: "topology" } & Topology) | { kind: "faults"; faults: TopologyFault[] };
/** Makes a fault of what is found out later, at the place of a field of a document. */
export type FaultAt = (kind: Kind, name: string, path: string, message: string) => TopologyFault;
export type ReadTopology = { parsed: ParsedTopology; faultAt: FaultAt };

/**
 * Reads all files together. Names may lead from one to another, or to what is `known` already.
 * @param known names of clusters and roles that exist outside these files.
 */
export function readTopology(
  files: readonly TopologyFile[],
  known: { clusters: readonly string[]; roles: readonly string[] } = { clusters: [], roles: [] },
): ReadTopology {
  const faults: TopologyFault[] = [];
  const entries: Entry[] = [];
  for (const file of files) readFile(file, entries, faults);
  faults.push(...crossFaults(entries, known));
  const faultAt: FaultAt = (kind, name, path, message) => {
    const entry = entries.find((e) => e.kind === kind && e.value.name === name);
    return { file: entry?.file ?? "?", path, message, ...(entry?.placeOf(path) ?? { line: 1, column: 1 }) };
  };
  if (faults.length > 0) return { parsed: { kind: "faults", faults }, faultAt };
  const pick = <T>(kind: Kind) => entries.filter((e) => e.kind === kind).map((e) => e.value as T);
  const topology = {
    clusters: pick<Cluster>("Cluster"),
    roles: pick<Role>("Role"),
    machines: pick<Machine>("Machine"),
  };
  return { parsed: { kind: "topology", ...topology }, faultAt };
}

/** {@link readTopology} for whoever has nothing more to find out. */
export const parseTopology = (...args: Parameters<typeof readTopology>): ParsedTopology => readTopology(...args).parsed;

/** `rack.yaml:12:5: spec.endpoint: must be …`, one a line. */
export const formatTopologyFaults = (faults: readonly TopologyFault[]): string[] =>
  faults.map((f) => `${f.file}:${f.line}:${f.column}: ${f.path === "" ? "" : `${f.path}: `}${f.message}`);

/** All faults as one BAD_IMPORT, in the order of files and lines. */
export function topologyError(faults: readonly TopologyFault[]): SlipwayError {
  const isBefore = (a: TopologyFault, b: TopologyFault) =>
    a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1;
  const list = faults.toSorted(isBefore);
  const told = list.map((f) => ({
    at: `${f.file}:${f.line}:${f.column}`,
    message: f.path === "" ? f.message : `${f.path}: ${f.message}`,
  }));
  const remedy = "Correct the named lines; nothing was written.";
  return new SlipwayError("BAD_IMPORT", formatTopologyFaults(list).join("\n"), { faults: told, remedy });
}

function readFile(file: TopologyFile, entries: Entry[], faults: TopologyFault[]): void {
  const stream = readYamlStream(file.text);
  const walk: Walk = { faults: stream.faults.map((f) => ({ ...f, path: "" })), notes: [] };
  for (const node of stream.documents) {
    const entry = readDocument(walk, node);
    const placeOf = (path: string): Place => stream.placeOf(offsetOf(node, path));
    if (entry !== undefined) entries.push({ ...entry, file: file.name, placeOf });
  }
  const told = walk.faults.toSorted((a, b) => a.offset - b.offset);
  faults.push(...told.map(({ offset, ...fault }) => ({ file: file.name, ...fault, ...stream.placeOf(offset) })));
}

/** Place of a field, or of the document where the field is absent. */
function offsetOf(root: Node, path: string): number {
  const keys = path.split(/[.[\]]+/).filter((p) => p !== "");
  const node = isMap(root)
    ? (root.getIn(
        keys.map((k) => (/^\d+$/.test(k) ? Number(k) : k)),
        true,
      ) as Node)
    : undefined;
  return node?.range?.[0] ?? root.range?.[0] ?? 0;
}

function readDocument(walk: Walk, node: Node): { kind: Kind; value: Entry["value"] } | undefined {
  const complain = (path: string, message: string): undefined => {
    walk.faults.push({ path, offset: offsetOf(node, path), message });
  };
  if (!isMap(node)) return complain("", "must be a map (apiVersion, kind, metadata, spec)");
  const word = node.get("kind");
  if (!isKind(word)) {
    const best = typeof word === "string" ? nearest(word, Object.keys(KINDS)) : undefined;
    const shown = typeof word === "string" ? JSON.stringify(word.slice(0, 64)) : "nothing";
    const hint = best === undefined ? "" : `; did you mean ${best}?`;
    return complain("kind", `must be Cluster, Role or Machine, found ${shown}${hint}`);
  }
  const before = walk.faults.length;
  const file = visit(walk, KINDS[word], node, []) as { metadata?: { name?: string }; spec?: Record<string, unknown> };
  if (node.get("apiVersion") === undefined) complain("apiVersion", "must be slipway.dev/v1alpha1, found nothing");
  if (file.metadata?.name === undefined && walk.faults.length === before) complain("metadata.name", "must be given");
  const patches = readPatches(walk, node);
  if (walk.faults.length > before) return undefined;
  return { kind: word, value: documentValue(word, file.metadata!.name!, file.spec ?? {}, patches) };
}

const isKind = (word: unknown): word is Kind => typeof word === "string" && Object.hasOwn(KINDS, word);

function documentValue(
  kind: Kind,
  name: string,
  spec: Record<string, unknown>,
  patches: Role["patches"],
): Entry["value"] {
  if (kind === "Cluster") return { ...CLUSTER_DEFAULTS, ...spec, name } as Cluster;
  if (kind === "Role") return { leastGrade: "open", ...spec, name, patches } as unknown as Role;
  return { macs: [], ...spec, name, patches } as unknown as Machine;
}

/** Each patch as plain data. What it deletes is judged when it has been merged, because `$patch` is no field. */
function readPatches(walk: Walk, document: YAMLMap): Role["patches"] {
  const list = document.getIn(["spec", "patches"], true);
  if (!isSeq(list)) return [];
  return list.items.flatMap((item, i) => {
    if (!isMap(item)) return [];
    const kind = item.get("kind");
    const path: Path = ["spec", "patches", i];
    const shape = kind === undefined ? V1ALPHA1 : DOCUMENTS[kind as DocumentKind];
    if (shape === undefined) {
      const known = Object.keys(DOCUMENTS).join(", ");
      walk.faults.push({
        path: `spec.patches[${i}].kind`,
        offset: item.range?.[0] ?? 0,
        message: `no such document; without kind it is the v1alpha1 one, known beside it: ${known}`,
      });
    } else {
      visit(walk, shape, withoutDeleted(item.clone() as YAMLMap) ?? null, path);
      // Documents are kept in plain text, and a whole config of another cluster is easily pasted here.
      for (const { path: at, start } of secretSpots(item, shape, path))
        walk.faults.push({ path: pathText(at), offset: start, message: NO_SECRETS });
    }
    return [item.toJSON() as Role["patches"][number]];
  });
}

const NO_SECRETS =
  "must not be in a patch: keys and tokens are made with the cluster and kept sealed, what is applied is kept in plain text";

/** What remains of a patch when what it deletes is left out; undefined when it deletes all of its document. */
function withoutDeleted<T extends Node>(node: T): T | undefined {
  if (isSeq(node)) {
    node.items = node.items.filter((item) => withoutDeleted(item as Node) !== undefined);
    return node;
  }
  if (!isMap(node)) return node;
  if (node.get("$patch") === "delete") return undefined;
  node.items = node.items.filter((pair) => pair.value === null || withoutDeleted(pair.value as Node) !== undefined);
  return node;
}
