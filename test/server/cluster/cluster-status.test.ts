// The one line of a cluster: each thing that can be missing, what it says and what a person does.
import { expect, test } from "vitest";
import type { Machine } from "../../../inventory/machine.ts";
import type { BootstrapDecision } from "../../../server/cluster/bootstrap.ts";
import { clusterStatus } from "../../../server/cluster/cluster-status.ts";
import type { ClusterNode, NodeStatus } from "../../../server/contract/generated/agent.ts";
import { data, nodeStatus } from "./desk.ts";

const base = (n: number, name: string, role: string): Machine => ({
  ...{ id: `m${n}`, macs: [`52:54:00:00:00:0${n}`], name, role, lifecycle: "ready", activity: "running" },
  installation: { installId: `i${n}`, number: 1, disk: "/dev/vda", at: 0 },
  ...{ createdAt: "", seenAt: "" },
});
const CP = base(1, "cp1", "controlplane");
const W = base(2, "w1", "worker");
const node = (name: string, over: Partial<ClusterNode> = {}): ClusterNode => ({
  ...{ name, ready: true, reason: "", kubeletVersion: "v1.37.2", address: "192.0.2.9", unschedulable: false },
  ...over,
});
const CP_STATUS = nodeStatus("i1", { etcd: data("abc"), holdsEndpoint: true, nodes: [node("cp1"), node("w1")] });
const DONE: BootstrapDecision = { kind: "done", reason: "etcd cluster abc runs" };

type Given = {
  machines?: Machine[];
  statuses?: Record<string, NodeStatus>;
  decision?: BootstrapDecision;
  waits?: string;
  endpoint?: string | null;
  inTouch?: string;
};
function look({
  machines = [CP, W],
  statuses = { m1: CP_STATUS, m2: nodeStatus("i2") },
  decision = DONE,
  waits,
  endpoint = "192.0.2.127",
  inTouch,
}: Given = {}) {
  const spec = endpoint === null ? {} : { endpoint };
  const record = { name: "rack1", spec, bootstrap: { kind: "never" }, createdAt: "2026-01-02T00:00:00Z" };
  return clusterStatus(record, {
    site: { clusters: [record], roles: [], machines },
    statusOf: (id) => statuses[id],
    sinceOf: () => 5,
    lastHeardMs: () => 3,
    waitOf: () => (waits === undefined ? undefined : { waits, next: "slipway do it" }),
    decision,
    isInTouch: (id) => id === inTouch,
  });
}
const without = <T extends object>(value: T, key: keyof T) => {
  const { [key]: _, ...rest } = value;
  return rest;
};
const fresh = (machine: Machine, over: Partial<Machine> = {}): Machine => ({
  ...(without(machine, "installation") as Machine),
  ...{ lifecycle: "approved", activity: "off", ...over },
});
const one = (over: Partial<NodeStatus>) => ({ m1: { ...CP_STATUS, ...over }, m2: nodeStatus("i2") });

test("a whole cluster is green and says what it is made of", () => {
  const status = look();
  expect(status).toMatchObject({
    isGreen: true,
    summary: "green: 2 of 2 nodes are Ready, etcd is healthy",
    endpointHolder: "cp1",
  });
  expect(status.nodes.map((n) => [n.name, n.isReady, n.version, n.since])).toEqual([
    ["cp1", true, "v1.37.2", 5],
    ["w1", true, "v1.37.2", 5],
  ]);
});

const CASES: [name: string, given: Given, summary: string, remedy: string | undefined][] = [
  [
    "no endpoint",
    { endpoint: null },
    "it has no endpoint",
    "slipway cluster delete rack1, then slipway cluster create rack1 --endpoint IP",
  ],
  [
    "lost",
    { decision: { kind: "lost", reason: "all gone", remedy: "`slipway cluster bootstrap NAME --new-data`" } },
    "lost: all gone",
    "`slipway cluster bootstrap rack1 --new-data`",
  ],
  ["nobody", { machines: [] }, "no machine belongs to it yet", "slipway set MAC --role controlplane --approve"],
  [
    "a machine that waits",
    { machines: [CP, fresh(W, { activity: "waiting" })], waits: "several clusters" },
    "w1 waits: several clusters",
    "slipway do it",
  ],
  ["a machine that is off", { machines: [CP, fresh(W)] }, "w1 waits: it is off: power it on", undefined],
  [
    "a failed install",
    {
      machines: [
        CP,
        fresh(W, {
          activity: "failed",
          install: { order: "o", mayWipe: false, orderedAt: 0, failure: { reason: "no disk", remedy: "put one in" } },
        }),
      ],
    },
    "w1 waits: no disk",
    "put one in",
  ],
  [
    "one being installed",
    { machines: [CP, fresh(W, { activity: "installing" })] },
    "being installed: w1 (installing)",
    "slipway events w1 --follow",
  ],
  [
    "nothing begun, and the control plane is being installed",
    {
      machines: [fresh(CP, { activity: "installing", activityReason: "step 1 of 9" })],
      decision: { kind: "wait", reason: "no control plane yet" },
    },
    "being installed: cp1 (installing: step 1 of 9)",
    "slipway events cp1 --follow",
  ],
  [
    "nothing begun, and the control plane is silent",
    { machines: [CP], statuses: {}, decision: { kind: "wait", reason: "no control plane yet" } },
    "its control plane has not begun (no control plane yet; cp1: its agent is not heard (running))",
    "slipway events cp1",
  ],
  [
    "nothing begun, for want of a control plane",
    { machines: [W], decision: { kind: "wait", reason: "no control plane yet" } },
    "its control plane has not begun (no control plane yet)",
    undefined,
  ],
  [
    "a silent node",
    { statuses: { m1: CP_STATUS } },
    "w1 is not ready: its agent is not heard (running); the cluster's API says Ready",
    "slipway events w1",
  ],
  [
    "a node's own word",
    { statuses: { m1: CP_STATUS, m2: nodeStatus("i2", { ready: false, reason: "kubelet is not up" }) } },
    "w1 is not ready: kubelet is not up",
    "slipway events w1",
  ],
  [
    "the API's word",
    { statuses: one({ nodes: [node("cp1"), node("w1", { ready: false, reason: "no CNI" })] }) },
    "w1 is not ready: no CNI",
    "slipway events w1",
  ],
  [
    "not in the list",
    { statuses: one({ nodes: [node("cp1")] }) },
    "w1 is not ready: it is not in the cluster's list of nodes yet",
    "slipway events w1",
  ],
  [
    "etcd",
    { statuses: one({ etcd: { ...data("abc"), healthy: false } }) },
    "etcd on cp1: does not answer",
    "slipway events cp1",
  ],
  [
    "a node that has just come",
    { statuses: { m1: CP_STATUS }, inTouch: "m2" },
    "w1 is not ready: its agent is in touch, and has not said yet how the node is",
    "slipway events w1",
  ],
  [
    "a part of a node",
    { statuses: one({ components: [{ name: "kube-scheduler", state: "starting", detail: "restarted 1 times" }] }) },
    "kube-scheduler on cp1 is starting, restarted 1 times",
    "slipway events cp1",
  ],
  [
    "the endpoint",
    { statuses: one({ holdsEndpoint: false }) },
    "no node holds the endpoint https://192.0.2.127:6443",
    "slipway events cp1",
  ],
  [
    "its own pods",
    { statuses: one({ pendingPods: [{ namespace: "kube-system", name: "coredns-1", reason: "0/2 nodes" }] }) },
    "pod coredns-1 finds no node: 0/2 nodes",
    "add a worker (slipway set MAC --role worker --approve), or allowSchedulingOnControlPlanes: true",
  ],
];
test.each(CASES)("not whole: %s", (_name, given, summary, remedy) => {
  const status = look(given);
  expect([status.isGreen, status.summary, status.remedy]).toEqual([false, `not whole: ${summary}`, remedy]);
});

test("a machine that nobody approved, a person's pod and a host name as endpoint do not count", () => {
  const stranger = fresh(base(3, "new", "worker"), { lifecycle: "discovered" });
  const pods = [{ namespace: "default", name: "big", reason: "Insufficient memory" }];
  const status = look({
    machines: [CP, W, stranger],
    statuses: { m1: { ...CP_STATUS, pendingPods: pods, holdsEndpoint: false }, m2: nodeStatus("i2") },
    endpoint: "k8s.example.org",
  });
  expect(status.isGreen).toBe(true);
  expect(status.pendingPods).toEqual(pods);
  expect(status.waiting).toEqual([
    {
      name: "new",
      lifecycle: "discovered",
      doing: "off",
      waits: "nobody approved it yet",
      next: "slipway approve new",
    },
  ]);
});
