// What a Kubernetes watch makes of a list: objects by their name, changed by one event after the other. Called by open-watch.ts.
// Source: Kubernetes API concepts, "Efficient detection of changes". Pure.

/** An object of any kind, as far as a list of them needs. */
export type Named = { metadata: { name: string; namespace?: string; resourceVersion?: string } };
export type Cached<T> = {
  items: ReadonlyMap<string, T>;
  /** Where the next watch begins. */
  version: string;
};

const keyOf = ({ metadata }: Named): string => `${metadata.namespace ?? ""}/${metadata.name}`;

/** @returns undefined for what is no list: a proxy's page with status 200 must not become "there is nothing". */
export function ofList<T extends Named>(answer: unknown): Cached<T> | undefined {
  const { metadata, items } = (answer ?? {}) as { metadata?: { resourceVersion?: unknown } | null; items?: unknown };
  const version = metadata?.resourceVersion;
  // Go writes a list without anything in it as null.
  const found = items ?? [];
  if (typeof version !== "string" || !Array.isArray(found) || !found.every(isNamed<T>)) return undefined;
  return { items: new Map(found.map((item) => [keyOf(item), item])), version };
}

const isNamed = <T extends Named>(object: unknown): object is T =>
  typeof (object as Partial<Named> | null)?.metadata?.name === "string";

export type Next<T> = { kind: "same" | "changed"; cached: Cached<T> } | { kind: "expired"; reason: string };

/** @param line one event, as JSON. `expired`: only a new list helps (the server has forgotten that version, or talks nonsense). */
export function applyEvent<T extends Named>({ items, version }: Cached<T>, line: string): Next<T> {
  const event = readEvent<T>(line);
  if (event === undefined) return { kind: "expired", reason: "an event that cannot be read" };
  const { type, object } = event;
  const next = object.metadata?.resourceVersion ?? version;
  if (type === "BOOKMARK") return { kind: "same", cached: { items, version: next } };
  if (type === "ERROR") return { kind: "expired", reason: object.message ?? "the server ended the watch" };
  const changed = new Map(items);
  if (type === "DELETED") changed.delete(keyOf(object));
  else changed.set(keyOf(object), object);
  return { kind: "changed", cached: { items: changed, version: next } };
}

/** What an event is about: these two are about no object of the list. */
const NAMELESS: ReadonlySet<unknown> = new Set(["BOOKMARK", "ERROR"]);
const TYPES: ReadonlySet<unknown> = new Set(["ADDED", "MODIFIED", "DELETED", ...NAMELESS]);

function readEvent<T extends Named>(line: string): { type: string; object: T & { message?: string } } | undefined {
  try {
    const event = JSON.parse(line);
    const isSound = TYPES.has(event?.type) && typeof event.object === "object" && event.object !== null;
    return isSound && (NAMELESS.has(event.type) || isNamed(event.object)) ? event : undefined;
  } catch {
    return undefined;
  }
}
