// The file's tree against the tree of settings: collects the values and every fault, each with its place. Only check-settings.ts
// calls it. Pure.
import { isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from "yaml";
import { nearest } from "./did-you-mean.ts";
import { FILE_SHAPE, type Group, type Leaf, leafPaths, type Many, type Named, type Shape } from "./shape.ts";

export type Path = readonly (string | number)[];
export type PathFault = { path: Path; offset?: number; message: string };
export type Walk = {
  faults: PathFault[];
  /** Offset of each value in the text, by {@link pathText}. */
  offsets: Map<string, number>;
};

/** `["interfaces", "eth1", "subnets", 0]` → `interfaces.eth1.subnets[0]`. */
export const pathText = (path: Path): string =>
  path.reduce<string>((s, p) => (typeof p === "number" ? `${s}[${p}]` : s === "" ? p : `${s}.${p}`), "");

type Branch = Record<string, unknown>;
type Visit = {
  [K in Shape["kind"]]: (walk: Walk, shape: Extract<Shape, { kind: K }>, node: Node | null, path: Path) => unknown;
};

const VISIT: Visit = { leaf: visitLeaf, group: visitGroup, named: visitNamed, many: visitMany };

/** Values of the shape, defaults filled in. A null node stands for "not given". */
export function visit(walk: Walk, shape: Shape, node: Node | null, path: Path): unknown {
  if (node?.range) walk.offsets.set(pathText(path), node.range[0]);
  return (VISIT[shape.kind] as (w: Walk, s: Shape, n: Node | null, p: Path) => unknown)(walk, shape, node, path);
}

function visitLeaf(walk: Walk, { row }: Leaf, node: Node | null, path: Path): unknown {
  if (node === null) {
    if (row.isRequired) complain(walk, path, undefined, "must be given");
    const parsed = row.otherwise === undefined ? undefined : row.parse(row.otherwise);
    return parsed?.kind === "value" ? parsed.value : undefined;
  }
  if (isScalar(node) && node.value === null) {
    return complain(walk, path, node, "has no value; give one, or leave the line out for the default");
  }
  if (row.many && isSeq(node)) return node.items.map((item, i) => parseScalar(walk, row, item as Node, [...path, i]));
  if (row.many && isScalar(node)) return [parseScalar(walk, row, node, path)];
  return parseScalar(walk, row, node, path);
}

function parseScalar(walk: Walk, row: Leaf["row"], node: Node, path: Path): unknown {
  if (node.range) walk.offsets.set(pathText(path), node.range[0]);
  const found = isMap(node) ? "a map" : isSeq(node) ? "a list" : undefined;
  const raw = isScalar(node) ? node.value : undefined;
  const parsed = row.parse(raw);
  if (parsed.kind === "value") return parsed.value;
  return complain(walk, path, node, `must be ${parsed.expected}, found ${found ?? show(raw)}`);
}

function visitGroup(walk: Walk, shape: Group, node: Node | null, path: Path): Branch {
  const given = pairsOf(walk, node, path, "a map of settings");
  const result: Branch = {};
  for (const [key, pair] of given) {
    if (!Object.hasOwn(shape.keys, key)) {
      complain(walk, [...path, key], pair.key as Node, `no such setting${suggestion(key, shape)}`);
    }
  }
  for (const [key, child] of Object.entries(shape.keys)) {
    result[child.name] = visit(walk, child, nodeOf(given.get(key)), [...path, key]);
  }
  return result;
}

function visitNamed(walk: Walk, shape: Named, node: Node | null, path: Path): Branch[] {
  const result: Branch[] = [];
  for (const [name, pair] of pairsOf(walk, node, path, "a map from names to settings")) {
    const at = [...path, name];
    if (!shape.isName(name)) complain(walk, at, pair.key as Node, `must be ${shape.expected}`);
    result.push({ name, ...(visit(walk, shape.of, nodeOf(pair), at) as Branch) });
  }
  return result;
}

function visitMany(walk: Walk, shape: Many, node: Node | null, path: Path): unknown[] {
  if (node === null || (isScalar(node) && node.value === null)) return [];
  if (isSeq(node)) return node.items.map((item, i) => visit(walk, shape.of, item as Node, [...path, i]));
  complain(
    walk,
    path,
    node,
    `must be a list (lines that begin with "-"), found ${isMap(node) ? "a map" : "one value"}`,
  );
  return [];
}

/** Keys of a map in their order; doubles and keys that are no text are faults. An empty node is an empty map. */
function pairsOf(walk: Walk, node: Node | null, path: Path, expected: string): Map<string, Pair> {
  const pairs = new Map<string, Pair>();
  if (node === null || (isScalar(node) && node.value === null)) return pairs;
  if (!isMap(node)) {
    complain(
      walk,
      path,
      node,
      `must be ${expected}, found ${isSeq(node) ? "a list" : show((node as { value?: unknown }).value)}`,
    );
    return pairs;
  }
  for (const pair of (node as YAMLMap).items) {
    const key = isScalar(pair.key) && pair.key.value !== null ? String(pair.key.value) : undefined;
    if (key === undefined) complain(walk, path, pair.key as Node, "a key must be one word");
    else if (pairs.has(key)) complain(walk, [...path, key], pair.key as Node, "is given twice; keep one");
    else pairs.set(key, pair);
  }
  return pairs;
}

/** A key without a value (`eth1:`) has the scalar null, in block maps as well as in `{ eth1 }`. */
const nodeOf = (pair: Pair | undefined): Node | null => (pair?.value as Node | null | undefined) ?? null;

function complain(walk: Walk, path: Path, node: Node | undefined, message: string): undefined {
  const offset = node?.range?.[0];
  walk.faults.push(offset === undefined ? { path, message } : { path, offset, message });
}

/** A sibling that looks alike, else the place where that key belongs. */
function suggestion(key: string, shape: Group): string {
  const sibling = nearest(key, Object.keys(shape.keys));
  const elsewhere = leafPaths(FILE_SHAPE).find((p) => p.endsWith(`.${key}`));
  const best = sibling ?? elsewhere;
  return best === undefined ? `; known here: ${Object.keys(shape.keys).join(", ")}` : `; did you mean ${best}?`;
}

const show = (raw: unknown): string => {
  const text = JSON.stringify(raw) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 77)}…"` : text;
};
