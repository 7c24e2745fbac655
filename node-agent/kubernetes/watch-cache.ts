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

export type ObjectList<T> = { metadata?: { resourceVersion?: string }; items?: T[] };
export const ofList = <T extends Named>({ metadata, items }: ObjectList<T>): Cached<T> => ({
  items: new Map((items ?? []).map((item) => [keyOf(item), item])),
  version: metadata?.resourceVersion ?? "",
});

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

const TYPES: ReadonlySet<unknown> = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]);

function readEvent<T>(line: string): { type: string; object: T & { message?: string } } | undefined {
  try {
    const event = JSON.parse(line);
    const isSound = TYPES.has(event?.type) && typeof event.object === "object" && event.object !== null;
    const isNamed =
      event?.type === "ERROR" || event?.type === "BOOKMARK" || typeof event?.object?.metadata?.name === "string";
    return isSound && isNamed ? event : undefined;
  } catch {
    return undefined;
  }
}
