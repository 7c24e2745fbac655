// From what was observed to what the node says of itself: ready or what is missing, in words. Called by run-node.ts after
// each look. Source: contract/agent.proto NodeStatus. Pure.
import type {
  ClusterNode,
  Component,
  EtcdStatus,
  NodeStatus,
  PendingPod,
} from "../../server/contract/generated/agent.ts";
import type { NodeObject } from "./node-patch.ts";

/** A unit as `systemctl show` has it. */
export type UnitState = {
  activeState: string;
  subState: string;
  result: string;
  restarts: number;
  /** Of its last start, milliseconds since 1970. */
  startedAtMs: number;
  /** Its main process; undefined where it has none. */
  pid?: number;
};
export type PodObject = {
  metadata: {
    name: string;
    namespace: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: { kind: string; controller?: boolean }[];
  };
  spec?: { nodeName?: string };
  status?: {
    phase?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    containerStatuses?: {
      ready: boolean;
      restartCount: number;
      state?: {
        waiting?: { reason?: string; message?: string };
        running?: { startedAt?: string };
        terminated?: { reason?: string };
      };
    }[];
  };
};

/** All that was seen in the last look; undefined: nobody answered. */
export type Observation = {
  installId: string;
  isControlPlane: boolean;
  /** What keeps the node from running anything at all, in words. */
  setup: string | undefined;
  bootstrapObstacle: string | undefined;
  units: Readonly<Record<string, UnitState>>;
  etcd: EtcdStatus | undefined;
  isApiServerReady: boolean;
  /** Own Node object. */
  node: NodeObject | undefined;
  /** Why it was not to be had. */
  nodeFault: string;
  /** The API said that there is none of this name. */
  isNodeUnknown: boolean;
  /** Pods of kube-system on this node. */
  pods: readonly PodObject[];
  nodes: readonly NodeObject[];
  pending: readonly PodObject[];
  /** Of the cluster's own Deployments and DaemonSets, those that are not whole. */
  unfinished: readonly Component[];
  holdsEndpoint: boolean;
  configNotes: readonly string[];
  memoryAvailableBytes: number;
};

/**
 * Whether the node's own controller manager has begun, as its kubelet tells the API. After a power cut the API still shows the
 * one from before: it counts only when it is younger than the containerd that runs it.
 */
export const runsControllers = ({ pods, units }: Pick<Observation, "pods" | "units">): boolean =>
  pods.some(
    ({ metadata, status }) =>
      metadata.labels?.["k8s-app"] === "kube-controller-manager" &&
      (status?.containerStatuses ?? []).some(({ state }) => isYounger(state?.running?.startedAt, units.containerd)),
  );

/** The API's times are whole seconds. */
const isYounger = (time: string | undefined, unit: UnitState | undefined): boolean =>
  unit !== undefined && time !== undefined && Date.parse(time) + 1000 >= unit.startedAtMs;

export function nodeStatus(seen: Observation): NodeStatus {
  const reason = whatIsMissing(seen);
  return {
    installId: seen.installId,
    ready: reason === "",
    reason,
    components: [
      ...Object.entries(seen.units).map(unitComponent),
      ...seen.pods.filter(isSystemPart).map(podComponent),
      ...seen.unfinished,
    ],
    etcd: seen.etcd,
    bootstrapObstacle: seen.bootstrapObstacle ?? "",
    holdsEndpoint: seen.holdsEndpoint,
    nodes: seen.nodes.map(clusterNode),
    pendingPods: seen.pending.flatMap(pendingPod),
    configNotes: [...seen.configNotes],
    memoryAvailableBytes: BigInt(seen.memoryAvailableBytes),
  };
}

/** The first thing that keeps it from being ready, nearest to the cause. */
function whatIsMissing(seen: Observation): string {
  if (seen.setup !== undefined) return seen.setup;
  const down = Object.entries(seen.units).find(([, unit]) => unitComponent(["", unit]).state !== "running");
  if (down !== undefined) return `${down[0]} is ${unitComponent(["", down[1]]).detail}`;
  if (seen.isControlPlane) {
    const missing = controlPlaneMissing(seen);
    if (missing !== "") return missing;
  }
  if (seen.node === undefined) return `the cluster's API does not show this node yet: ${seen.nodeFault}`;
  const condition = readiness(seen.node);
  if (!condition.ready) return `the node is not Ready: ${condition.reason}`;
  return isOfToday(seen.node, seen.units.kubelet) ? "" : "its kubelet has not reported since its last start";
}

/** What the API shows may be from before a power cut: for 40 s it calls such a node Ready. */
function isOfToday(node: NodeObject, kubelet: UnitState | undefined): boolean {
  const heartbeat = node.status?.conditions?.find((c) => c.type === "Ready")?.lastHeartbeatTime;
  return isYounger(heartbeat, kubelet);
}

function controlPlaneMissing({ etcd, bootstrapObstacle, isApiServerReady }: Observation): string {
  if (etcd?.data?.$case === "none")
    return bootstrapObstacle ?? "it waits for the word to begin the cluster's data (etcd)";
  const why = etcd?.data?.$case === "unknown" ? `: ${etcd.data.value}` : "";
  if (etcd?.healthy !== true) return `etcd does not answer yet${why}`;
  return isApiServerReady ? "" : "its API server does not answer yet";
}

/** The Ready condition, and its words where it is not. */
export function readiness(node: NodeObject): { ready: boolean; reason: string } {
  const condition = node.status?.conditions?.find((c) => c.type === "Ready");
  if (condition?.status === "True") return { ready: true, reason: "" };
  if (condition === undefined) return { ready: false, reason: "its kubelet has said nothing yet" };
  return { ready: false, reason: condition.message || condition.reason || `Ready is ${condition.status}` };
}

const UNIT_STATES: Readonly<Record<string, string>> = {
  active: "running",
  reloading: "running",
  activating: "starting",
  inactive: "stopped",
  deactivating: "stopped",
  failed: "failed",
};

function unitComponent([name, unit]: [string, UnitState]): Component {
  // A unit that waits for its next start has failed just now.
  const isRestarting = unit.subState.startsWith("auto-restart");
  const state = isRestarting ? "failed" : (UNIT_STATES[unit.activeState] ?? "stopped");
  const result = unit.result === "success" || unit.result === "" ? "" : ` (${unit.result})`;
  const restarts = unit.restarts === 0 ? "" : `, restarted ${unit.restarts} times`;
  return { name, state, detail: state === "running" ? restarts.slice(2) : `${state}${result}${restarts}` };
}

const SYSTEM_PARTS = /^kube-|^coredns/;
const isSystemPart = (pod: PodObject): boolean =>
  pod.metadata.namespace === "kube-system" && SYSTEM_PARTS.test(pod.metadata.name) && !hasEnded(pod);

/**
 * A pod that has ended stays in the API's list for hours, and its ReplicaSet or DaemonSet has made another in its place: that
 * one is the part. Static pods, whose controller is the Node, have no other.
 */
function hasEnded({ metadata, status }: PodObject): boolean {
  const controller = metadata.ownerReferences?.find((owner) => owner.controller === true)?.kind;
  if (controller === "Node") return false;
  return status?.phase === "Succeeded" || (status?.phase === "Failed" && controller !== undefined);
}

function podComponent(pod: PodObject): Component {
  const name = pod.metadata.labels?.["k8s-app"] ?? pod.metadata.name;
  const [container] = pod.status?.containerStatuses ?? [];
  const restarts = container?.restartCount ? `, restarted ${container.restartCount} times` : "";
  if (container?.ready === true) return { name, state: "running", detail: restarts.slice(2) };
  const waiting = container?.state?.waiting;
  const why = waiting?.message ?? waiting?.reason ?? container?.state?.terminated?.reason ?? pod.status?.phase ?? "";
  const isFailing = /BackOff|Err|Error|Failed/.test(waiting?.reason ?? "") || pod.status?.phase === "Failed";
  return { name, state: isFailing ? "failed" : "starting", detail: `${why}${restarts}` };
}

function clusterNode(node: NodeObject): ClusterNode {
  const { ready, reason } = readiness(node);
  return {
    name: node.metadata.name,
    ready,
    reason,
    kubeletVersion: node.status?.nodeInfo?.kubeletVersion ?? "",
    address: node.status?.addresses?.find((a) => a.type === "InternalIP")?.address ?? "",
    unschedulable: node.spec?.unschedulable ?? false,
  };
}

/** A pod that no node may take, with the scheduler's own words. */
function pendingPod({ metadata, status }: PodObject): PendingPod[] {
  const condition = status?.conditions?.find((c) => c.type === "PodScheduled" && c.status === "False");
  if (condition?.reason !== "Unschedulable") return [];
  return [{ namespace: metadata.namespace, name: metadata.name, reason: condition.message ?? condition.reason }];
}

/** Whether two statuses say the same: free memory counts in steps of 16 MiB, else every look would be a change. */
export function isSameStatus(a: NodeStatus, b: NodeStatus): boolean {
  const shown = (s: NodeStatus) =>
    JSON.stringify({ ...s, memoryAvailableBytes: String(s.memoryAvailableBytes >> 24n) });
  return shown(a) === shown(b);
}
