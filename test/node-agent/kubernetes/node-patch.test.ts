// Labels, annotations and taints of nodes: what is set, what goes away again, what others set and keeps.
import { expect, test } from "vitest";
import {
  type NodeObject,
  planNodePatch,
  type Wanted,
  wantedOfConfig,
  wantedOfPeer,
} from "../../../node-agent/kubernetes/node-patch.ts";
import { controlPlane, worker } from "../../server/contract/kubernetes/sample.ts";

const ROLE = "node-role.kubernetes.io/control-plane";
const wanted = (over: Partial<Wanted> = {}): Wanted => ({
  name: "n",
  labels: {},
  annotations: {},
  taints: [],
  ...over,
});
const node = (over: Partial<NodeObject["metadata"]> = {}, spec: NodeObject["spec"] = {}): NodeObject => ({
  metadata: { name: "n", resourceVersion: "7", ...over },
  spec,
});
/** The object after the patch, as RFC 7396 says. */
function patched(before: NodeObject, want: Wanted): NodeObject {
  const patch = planNodePatch(before, want);
  const merge = (to: unknown, from: unknown): unknown => {
    if (typeof from !== "object" || from === null || Array.isArray(from)) return from;
    const base = { ...(to as Record<string, unknown>) };
    for (const [key, value] of Object.entries(from)) {
      if (value === null) delete base[key];
      else base[key] = merge(base[key], value);
    }
    return base;
  };
  return patch === undefined ? before : (merge(before, patch) as NodeObject);
}
const dedicated = { key: "dedicated", value: "db", effect: "NoSchedule" } as const;

test("planNodePatch sets what is wanted once, and then nothing", () => {
  const want = wanted({ labels: { [ROLE]: "", rack: "a" }, annotations: { note: "x" }, taints: [dedicated] });
  const after = patched(node({ labels: { theirs: "1" } }), want);
  expect(after.metadata.labels).toEqual({ theirs: "1", [ROLE]: "", rack: "a" });
  expect(after.spec?.taints).toEqual([{ key: "dedicated", value: "db", effect: "NoSchedule" }]);
  expect(planNodePatch(after, want)).toBeUndefined();
});

test("planNodePatch says which version it has seen", () => {
  expect(planNodePatch(node(), wanted({ labels: { a: "b" } }))).toMatchObject({ metadata: { resourceVersion: "7" } });
});

test("what is wanted no more goes away again; what others set stays", () => {
  const before = patched(node(), wanted({ labels: { rack: "a" }, annotations: { note: "x" }, taints: [dedicated] }));
  const cordoned = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule", timeAdded: "2026-11-24T12:00:00Z" };
  const touched: NodeObject = {
    ...before,
    metadata: { ...before.metadata, labels: { ...before.metadata.labels, theirs: "1" } },
    spec: { taints: [...before.spec!.taints!, cordoned] },
  };
  const after = patched(touched, wanted());
  expect(after.metadata.labels).toEqual({ theirs: "1" });
  expect(after.metadata.annotations).toEqual({});
  expect(after.spec?.taints).toEqual([cordoned]);
});

test("a person's taint of the same key with another effect stays", () => {
  const theirs = { key: "dedicated", value: "x", effect: "NoExecute" };
  expect(patched(node({}, { taints: [theirs] }), wanted({ taints: [dedicated] })).spec?.taints).toEqual([
    theirs,
    { key: "dedicated", value: "db", effect: "NoSchedule" },
  ]);
});

test("annotations that somebody damaged are taken for none of ours", () => {
  const before = node({ labels: { a: "b" }, annotations: { "talos.dev/owned-labels": "not json" } });
  expect(patched(before, wanted()).metadata.labels).toEqual({ a: "b" });
});

test("wantedOfConfig gives a shut control plane its taint, an open one none", () => {
  expect(wantedOfConfig(controlPlane())).toMatchObject({
    labels: { [ROLE]: "" },
    taints: [{ key: ROLE, value: "", effect: "NoSchedule" }],
  });
  expect(wantedOfConfig(controlPlane({ cluster: "  allowSchedulingOnControlPlanes: true\n" })).taints).toEqual([]);
  expect(wantedOfConfig(worker({ machine: "  nodeAnnotations: {a: b}\n" }))).toMatchObject({
    labels: {},
    annotations: { a: "b" },
  });
});

test("wantedOfPeer reads taints and adds the control plane's own", () => {
  const peer = {
    name: "p",
    type: "controlplane",
    labels: {},
    annotations: {},
    taints: ["a=b:NoExecute", "c:NoSchedule"],
  };
  const read = [
    { key: "a", value: "b", effect: "NoExecute" },
    { key: "c", value: "", effect: "NoSchedule" },
  ];
  expect(wantedOfPeer(peer, true).taints).toEqual(read);
  expect(wantedOfPeer(peer, false).taints).toEqual([{ key: ROLE, value: "", effect: "NoSchedule" }, ...read]);
  expect(wantedOfPeer({ ...peer, type: "worker", taints: ["rubbish"] }, false)).toMatchObject({
    labels: {},
    taints: [],
  });
});
