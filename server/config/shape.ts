// The settings tables as the tree that slipway.yaml has: groups of keys, named things (interfaces), lists (subnets).
// walk.ts goes over the file and this tree together. Pure.
import { INTERFACE_SETTINGS, SETTINGS, type Setting, SUBNET_SETTINGS } from "./settings.ts";

export type Leaf = { kind: "leaf"; name: string; row: Setting<unknown> & { isRequired?: boolean } };
/** `keys` is by the name in the file; `name` is the value's name inside. */
export type Group = { kind: "group"; name: string; keys: Record<string, Shape> };
export type Named = { kind: "named"; name: string; of: Group; isName: (name: string) => boolean; expected: string };
export type Many = { kind: "many"; name: string; of: Group };
export type Shape = Leaf | Group | Named | Many;

const group = (name: string, keys: Record<string, Shape>): Group => ({ kind: "group", name, keys });

/** Rows with dots become groups: `http.port` is `port` in the group `http`. */
function grow(table: Record<string, Setting<unknown>>): Record<string, Shape> {
  const keys: Record<string, Shape> = Object.create(null);
  for (const [name, row] of Object.entries(table)) {
    const [head, tail] = splitHead(name);
    if (tail === undefined) keys[row.key ?? name] = { kind: "leaf", name, row };
    else {
      const [, fileTail] = splitHead(row.key ?? name);
      keys[head] ??= group(head, Object.create(null));
      (keys[head] as Group).keys[fileTail!] = { kind: "leaf", name: tail, row };
    }
  }
  return keys;
}
const splitHead = (dotted: string): [string, string | undefined] => {
  const dot = dotted.indexOf(".");
  return dot < 0 ? [dotted, undefined] : [dotted.slice(0, dot), dotted.slice(dot + 1)];
};

/** Linux allows 15 bytes without slash and white space; the colon marks old-style aliases, which share their parent's socket. */
export const isInterfaceName = (name: string): boolean => /^[!-9;-~]{1,15}$/.test(name) && !/[/%]|^\.{1,2}$/.test(name);

const subnetShape = group("subnet", grow(SUBNET_SETTINGS));
export const interfaceShape: Group = group("interface", {
  ...grow(INTERFACE_SETTINGS),
  subnets: { kind: "many", name: "subnets", of: subnetShape },
});

/** The whole file. */
export const FILE_SHAPE: Group = group("", {
  ...grow(SETTINGS),
  interfaces: {
    kind: "named",
    name: "interfaces",
    of: interfaceShape,
    isName: isInterfaceName,
    expected: "the name of a network interface, at most 15 characters",
  },
});

/** Full names of all leaves under a shape, as the file spells them: for "did you mean http.port?". */
export function leafPaths(shape: Shape, prefix = ""): string[] {
  const at = (key: string) => (prefix === "" ? key : `${prefix}.${key}`);
  if (shape.kind === "leaf") return [prefix];
  if (shape.kind === "named") return leafPaths(shape.of, at("<name>"));
  if (shape.kind === "many") return leafPaths(shape.of, `${prefix}[]`);
  return Object.entries(shape.keys).flatMap(([key, child]) => leafPaths(child, at(key)));
}
