// A machine config's text → what it says, or all that is wrong with it. The agent calls it with what enrolment gave it; the
// appliance with what it rendered, before it gives it out. The text itself is kept: it is what the Talos API will show.
// Source: talos reference §4.1 (document model), Slipway's table in fields.ts. Pure.
import { isMap, isScalar, type Node } from "yaml";
import { crossFaults } from "./cross-checks.ts";
import { DOCUMENTS, type DocumentKind, type MachineConfig, OTHER_KINDS, V1ALPHA1 } from "./fields.ts";
import { nearest } from "./nearest.ts";
import type { Class } from "./shape.ts";
import { type PathFault, type PathNote, visit, type Walk } from "./walk.ts";
import { type Place, readYamlStream } from "./yaml-stream.ts";

export type ConfigFault = Place & { path: string; message: string };
/** Accepted, and not in force as written. */
export type ConfigNote = ConfigFault & { class: Exclude<Class, "done" | "refused"> };

export type Decoded =
  /** `text` is the document as it came, byte for byte. */
  | { kind: "config"; config: MachineConfig; text: string; notes: ConfigNote[] }
  | { kind: "faults"; faults: ConfigFault[] };

/** More faults than this say only that it is no machine config. */
const MAX_FAULTS = 100;

/** Reads a machine config strictly: any fault refuses all of it, and all faults are told, in the order of the text. */
export function decodeMachineConfig(text: string): Decoded {
  const stream = readYamlStream(text);
  const walk: Walk = { faults: stream.faults.map((f) => ({ ...f, path: "" })), notes: [] };
  const found = new Map<string, { node: Node; value: unknown }>();
  for (const node of stream.documents) readDocument(walk, node, found);
  if (walk.faults.length === 0 && !found.has("v1alpha1")) {
    walk.faults.push({ path: "", offset: 0, message: "holds no v1alpha1 document (version, machine, cluster)" });
  }
  const config = configOf(found);
  if (walk.faults.length === 0)
    walk.faults.push(...crossFaults(config).map((f) => ({ ...f, offset: offsetOf(found, f.path) })));
  const place = <F extends PathFault>({ offset, ...rest }: F) => ({ ...rest, ...stream.placeOf(offset) });
  const faults = walk.faults.toSorted((a, b) => a.offset - b.offset);
  if (faults.length === 0) return { kind: "config", config, text, notes: outermost(walk.notes).map(place) };
  const more = faults.length - MAX_FAULTS;
  const told = faults.slice(0, MAX_FAULTS).map(place);
  if (more > 0) told.push({ line: 1, column: 1, path: "", message: `and ${more} more faults` });
  return { kind: "faults", faults: told };
}

/** In the order of the text; what stands inside a field that has a note needs none of its own. */
const outermost = (notes: readonly PathNote[]): PathNote[] =>
  notes
    .filter(({ path }) => !notes.some((n) => path.startsWith(`${n.path}.`) || path.startsWith(`${n.path}[`)))
    .sort((a, b) => a.offset - b.offset);

/** `config:12:5: machine.type: must be …`, one a line. @param name what the reader knows the text by. */
export const formatConfigFaults = (name: string, faults: readonly ConfigFault[]): string[] =>
  faults.map((f) => `${name}:${f.line}:${f.column}: ${f.path === "" ? "" : `${f.path}: `}${f.message}`);

function readDocument(walk: Walk, node: Node, found: Map<string, { node: Node; value: unknown }>): undefined {
  const complain = (path: string, message: string): undefined => {
    walk.faults.push({ path, offset: node.range?.[0] ?? 0, message });
  };
  if (!isMap(node)) return complain("", "must be a map (version, machine, cluster)");
  const kind = node.get("kind", true) === undefined ? "v1alpha1" : textOf(node.get("kind", true));
  if (kind === undefined) return complain("kind", "must be a word such as HostnameConfig");
  const shape =
    kind === "v1alpha1" ? V1ALPHA1 : Object.hasOwn(DOCUMENTS, kind) ? DOCUMENTS[kind as DocumentKind] : undefined;
  if (shape === undefined) return complain("kind", unknownKind(kind));
  if (found.has(kind)) return complain("", `a second ${kind} document; keep one`);
  const needed = kind === "v1alpha1" ? "version" : "apiVersion";
  if (node.get(needed) === undefined) complain(needed, "must be v1alpha1, found nothing");
  found.set(kind, { node, value: visit(walk, shape, node, []) });
}

const textOf = (node: unknown): string | undefined =>
  isScalar(node) && typeof node.value === "string" ? node.value : undefined;

function unknownKind(kind: string): string {
  if (OTHER_KINDS.includes(kind)) {
    return `${kind} is not read by Slipway OS yet; use the fields of the v1alpha1 document, or leave it out`;
  }
  const best = nearest(kind, [...Object.keys(DOCUMENTS), ...OTHER_KINDS]);
  const shown = JSON.stringify(kind.slice(0, 64));
  return `${shown} is no kind of document${best === undefined ? "" : `; did you mean ${best}?`}`;
}

function configOf(found: Map<string, { value: unknown }>): MachineConfig {
  const hostname = found.get("HostnameConfig")?.value as MachineConfig["hostnameConfig"];
  const v1alpha1 = found.get("v1alpha1")?.value as MachineConfig;
  return { ...v1alpha1, ...(hostname === undefined ? {} : { hostnameConfig: hostname }) };
}

/** Place of the deepest part of `path` that is written in the v1alpha1 document; where a thing is missing, its parent's. */
function offsetOf(found: Map<string, { node: Node }>, path: string): number {
  let at: unknown = found.get("v1alpha1")?.node;
  let offset = (at as Node | undefined)?.range?.[0] ?? 0;
  for (const part of path.split(/[.[\]]+/).filter((p) => p !== "")) {
    at = (at as { get?: (key: unknown, keep: boolean) => unknown })?.get?.(
      /^\d+$/.test(part) ? Number(part) : part,
      true,
    );
    const range = (at as Node | undefined)?.range;
    if (!range) return offset;
    offset = range[0];
  }
  return offset;
}
