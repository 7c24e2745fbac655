// A document's tree against the table of fields: values, notes and every fault, each with its place. decode.ts calls it
// for each document. Nothing is passed over: a key is either in the table or a fault. Pure.
import { isMap, isScalar, isSeq, type Node, type Pair } from "yaml";
import { nearest } from "./nearest.ts";
import type {
  Class,
  Field,
  Fields,
  ListOf,
  MapOf,
  ObjectOf,
  OneOrMany,
  Raw,
  Refused,
  Scalar,
  Shape,
  Whole,
} from "./shape.ts";
import { wordsOf } from "./shape.ts";

export type Path = readonly (string | number)[];
/** `offset` into the text; decode.ts makes line and column of it. */
export type PathFault = { path: string; offset: number; message: string };
/** A field that is accepted and not in force as written. */
export type PathNote = PathFault & { class: Exclude<Class, "done" | "refused"> };
/** Looking for a likely word costs a little; thousands of strange keys are told without. */
const MAX_HINTS = 100;
export type Walk = { faults: PathFault[]; notes: PathNote[] };

/** `["machine", "network", "interfaces", 0]` → `machine.network.interfaces[0]`; names with a dot stand in brackets. */
export const pathText = (path: Path): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    if (/[^\w-]/.test(part)) return `${text}[${JSON.stringify(part)}]`;
    return text === "" ? part : `${text}.${part}`;
  }, "");

type Visit = {
  [K in Shape["kind"]]: (walk: Walk, shape: Extract<Shape, { kind: K }>, node: Node, path: Path) => unknown;
};
const VISIT: Visit = {
  scalar: visitScalar,
  list: visitList,
  "one-or-many": visitOneOrMany,
  map: visitMap,
  object: visitObject,
  whole: visitWhole,
  refused: visitRefused,
};

/** The value of `shape`; undefined where it is absent, null or at fault. */
export function visit(walk: Walk, shape: Shape, node: Node | null, path: Path): unknown {
  if (isAbsent(node)) return undefined;
  return (VISIT[shape.kind] as (w: Walk, s: Shape, n: Node, p: Path) => unknown)(walk, shape, node!, path);
}

/** `key:` with nothing behind it sets nothing, in Talos as well. */
const isAbsent = (node: Node | null | undefined): boolean =>
  node === null || node === undefined || (isScalar(node) && node.value === null);

function visitScalar(walk: Walk, shape: Scalar, node: Node, path: Path): unknown {
  const raw = rawOf(node);
  const parsed = raw === undefined ? { kind: "fault" as const, expected: shape.words } : shape.parse(raw);
  if (parsed.kind === "value") return parsed.value;
  return complain(
    walk,
    path,
    node,
    `must be ${parsed.expected}${shape.isSecret && raw !== undefined ? "" : found(node)}`,
  );
}

function rawOf(node: Node): Raw | undefined {
  if (!isScalar(node)) return undefined;
  const isPlain = node.type === "PLAIN" && typeof node.source === "string";
  return { value: node.value, source: isPlain ? node.source! : String(node.value) };
}

function visitList(walk: Walk, shape: ListOf<Shape>, node: Node, path: Path): unknown {
  if (!isSeq(node)) return complain(walk, path, node, `must be a ${wordsOf(shape)}${found(node)}`);
  return node.items.flatMap((item, i) => {
    const at = [...path, i];
    if (isAbsent(item as Node)) return [complain(walk, at, item as Node, "is empty; take the line out")];
    return [visit(walk, shape.of, item as Node, at)];
  });
}

function visitOneOrMany(walk: Walk, shape: OneOrMany<Scalar>, node: Node, path: Path): unknown {
  if (isSeq(node)) return visitList(walk, { kind: "list", of: shape.of }, node, path);
  return [visitScalar(walk, shape.of, node, path)];
}

function visitMap(walk: Walk, shape: MapOf<Shape>, node: Node, path: Path): unknown {
  const result: Record<string, unknown> = {};
  for (const [key, pair] of pairsOf(walk, node, path, shape)) {
    const at = [...path, key];
    const fault = shape.keyFault(key);
    if (fault !== undefined) complain(walk, at, pair.key as Node, `must be ${fault}`);
    // An empty value of a map's entry is the empty text: `exclude-from-external-load-balancers:`.
    const value = isAbsent(pair.value as Node) ? emptyOf(shape.of) : visit(walk, shape.of, pair.value as Node, at);
    if (value !== undefined) result[key] = value;
  }
  return result;
}

function emptyOf(shape: Shape): unknown {
  if (shape.kind !== "scalar") return undefined;
  const parsed = shape.parse({ value: "", source: "" });
  return parsed.kind === "value" ? parsed.value : undefined;
}

function visitObject(walk: Walk, shape: ObjectOf<Fields>, node: Node, path: Path): unknown {
  const result: Record<string, unknown> = {};
  for (const [key, pair] of pairsOf(walk, node, path, shape)) {
    const field = Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined;
    if (field === undefined) {
      const hint = walk.faults.length < MAX_HINTS ? suggestion(key, shape.fields) : "";
      complain(walk, [...path, key], pair.key as Node, `no such field${hint}`);
      continue;
    }
    const value = visitField(walk, field, pair, [...path, key]);
    if (value !== undefined) result[key] = value;
  }
  return result;
}

function visitField(walk: Walk, field: Field, pair: Pair, path: Path): unknown {
  const node = pair.value as Node | null;
  // Workers' configs carry `key: ""` where control planes carry a key.
  if (isAbsent(node) || (isEmpty(node!) && field.shape.kind === "scalar" && field.shape.isSecret)) return undefined;
  if (field.shape.kind === "refused") return visitRefused(walk, field.shape, node!, path, field.because);
  const value = visit(walk, field.shape, node, path);
  if (value !== undefined && !isEmpty(node!)) remark(walk, field, pair.key as Node, path);
  return value;
}

function remark(walk: Walk, field: Field, key: Node, path: Path): void {
  const at = { path: pathText(path), offset: key.range?.[0] ?? 0 };
  if (field.class === "kept") walk.notes.push({ ...at, class: "kept", message: "is stored for the Talos API" });
  if (field.class === "from-image") {
    walk.notes.push({ ...at, class: "from-image", message: `changes nothing; in force is ${field.because}` });
  }
}

function visitRefused(walk: Walk, shape: Refused, node: Node, path: Path, because = ""): undefined {
  if (isEmpty(node) || (isScalar(node) && shape.harmless.includes(node.value))) return undefined;
  return complain(walk, path, node, `is not possible on Slipway OS: ${because}`);
}

/** Takes a Kubernetes object over as it is; what it means is for the program that reads it. */
function visitWhole(walk: Walk, shape: Whole, node: Node, path: Path): unknown {
  if (!isMap(node)) return complain(walk, path, node, `must be ${shape.words}${found(node)}`);
  for (const [key, pair] of pairsOf(walk, node, path, shape)) {
    const fault = shape.keyFault(key);
    if (fault !== undefined) complain(walk, [...path, key], pair.key as Node, `is ${fault}`);
  }
  return plain(walk, node, path);
}

function plain(walk: Walk, node: Node, path: Path): unknown {
  if (isSeq(node)) return node.items.map((item, i) => plain(walk, item as Node, [...path, i]));
  if (!isMap(node)) return isScalar(node) ? node.value : undefined;
  const pairs = pairsOf(walk, node, path, { kind: "object", fields: {} });
  return Object.fromEntries([...pairs].map(([key, pair]) => [key, plain(walk, pair.value as Node, [...path, key])]));
}

/** Keys of a map in their order; doubles and keys that are no text are faults. */
function pairsOf(walk: Walk, node: Node, path: Path, shape: Shape): Map<string, Pair> {
  const pairs = new Map<string, Pair>();
  if (!isMap(node)) {
    complain(walk, path, node, `must be a ${wordsOf(shape)}${found(node)}`);
    return pairs;
  }
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? (rawOf(pair.key)!.source as string) : undefined;
    if (key === undefined || key === "__proto__")
      complain(walk, path, pair.key as Node, "a key must be one plain word");
    else if (pairs.has(key)) complain(walk, [...path, key], pair.key as Node, "is given twice; keep one");
    else pairs.set(key, pair);
  }
  return pairs;
}

/** Asks for nothing: `[]`, `{}`, `""`. */
const isEmpty = (node: Node): boolean =>
  isMap(node) || isSeq(node) ? node.items.length === 0 : isScalar(node) && (node.value === "" || node.value === null);

function complain(walk: Walk, path: Path, node: Node | null, message: string): undefined {
  walk.faults.push({ path: pathText(path), offset: node?.range?.[0] ?? 0, message });
}

function suggestion(key: string, fields: Fields): string {
  const known = Object.keys(fields);
  const best = nearest(key, known);
  return best === undefined ? `; known here: ${known.join(", ")}` : `; did you mean ${best}?`;
}

function found(node: Node): string {
  if (isMap(node)) return ", found a map";
  if (isSeq(node)) return ", found a list";
  const text = JSON.stringify((node as { value?: unknown }).value) ?? "nothing";
  return `, found ${text.length > 80 ? `${text.slice(0, 77)}…"` : text}`;
}
