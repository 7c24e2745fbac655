// YAML text → its documents with positions, or the faults that make it none. Anchors, aliases, merge keys and tags are
// refused: they are how a small file becomes a huge one, and no program writes them into a machine config. decode.ts, the
// secrets bundle and server/cluster read with it. Source: YAML 1.2. Pure.
import { isAlias, isNode, isPair, isScalar, LineCounter, type Node, parseAllDocuments, visit } from "yaml";

/** Both from 1. */
export type Place = { line: number; column: number };
export type YamlStream = {
  /** Empty documents are left out. */
  documents: Node[];
  faults: { offset: number; message: string }[];
  placeOf: (offset: number) => Place;
};

/** A generated config with all its comments has 26 kB. */
export const MAX_BYTES = 128 * 1024;
/** Deeper than any config, less than what the parser's recursion bears. */
const MAX_DEPTH = 64;
/** Nobody reads more at once. */
const MAX_DOCUMENTS = 64;
/** A config of pure JSON has some hundred; 130,000 of them took the parser 11 s (measured). */
const MAX_BRACKETS = 4096;

export function readYamlStream(text: string): YamlStream {
  const lineCounter = new LineCounter();
  const placeOf = (offset: number): Place => {
    const { line, col } = lineCounter.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problem = unreadable(text);
  if (problem !== undefined) return { documents: [], faults: [problem], placeOf };
  const options = { lineCounter, uniqueKeys: false, prettyErrors: false, version: "1.2" as const };
  const parsed = parseAllDocuments(text, options);
  const documents = Array.isArray(parsed) ? parsed : [];
  const faults = documents.flatMap((d) =>
    [...d.errors, ...d.warnings].map((e) => ({ offset: e.pos[0], message: `not valid YAML: ${e.message}` })),
  );
  for (const document of documents) faults.push(...forbidden(document.contents));
  const contents = documents.map((d) => d.contents as Node | null).filter((c): c is Node => c !== null && !isNull(c));
  return { documents: faults.length === 0 ? contents : [], faults, placeOf };
}

const isNull = (node: Node): boolean => isScalar(node) && node.value === null;

/** What must not reach the parser at all. */
function unreadable(text: string): { offset: number; message: string } | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_BYTES) return { offset: 0, message: `is ${bytes} bytes long; at most ${MAX_BYTES} are read` };
  // The parser calls itself for each level, so depth is bounded before it: brackets, and the dashes that open lists.
  const brackets = text.match(/[[{]/g)?.length ?? 0;
  if (brackets > MAX_BRACKETS)
    return { offset: 0, message: `holds ${brackets} brackets; at most ${MAX_BRACKETS} are read` };
  const separators = text.match(/^---/gm)?.length ?? 0;
  if (separators > MAX_DOCUMENTS) return { offset: 0, message: `holds over ${MAX_DOCUMENTS} documents` };
  if (brackets > MAX_DEPTH && deepest(text) > MAX_DEPTH)
    return { offset: 0, message: `is nested over ${MAX_DEPTH} deep` };
  const dashes = /(?:^|\n)[ ]*(?:[-?:][ \t]+){65}/.exec(text);
  return dashes === null ? undefined : { offset: dashes.index, message: `is nested over ${MAX_DEPTH} deep` };
}

function deepest(text: string): number {
  let depth = 0;
  let most = 0;
  for (const c of text) {
    if (c === "[" || c === "{") depth++;
    else if ((c === "]" || c === "}") && depth > 0) depth--;
    most = Math.max(most, depth);
  }
  return most;
}

function forbidden(root: unknown): { offset: number; message: string }[] {
  const faults: { offset: number; message: string }[] = [];
  visit(root as Node, (_key, node, above) => {
    if (above.length > 3 * MAX_DEPTH) {
      faults.push({ offset: 0, message: `is nested over ${MAX_DEPTH} deep` });
      return visit.BREAK;
    }
    if (isPair(node) || !isNode(node)) return;
    const offset = node.range?.[0] ?? 0;
    if (isAlias(node))
      faults.push({ offset, message: `the alias *${node.source} is not allowed; write the value out` });
    else if ("anchor" in node && node.anchor !== undefined)
      faults.push({
        offset,
        message: `the anchor &${node.anchor} is not allowed; write the value out where it is needed`,
      });
    if (node.tag !== undefined && /^!(?!!)|^tag:/.test(node.tag) && !node.tag.startsWith("tag:yaml.org,2002:"))
      faults.push({ offset, message: `the tag ${node.tag} is not allowed` });
    return;
  });
  return faults;
}
