// How a cluster is, as one document: nodes, etcd, control plane, who holds the endpoint, what is missing and what a person
// does about it. `slipway cluster status` shows it. Made from the inventory and from what the nodes said last. Pure.
import type { ClusterRecord } from "../../inventory/cluster.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { ClusterNode, NodeStatus } from "../contract/generated/agent.ts";
import type { ClusterWait } from "../grpc/cluster-port.ts";
import type { BootstrapDecision } from "./bootstrap.ts";
import { verdictOf } from "./cluster-verdict.ts";
import { callMachine, clusterOf, membersOf, type Site } from "./site.ts";

export type NodeView = {
  name: string;
  type: "controlplane" | "worker";
  isReady: boolean;
  /** What is missing; empty when ready. */
  reason: string;
  /** Milliseconds since 1970 since when it is so, as far as this appliance saw. */
  since?: number;
  version?: string;
  address?: string;
  isCordoned: boolean;
  isHeard: boolean;
  memoryAvailableBytes?: number;
  components: { name: string; state: string; detail: string }[];
};
export type WaitingView = { name: string; lifecycle: string; doing: string; waits: string; next: string };
export type ClusterStatus = {
  name: string;
  /** ISO-8601 UTC. */
  createdAt: string;
  endpoint?: string;
  /** Node that has the endpoint's address now. */
  endpointHolder?: string;
  isGreen: boolean;
  /** One sentence. */
  summary: string;
  remedy?: string;
  bootstrap: { state: string; reason: string; remedy?: string };
  etcd: { clusterId?: string; members: { node: string; isHealthy: boolean; detail: string }[] };
  nodes: NodeView[];
  /** Machines of the cluster that are no nodes yet. */
  waiting: WaitingView[];
  pendingPods: { namespace: string; name: string; reason: string }[];
  /** Accepted and not in force as written. */
  notes: { node: string; note: string }[];
};

/** What the desk knows beside the inventory. */
export type StatusFacts = {
  site: Site;
  statusOf(machineId: string): NodeStatus | undefined;
  /** When `ready` changed last. */
  sinceOf(machineId: string): number | undefined;
  lastHeardMs(machineId: string): number | undefined;
  waitOf(machine: Machine): ClusterWait | undefined;
  decision: BootstrapDecision | undefined;
  /** The step of an install with its bytes, newer than what is written down; undefined: there is none. */
  stepOf?(machine: Machine): string | undefined;
  /** Its agent's line stands, whether or not it has said how the node is. */
  isInTouch?(machineId: string): boolean;
};

export function clusterStatus(record: ClusterRecord, facts: StatusFacts): ClusterStatus {
  const { site, statusOf } = facts;
  const cluster = clusterOf(record);
  const members = membersOf(cluster.name, site).filter(({ machine }) => machine.lifecycle !== "retired");
  const installed = members.filter(({ machine }) => machine.installation !== undefined);
  const statuses = installed.flatMap(({ machine }) => statusOf(machine.id) ?? []);
  const told = statuses.find((s) => s.nodes.length > 0)?.nodes;
  const nodes = installed
    .map(({ machine, role }) => nodeView(machine, role.type, told, facts))
    .sort((a, b) => (a.type === b.type ? (a.name < b.name ? -1 : 1) : a.type === "controlplane" ? -1 : 1));
  const holder = installed.find(({ machine }) => statusOf(machine.id)?.holdsEndpoint);
  const { endpoint, port } = cluster;
  const parts = {
    ...{ name: cluster.name, createdAt: record.createdAt },
    ...(endpoint === undefined ? {} : { endpoint: `https://${endpoint}:${port}` }),
    ...(holder === undefined ? {} : { endpointHolder: callMachine(holder.machine) }),
    bootstrap: bootstrapView(facts.decision, cluster.name),
    etcd: etcdView(installed, statusOf),
    nodes,
    waiting: members
      .filter(({ machine }) => machine.installation === undefined)
      .map(({ machine }) => waitingView(machine, facts)),
    pendingPods: uniquePods(statuses),
    notes: installed.flatMap(({ machine }) =>
      (statusOf(machine.id)?.configNotes ?? []).map((note) => ({ node: callMachine(machine), note })),
    ),
  };
  return { ...parts, ...verdictOf(parts) };
}

function nodeView(
  machine: Machine,
  type: NodeView["type"],
  told: readonly ClusterNode[] | undefined,
  { statusOf, sinceOf, lastHeardMs, isInTouch }: StatusFacts,
): NodeView {
  const status = statusOf(machine.id);
  const node = told?.find((n) => n.name === machine.name);
  const since = status === undefined ? lastHeardMs(machine.id) : sinceOf(machine.id);
  const isStarting = status === undefined && isInTouch?.(machine.id) === true;
  const reason = isStarting ? STARTING : reasonOf(machine, status, node, told !== undefined);
  return {
    name: callMachine(machine),
    type,
    isReady: reason === "",
    reason,
    ...(since === undefined ? {} : { since }),
    ...(node?.kubeletVersion ? { version: node.kubeletVersion } : {}),
    ...(node?.address ? { address: node.address } : {}),
    isCordoned: node?.unschedulable ?? false,
    isHeard: status !== undefined,
    ...(status === undefined ? {} : { memoryAvailableBytes: Number(status.memoryAvailableBytes) }),
    components: (status?.components ?? []).map(({ name, state, detail }) => ({ name, state, detail })),
  };
}

const STARTING = "its agent is in touch, and has not said yet how the node is";

/** The node's own word and the API server's must both be good. */
function reasonOf(
  machine: Machine,
  status: NodeStatus | undefined,
  node: ClusterNode | undefined,
  isTold: boolean,
): string {
  if (status === undefined) {
    const why = machine.activity === "failed" && machine.activityReason ? `: ${machine.activityReason}` : "";
    const seen =
      node === undefined
        ? ""
        : node.ready
          ? "; the cluster's API says Ready"
          : `; the cluster's API says not ready (${node.reason})`;
    return `its agent is not heard (${machine.activity}${why})${seen}`;
  }
  if (!status.ready) return status.reason || "it says that it is not ready, without a reason";
  if (node !== undefined && !node.ready) return node.reason || "the cluster's API says not ready";
  if (node === undefined && isTold) return "it is not in the cluster's list of nodes yet";
  return "";
}

const STATES: Record<BootstrapDecision["kind"], string> = {
  wait: "waiting",
  intend: "chosen",
  tell: "beginning",
  confirm: "beginning",
  done: "done",
  uncertain: "uncertain",
  lost: "lost",
  conflict: "conflict",
};

function bootstrapView(decision: BootstrapDecision | undefined, cluster: string): ClusterStatus["bootstrap"] {
  if (decision === undefined) return { state: "waiting", reason: "it has not been looked at yet" };
  const { reason, remedy } = decision as { reason?: string; remedy?: string };
  return {
    state: STATES[decision.kind],
    reason: reason ?? "its first member has begun",
    ...(remedy === undefined ? {} : { remedy: remedy.replaceAll("NAME", cluster) }),
  };
}

function etcdView(
  installed: readonly { machine: Machine; role: { type: string } }[],
  statusOf: StatusFacts["statusOf"],
): ClusterStatus["etcd"] {
  const planes = installed.filter(({ role }) => role.type === "controlplane").map(({ machine }) => machine);
  const ids = planes.flatMap((m) => {
    const data = statusOf(m.id)?.etcd?.data;
    return data?.$case === "clusterId" ? [data.value] : [];
  });
  const members = planes.map((m) => {
    const etcd = statusOf(m.id)?.etcd;
    const detail =
      etcd === undefined
        ? "not heard"
        : etcd.data?.$case === "none"
          ? "no data yet"
          : etcd.data?.$case === "unknown"
            ? etcd.data.value
            : etcd.healthy
              ? `member ${etcd.memberId}`
              : "does not answer";
    return { node: callMachine(m), isHealthy: etcd?.healthy ?? false, detail };
  });
  return { ...(ids[0] === undefined ? {} : { clusterId: ids[0] }), members };
}

function waitingView(machine: Machine, { waitOf, stepOf }: StatusFacts): WaitingView {
  const { lifecycle, activity, install } = machine;
  const activityReason = stepOf?.(machine) ?? machine.activityReason;
  const isApproved = lifecycle !== "discovered";
  const wait = isApproved
    ? waitOf(machine)
    : { waits: "nobody approved it yet", next: `slipway approve ${callMachine(machine)}` };
  const failure = install?.failure;
  return {
    name: callMachine(machine),
    lifecycle,
    // Why it failed stands beside it, under what it waits for.
    doing: activityReason === undefined || failure !== undefined ? activity : `${activity}: ${activityReason}`,
    waits: failure?.reason ?? wait?.waits ?? (activity === "off" ? "it is off: power it on" : ""),
    next: failure?.remedy ?? wait?.next ?? "",
  };
}

/** Each control plane tells the same pods. */
function uniquePods(statuses: readonly NodeStatus[]): ClusterStatus["pendingPods"] {
  const all = statuses.flatMap((s) =>
    s.pendingPods.map(({ namespace, name, reason }) => ({ namespace, name, reason })),
  );
  return [...new Map(all.map((pod) => [`${pod.namespace}/${pod.name}`, pod])).values()];
}
