// What a node says of itself: the nearest cause first, in words; and which changes are none.
import { expect, test } from "vitest";
import type { NodeObject } from "../../../node-agent/kubernetes/node-patch.ts";
import {
  isSameStatus,
  nodeStatus,
  type Observation,
  type PodObject,
  runsControllers,
  type UnitState,
} from "../../../node-agent/kubernetes/node-status.ts";
import type { EtcdStatus } from "../../../server/contract/generated/agent.ts";

const STARTED = Date.parse("2026-11-24T12:00:00.400Z");
const unit = (over: Partial<UnitState> = {}): UnitState => ({
  ...{ activeState: "active", subState: "running", result: "success", restarts: 0, startedAtMs: STARTED },
  ...over,
});
const node = (over: { status?: string; message?: string; heartbeat?: string } = {}): NodeObject => ({
  metadata: { name: "cp-1" },
  spec: {},
  status: {
    conditions: [
      {
        type: "Ready",
        status: over.status ?? "True",
        message: over.message ?? "kubelet is posting ready status",
        lastHeartbeatTime: over.heartbeat ?? "2026-11-24T12:00:00Z",
      },
    ],
    addresses: [{ type: "InternalIP", address: "192.0.2.7" }],
    nodeInfo: { kubeletVersion: "v1.37.2" },
  },
});
const etcd = (over: Partial<EtcdStatus> = {}): EtcdStatus => ({
  ...{ data: { $case: "clusterId", value: "1" }, healthy: true, memberId: "2", members: ["cp-1"] },
  ...over,
});
const seen = (over: Partial<Observation> = {}): Observation => ({
  installId: "i",
  isControlPlane: true,
  setup: undefined,
  bootstrapObstacle: undefined,
  units: { containerd: unit(), etcd: unit(), kubelet: unit() },
  etcd: etcd(),
  isApiServerReady: true,
  node: node(),
  nodeFault: "",
  isNodeUnknown: false,
  pods: [],
  nodes: [node()],
  pending: [],
  unfinished: [],
  holdsEndpoint: true,
  configNotes: [],
  memoryAvailableBytes: 2 ** 30,
  ...over,
});

test("a node with everything is ready and says nothing more", () => {
  expect(nodeStatus(seen())).toMatchObject({ ready: true, reason: "", memoryAvailableBytes: 2n ** 30n });
  expect(nodeStatus(seen()).nodes).toEqual([
    {
      ...{ name: "cp-1", ready: true, reason: "", kubeletVersion: "v1.37.2" },
      ...{ address: "192.0.2.7", unschedulable: false },
    },
  ]);
});

const none = etcd({ data: { $case: "none", value: {} }, healthy: false, members: [] });
test.each<[string, Partial<Observation>, RegExp]>([
  ["its setup before all else", { setup: "its clock is not set", units: {} }, /^its clock is not set$/],
  [
    "a service that fails",
    { units: { containerd: unit({ activeState: "failed", result: "signal", restarts: 3 }) } },
    /^containerd is failed \(signal\), restarted 3 times$/,
  ],
  [
    "a service between two starts",
    { units: { kubelet: unit({ activeState: "activating", subState: "auto-restart" }) } },
    /^kubelet is failed/,
  ],
  [
    "a service that starts",
    { units: { etcd: unit({ activeState: "activating", subState: "start" }) } },
    /^etcd is starting$/,
  ],
  ["the word to begin", { etcd: none }, /waits for the word/],
  ["an obstacle to begin", { etcd: none, bootstrapObstacle: "its clock is not set" }, /^its clock is not set$/],
  ["etcd's silence", { etcd: etcd({ healthy: false }) }, /^etcd does not answer yet$/],
  [
    "why etcd's data cannot be told",
    { etcd: etcd({ data: { $case: "unknown", value: "x.wal is cut" }, healthy: false }) },
    /yet: x\.wal is cut$/,
  ],
  ["an API server's silence", { isApiServerReady: false }, /^its API server does not answer yet$/],
  ["a node that is not shown", { node: undefined, nodeFault: "not found" }, /does not show this node yet: not found$/],
  [
    "a node that is not Ready",
    { node: node({ status: "False", message: "cni plugin not initialized" }) },
    /^the node is not Ready: cni plugin/,
  ],
  [
    "a Ready from before a power cut",
    { node: node({ heartbeat: "2026-11-24T11:59:40Z" }) },
    /not reported since its last start$/,
  ],
])("nodeStatus names %s", (_, over, reason) => {
  const status = nodeStatus(seen(over));
  expect(status.ready).toBe(false);
  expect(status.reason).toMatch(reason);
});

test("a worker is ready without etcd and an API server of its own", () => {
  const over = { isControlPlane: false, etcd: undefined, isApiServerReady: false, units: { kubelet: unit() } };
  expect(nodeStatus(seen(over))).toMatchObject({ ready: true, etcd: undefined });
});

const pod = (status: PodObject["status"], name = "kube-proxy-x"): PodObject => ({
  metadata: { name, namespace: "kube-system", labels: { "k8s-app": "kube-proxy" } },
  status: status ?? {},
});
test.each<[string, PodObject["status"], string, string]>([
  ["running", { containerStatuses: [{ ready: true, restartCount: 2 }] }, "running", "restarted 2 times"],
  ["starting", { phase: "Pending" }, "starting", "Pending"],
  [
    "failing",
    {
      containerStatuses: [
        { ready: false, restartCount: 4, state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 40s" } } },
      ],
    },
    "failed",
    "back-off 40s, restarted 4 times",
  ],
])("a pod of the system that is %s", (_, status, state, detail) => {
  expect(nodeStatus(seen({ pods: [pod(status)], units: {} })).components).toEqual([
    { name: "kube-proxy", state, detail },
  ]);
});
test("pods of people are no components", () => {
  expect(nodeStatus(seen({ pods: [pod({}, "web-1")], units: {} })).components).toEqual([]);
});

const ended = (phase: string, kind?: string): PodObject => ({
  metadata: {
    ...pod({}, "coredns-x").metadata,
    ...(kind === undefined ? {} : { ownerReferences: [{ kind, controller: true }] }),
  },
  status: {
    phase,
    containerStatuses: [{ ready: false, restartCount: 0, state: { terminated: { reason: "Completed" } } }],
  },
});
test.each<[string, PodObject, string[]]>([
  ["a replaced pod that ended well is no part", ended("Succeeded", "ReplicaSet"), []],
  ["a replaced pod that failed is no part", ended("Failed", "ReplicaSet"), []],
  ["a pod of its own that ended well is no part", ended("Succeeded"), []],
  ["a pod of its own that failed is a failed part", ended("Failed"), ["failed"]],
  ["a static pod that ended is missing", ended("Succeeded", "Node"), ["starting"]],
  ["a static pod that failed is missing", ended("Failed", "Node"), ["failed"]],
  ["a pod whose container is between two runs is missing", ended("Running", "ReplicaSet"), ["starting"]],
])("%s", (_, one, states) => {
  const { components } = nodeStatus(seen({ pods: [one], units: {} }));
  expect(components.map(({ state }) => state)).toEqual(states);
});

const ran = { startedAt: "2026-11-24T12:00:00Z" };
const controllers = (
  state: { running?: { startedAt?: string }; waiting?: object },
  app = "kube-controller-manager",
): PodObject => ({
  metadata: { name: `${app}-cp-1`, namespace: "kube-system", labels: { "k8s-app": app } },
  status: { containerStatuses: [{ ready: false, restartCount: 0, state }] },
});
test.each<[string, PodObject[], boolean]>([
  ["no pods", [], false],
  ["one that runs, though it is not ready yet", [controllers({ running: ran })], true],
  ["one that waits", [controllers({ waiting: {} })], false],
  ["one whose kubelet has said nothing", [{ ...controllers({}), status: {} }], false],
  ["another pod that runs", [controllers({ running: ran }, "kube-scheduler")], false],
  ["one from before a power cut", [controllers({ running: { startedAt: "2026-11-24T11:59:59Z" } })], false],
  ["one that does not say since when", [controllers({ running: {} })], false],
])("runsControllers with %s", (_, pods, want) => {
  // containerd began at 12:00:00.4; the API's times are whole seconds.
  expect(runsControllers({ pods, units: { containerd: unit() } })).toBe(want);
});
test("runsControllers believes nothing while systemd has not said when containerd began", () => {
  expect(runsControllers({ pods: [controllers({ running: ran })], units: {} })).toBe(false);
});

test("pendingPods are those that no node may take, with the scheduler's words", () => {
  const waiting = (reason: string): PodObject => ({
    metadata: { name: "web", namespace: "default" },
    status: { conditions: [{ type: "PodScheduled", status: "False", reason, message: "0/1 nodes are available" }] },
  });
  expect(nodeStatus(seen({ pending: [waiting("Unschedulable"), waiting("SchedulingGated")] })).pendingPods).toEqual([
    { namespace: "default", name: "web", reason: "0/1 nodes are available" },
  ]);
});

test("isSameStatus takes a few kilobytes of memory for no change", () => {
  const status = nodeStatus(seen());
  expect(isSameStatus(status, { ...status, memoryAvailableBytes: status.memoryAvailableBytes + 4096n })).toBe(true);
  expect(isSameStatus(status, { ...status, memoryAvailableBytes: status.memoryAvailableBytes + 2n ** 25n })).toBe(
    false,
  );
  expect(isSameStatus(status, { ...status, ready: false })).toBe(false);
});
