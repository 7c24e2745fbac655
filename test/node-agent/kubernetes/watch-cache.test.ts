// What a list and the events after it come to: the API's own forms, and what a server in trouble may send instead.
import { expect, test } from "vitest";
import { applyEvent, type Cached, type Named, ofList } from "../../../node-agent/kubernetes/watch-cache.ts";

type Pod = Named & { phase?: string };
const pod = (name: string, resourceVersion: string, more: { namespace?: string; phase?: string } = {}): Pod => ({
  metadata: { name, resourceVersion, ...(more.namespace === undefined ? {} : { namespace: more.namespace }) },
  ...(more.phase === undefined ? {} : { phase: more.phase }),
});
const list = (...items: Pod[]): Cached<Pod> => ofList<Pod>({ metadata: { resourceVersion: "10" }, items })!;
const event = (type: string, object: unknown) => JSON.stringify({ type, object });
const shown = ({ items, version }: Cached<Pod>) => ({ names: [...items.keys()], version });

test("ofList keeps objects by namespace and name, and where the next watch begins", () => {
  const seen = list(pod("a", "3", { namespace: "x" }), pod("a", "4", { namespace: "y" }), pod("node-1", "5"));
  expect(shown(seen)).toEqual({ names: ["x/a", "y/a", "/node-1"], version: "10" });
});
test.each([
  ["an empty one", { metadata: { resourceVersion: "10" }, items: [] }],
  ["Go's null", { metadata: { resourceVersion: "10" }, items: null }],
  ["none at all", { metadata: { resourceVersion: "10" } }],
])("ofList takes %s for an empty list", (_, answer) => {
  expect(shown(ofList<Pod>(answer)!)).toEqual({ names: [], version: "10" });
});
test.each([
  ["a page in plain words", "<h1>welcome</h1>"],
  ["nothing", undefined],
  ["null", null],
  ["a number", 7],
  ["a list without a version", { items: [] }],
  ["a null for its metadata", { metadata: null, items: [] }],
  ["a version that is a number", { metadata: { resourceVersion: 10 }, items: [] }],
  ["items that are none", { metadata: { resourceVersion: "10" }, items: { a: 1 } }],
  ["an item without a name", { metadata: { resourceVersion: "10" }, items: [{ metadata: {} }] }],
  ["an item that is null", { metadata: { resourceVersion: "10" }, items: [null] }],
])("ofList refuses %s: it must not become an empty list", (_, answer) => {
  expect(ofList(answer)).toBeUndefined();
});

test.each([
  ["ADDED", pod("b", "11"), ["/a", "/b"], "changed", "11"],
  ["ADDED", pod("a", "11"), ["/a"], "changed", "11"],
  ["MODIFIED", pod("a", "12"), ["/a"], "changed", "12"],
  ["MODIFIED", pod("b", "12"), ["/a", "/b"], "changed", "12"],
  ["DELETED", pod("a", "13"), [], "changed", "13"],
  ["DELETED", pod("b", "13"), ["/a"], "changed", "13"],
  ["BOOKMARK", { kind: "Pod", metadata: { resourceVersion: "14" } }, ["/a"], "same", "14"],
  ["BOOKMARK", { kind: "Pod", metadata: null }, ["/a"], "same", "10"],
  ["ADDED", { metadata: { name: "b" } }, ["/a", "/b"], "changed", "10"],
])("applyEvent %s of %j leaves %j", (type, object, names, kind, version) => {
  const next = applyEvent(list(pod("a", "9")), event(type, object));
  expect(next.kind).toBe(kind);
  expect(next.kind !== "expired" && shown(next.cached)).toEqual({ names, version });
});
test("applyEvent puts the newer object in the older one's place, and leaves what it was given as it was", () => {
  const before = list(pod("a", "9", { namespace: "x", phase: "Pending" }));
  const next = applyEvent(before, event("MODIFIED", pod("a", "11", { namespace: "x", phase: "Running" })));
  expect(next.kind !== "expired" && next.cached.items.get("x/a")?.phase).toBe("Running");
  expect(before.items.get("x/a")?.phase).toBe("Pending");
  expect(before.version).toBe("10");
});

const GONE = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version: 10 (99)" };
test.each([
  ["the server's 410", event("ERROR", GONE), "too old resource version: 10 (99)"],
  ["an error without words", event("ERROR", {}), "the server ended the watch"],
  ["half a line", event("ADDED", pod("b", "11")).slice(0, -5), "an event that cannot be read"],
  ["a page", "<h1>bad gateway</h1>", "an event that cannot be read"],
  ["null", "null", "an event that cannot be read"],
  ["a number", "7", "an event that cannot be read"],
  ["an unknown type", event("RENAMED", pod("b", "11")), "an event that cannot be read"],
  ["no object", event("ADDED", null), "an event that cannot be read"],
  ["an object in words", event("ADDED", "b"), "an event that cannot be read"],
  ["an object without a name", event("ADDED", { metadata: {} }), "an event that cannot be read"],
  ["an object without metadata", event("DELETED", {}), "an event that cannot be read"],
])("applyEvent asks for a new list after %s", (_, line, reason) => {
  expect(applyEvent(list(pod("a", "9")), line)).toEqual({ kind: "expired", reason });
});
