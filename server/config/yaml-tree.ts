// YAML text → tree with positions, or the faults that make it no settings file at all. Anchors, aliases and tags are
// refused: settings need none, and they are how a small file becomes a huge one. Pure.
import { type Document, isAlias, isNode, LineCounter, parseDocument, visit } from "yaml";

/** Where in the file; both from 1. */
export type Position = { line: number; column: number };
export type TextFault = { offset: number; message: string };
export type YamlTree = {
  root: Document["contents"];
  faults: TextFault[];
  positionOf: (offset: number) => Position;
};

/** 0.9 MB of YAML took 1.9 s to read (measured); no settings file is that long. */
export const MAX_FILE_BYTES = 256 * 1024;

export function readYamlTree(text: string): YamlTree {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, uniqueKeys: false, prettyErrors: false, version: "1.2" });
  const faults = [...document.errors, ...document.warnings].map((e) => ({ offset: e.pos[0], message: sentenceOf(e) }));
  visit(document, (_key, node) => {
    if (!isNode(node)) return;
    const offset = node.range?.[0] ?? 0;
    if (isAlias(node))
      faults.push({ offset, message: `the alias *${node.source} is not allowed; write the value out` });
    else if ("anchor" in node && node.anchor !== undefined)
      faults.push({
        offset,
        message: `the anchor &${node.anchor} is not allowed; write the value out where it is needed`,
      });
  });
  return {
    root: document.contents,
    faults,
    positionOf: (offset) => {
      const { line, col } = lineCounter.linePos(offset);
      return { line: Math.max(line, 1), column: Math.max(col, 1) };
    },
  };
}

/** What the parser's codes mean to somebody who does not know YAML by heart. */
const WORDS: Record<string, string> = {
  TAB_AS_INDENT: "a tab is used to indent; YAML wants spaces",
  MULTIPLE_DOCS: "a second document begins here (---); a settings file has one",
  TAG_RESOLVE_FAILED: "a tag (!…) is not allowed here",
  BLOCK_AS_IMPLICIT_KEY: "a second colon in this line; put the value in quotes, or the key in a line of its own",
};
const sentenceOf = (e: { code: string; message: string }) => WORDS[e.code] ?? `not valid YAML: ${e.message}`;
