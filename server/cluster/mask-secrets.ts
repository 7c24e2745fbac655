// A machine config for people's eyes: every secret is replaced by a word, all else stays as it is, comments included.
// `slipway config MAC` and every log go through it. Which fields are secret: the table in contract/machine-config, where each
// says so itself, and a net for PEM keys that stand where none should. Pure.
import { isMap, isScalar, isSeq, type Node } from "yaml";
import { DOCUMENTS, type DocumentKind, V1ALPHA1 } from "../contract/machine-config/fields.ts";
import type { Shape } from "../contract/machine-config/shape.ts";
import type { Path } from "../contract/machine-config/walk.ts";
import { readYamlStream } from "../contract/machine-config/yaml-stream.ts";

export const MASK = "<secret>";

/** Base64 of "-----BEGIN … PRIVATE KEY", in its three alignments, or such a block itself. */
const KEY_BLOCK = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g;
const BASE64_TEXT = /[A-Za-z0-9+/]{60,}={0,2}/g;

/** @returns undefined when the text is no YAML: then there is no telling what in it is secret. */
export function maskSecrets(text: string): string | undefined {
  const stream = readYamlStream(text);
  if (stream.faults.length > 0) return undefined;
  const spots = stream.documents.flatMap((node) => secretSpots(node, shapeOf(node), []));
  const masked = spots
    .toSorted((a, b) => b.start - a.start)
    .reduce((t, { start, end }) => t.slice(0, start) + MASK + t.slice(end), text);
  return masked.replace(KEY_BLOCK, MASK).replace(BASE64_TEXT, (word) => (holdsKey(word) ? MASK : word));
}

const holdsKey = (word: string): boolean =>
  [0, 1, 2, 3].some((skip) => Buffer.from(word.slice(skip), "base64").toString("latin1").includes("PRIVATE KEY"));

function shapeOf(node: Node): Shape {
  const kind = isMap(node) ? node.get("kind") : undefined;
  return typeof kind === "string" && Object.hasOwn(DOCUMENTS, kind) ? DOCUMENTS[kind as DocumentKind] : V1ALPHA1;
}

type Spot = { path: Path; start: number; end: number };

/**
 * Where a secret stands in a document, or in a part of one that is at `path`.
 *
 * Certificates are marked in the table as never to be echoed in a fault, but they are public: they stay.
 */
export function secretSpots(node: Node | null, shape: Shape | undefined, path: Path): Spot[] {
  if (node === null || shape === undefined) return [];
  if (shape.kind === "scalar") return shape.isSecret && isSecretScalar(node) ? [spotOf(node, path)] : [];
  if (isSeq(node)) {
    const of = shape.kind === "list" || shape.kind === "one-or-many" ? shape.of : undefined;
    return node.items.flatMap((item, i) => secretSpots(item as Node, of, [...path, i]));
  }
  if (!isMap(node)) return [];
  return node.items.flatMap((pair) => {
    const key = isScalar(pair.key) ? String(pair.key.value) : "";
    if (shape.kind === "map") return secretSpots(pair.value as Node, shape.of, [...path, key]);
    const field = shape.kind === "object" && Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined;
    return secretSpots(pair.value as Node, field?.shape, [...path, key]);
  });
}

function isSecretScalar(node: Node): boolean {
  if (!isScalar(node) || typeof node.value !== "string" || node.value === "") return false;
  return !Buffer.from(node.value, "base64").toString("latin1").startsWith("-----BEGIN CERTIFICATE-----");
}

const spotOf = (node: Node, path: Path): Spot => ({ path, start: node.range![0], end: node.range![1] });
