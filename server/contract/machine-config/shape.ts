// What a value of the machine config looks like: the words that the table of fields (fields-*.ts) is written in, and the
// TypeScript type that comes out of it. walk.ts reads a document by it. Pure.

/** `expected` completes "must be …". */
export type Parsed<T> = { kind: "value"; value: T } | { kind: "fault"; expected: string };
/** A scalar as YAML 1.2 reads it, and as it was typed: Talos takes `65535` where a text is wanted. */
export type Raw = { value: unknown; source: string };

/** One value. `isSecret`: a fault never shows what was found. */
export type Scalar<T = unknown> = {
  kind: "scalar";
  words: string;
  isSecret: boolean;
  parse: (raw: Raw) => Parsed<T>;
};
export interface ListOf<S> {
  kind: "list";
  of: S;
}
/** One value or a list of them; always read as a list (extraArgs since the 1.12 contract). */
export interface OneOrMany<S> {
  kind: "one-or-many";
  of: S;
}
/** Names chosen by the writer. `keyFault`: what is wrong with a name, completing "must be …"; undefined when nothing is. */
export interface MapOf<S> {
  kind: "map";
  keyWords: string;
  keyFault: (key: string) => string | undefined;
  of: S;
}
export interface ObjectOf<F> {
  kind: "object";
  fields: F;
}
/** A Kubernetes object of which only `keyFault` of the top keys is judged here. */
export type Whole = { kind: "whole"; words: string; keyFault: (key: string) => string | undefined };
/** Not read at all. Empty values and those in `harmless` ask for nothing, so they are let pass. */
export type Refused = { kind: "refused"; words: string; harmless: readonly unknown[] };
export type Shape = Scalar | ListOf<Shape> | OneOrMany<Scalar> | MapOf<Shape> | ObjectOf<Fields> | Whole | Refused;

/** What becomes of a field on a node. docs/machine-config.md explains the four. */
export const CLASSES = {
  done: "in force on the node",
  kept: "stored for the Talos API, which this release does not serve yet",
  "from-image": "given by the OS image; what is written here changes nothing",
  refused: "not possible on Slipway OS; the config is refused",
} as const;
export type Class = keyof typeof CLASSES;

/** One row of the table. `because`: the value in force (from-image), or why not and what to do instead (refused). */
export interface Field<S = Shape> {
  class: Class;
  shape: S;
  doc: string;
  because: string;
}
export interface Fields {
  [key: string]: Field;
}

/** The type that a shape is read as. Every field may be absent: defaults are node-config.ts's. */
export type ValueOf<S> =
  S extends Scalar<infer T>
    ? T
    : S extends ListOf<infer I>
      ? ValueOf<I>[]
      : S extends OneOrMany<infer I>
        ? ValueOf<I>[]
        : S extends MapOf<infer I>
          ? Record<string, ValueOf<I>>
          : S extends ObjectOf<infer F>
            ? { [K in keyof F]?: F[K] extends Field<infer I> ? ValueOf<I> : never }
            : S extends Whole
              ? Record<string, unknown>
              : undefined;

export const list = <S extends Shape>(of: S): ListOf<S> => ({ kind: "list", of });
export const oneOrMany = <S extends Scalar>(of: S): OneOrMany<S> => ({ kind: "one-or-many", of });
export const object = <F extends Fields>(fields: F): ObjectOf<F> => ({ kind: "object", fields });
export const map = <S extends Shape>(
  keyWords: string,
  keyFault: (key: string) => string | undefined,
  of: S,
): MapOf<S> => ({ kind: "map", keyWords, keyFault, of });
export const whole = (words: string, keyFault: (key: string) => string | undefined = () => undefined): Whole => ({
  kind: "whole",
  words,
  keyFault,
});

export const done = <S extends Shape>(shape: S, doc: string): Field<S> => ({ class: "done", shape, doc, because: "" });
export const kept = <S extends Shape>(shape: S, doc: string): Field<S> => ({ class: "kept", shape, doc, because: "" });
/** @param inForce completes "in force is …". */
export const fromImage = <S extends Shape>(shape: S, doc: string, inForce: string): Field<S> => ({
  class: "from-image",
  shape,
  doc,
  because: inForce,
});
/** @param words its type in Talos. @param because a sentence with the remedy. @param harmless values that ask for nothing. */
export const refused = (
  words: string,
  doc: string,
  because: string,
  harmless: readonly unknown[] = [],
): Field<Refused> => ({ class: "refused", shape: { kind: "refused", words, harmless }, doc, because });

/** A shape in words, for docs and faults. */
export function wordsOf(shape: Shape): string {
  if (shape.kind === "list") return `list of ${wordsOf(shape.of)}`;
  if (shape.kind === "one-or-many") return `${wordsOf(shape.of)}, or a list of them`;
  if (shape.kind === "map") return `map from ${shape.keyWords} to ${wordsOf(shape.of)}`;
  return shape.kind === "object" ? "map" : shape.words;
}

/** A row of the table by its path: `machine.network.interfaces[].vip.ip`, `cluster.apiServer.extraArgs.*`. */
export type Row = { path: string; field: Field };

/** All rows below `fields`, in the table's order; maps and lists of maps are entered, refused fields are leaves. */
export function listRows(fields: Fields, above = ""): Row[] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const path = above === "" ? key : `${above}.${key}`;
    return [{ path, field }, ...rowsBelow(field.shape, path)];
  });
}

function rowsBelow(shape: Shape, path: string): Row[] {
  if (shape.kind === "object") return listRows(shape.fields, path);
  if (shape.kind === "list") return rowsBelow(shape.of, `${path}[]`);
  if (shape.kind === "map") return rowsBelow(shape.of, `${path}.*`);
  return [];
}
