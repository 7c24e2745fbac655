// The one line of `cluster status`: green, or the first thing that is missing, with what a person does about it. The order of
// the rows is the order in which things depend on each other. Pure.
import type { ClusterStatus } from "./cluster-status.ts";

type Parts = Omit<ClusterStatus, "isGreen" | "summary" | "remedy">;
type Row = { find: (s: Parts) => string | undefined; remedy?: (s: Parts) => string | undefined };

const names = (list: readonly { name: string }[]): string => {
  const shown = list.slice(0, 3).map((one) => one.name);
  return list.length > 3 ? `${shown.join(", ")} and ${list.length - 3} more` : shown.join(", ");
};
const isBad = ({ bootstrap }: Parts): boolean => ["uncertain", "lost", "conflict"].includes(bootstrap.state);
const approved = ({ waiting }: Parts) => waiting.filter((m) => m.lifecycle !== "discovered");
const notReady = ({ nodes }: Parts) => nodes.filter((n) => !n.isReady);
const silentPlane = ({ nodes }: Parts) => nodes.find((n) => n.type === "controlplane" && !n.isHeard);
const faultyParts = ({ nodes }: Parts) =>
  nodes.flatMap((n) => n.components.filter((c) => c.state !== "running").map((c) => ({ ...c, node: n.name })));
/** The cluster's own pods; a person's pod that nothing fits is shown, and is not the cluster's fault. */
const ownPending = ({ pendingPods }: Parts) => pendingPods.filter((pod) => pod.namespace === "kube-system");

const ROWS: readonly Row[] = [
  {
    find: (s) => (s.endpoint === undefined ? "it has no endpoint" : undefined),
    remedy: (s) => `slipway cluster delete ${s.name}, then slipway cluster create ${s.name} --endpoint IP`,
  },
  {
    find: (s) => (isBad(s) ? `${s.bootstrap.state}: ${s.bootstrap.reason}` : undefined),
    remedy: (s) => s.bootstrap.remedy,
  },
  {
    find: (s) => (s.nodes.length + s.waiting.length === 0 ? "no machine belongs to it yet" : undefined),
    remedy: () => "slipway set MAC --role controlplane --approve",
  },
  {
    find: (s) => {
      const [first] = approved(s).filter((m) => m.waits !== "");
      return first === undefined ? undefined : `${first.name} waits: ${first.waits}`;
    },
    remedy: (s) => approved(s).find((m) => m.waits !== "")?.next || undefined,
  },
  {
    find: (s) =>
      approved(s).length > 0 ? `being installed: ${names(approved(s))} (${approved(s)[0]?.doing})` : undefined,
    remedy: (s) => `slipway events ${approved(s)[0]?.name} --follow`,
  },
  {
    find: (s) => {
      if (s.bootstrap.state === "done") return undefined;
      const silent = silentPlane(s);
      const who = silent === undefined ? "" : `; ${silent.name}: ${silent.reason}`;
      return `its control plane has not begun (${s.bootstrap.reason}${who})`;
    },
    remedy: (s) => {
      const silent = silentPlane(s);
      if (silent !== undefined) return `slipway events ${silent.name}`;
      const isNobody = s.nodes.length === 0 && approved(s).length === 0;
      return isNobody ? "slipway set MAC --role controlplane --approve" : undefined;
    },
  },
  {
    find: (s) => {
      const [first, ...more] = notReady(s);
      const also = more.length > 0 ? ` (and ${more.length} more)` : "";
      return first === undefined ? undefined : `${first.name} is not ready: ${first.reason}${also}`;
    },
    remedy: (s) => `slipway events ${notReady(s)[0]?.name}`,
  },
  {
    find: (s) => {
      const sick = s.etcd.members.find((m) => !m.isHealthy);
      return sick === undefined ? undefined : `etcd on ${sick.node}: ${sick.detail}`;
    },
    remedy: (s) => `slipway events ${s.etcd.members.find((m) => !m.isHealthy)?.node}`,
  },
  {
    find: (s) => {
      const [first, ...more] = faultyParts(s);
      const also = more.length > 0 ? ` (and ${more.length} more)` : "";
      const detail = first?.detail ? `, ${first.detail}` : "";
      return first === undefined ? undefined : `${first.name} on ${first.node} is ${first.state}${detail}${also}`;
    },
    remedy: (s) => `slipway events ${faultyParts(s)[0]?.node}`,
  },
  {
    find: (s) =>
      isAddress(s.endpoint) && s.endpointHolder === undefined ? `no node holds the endpoint ${s.endpoint}` : undefined,
    remedy: (s) => `slipway events ${s.nodes.find((n) => n.type === "controlplane")?.name ?? ""}`.trim(),
  },
  {
    find: (s) => {
      const [first] = ownPending(s);
      return first === undefined ? undefined : `pod ${first.name} finds no node: ${first.reason}`;
    },
    remedy: () => "add a worker (slipway set MAC --role worker --approve), or allowSchedulingOnControlPlanes: true",
  },
];

/** A name is held by DNS and whoever it leads to; nobody here can tell. */
const isAddress = (endpoint: string | undefined): boolean => /^https:\/\/[\d.]+:\d+$/.test(endpoint ?? "");

export function verdictOf(parts: Parts): Pick<ClusterStatus, "isGreen" | "summary" | "remedy"> {
  for (const { find, remedy } of ROWS) {
    const missing = find(parts);
    if (missing === undefined) continue;
    const next = remedy?.(parts);
    return { isGreen: false, summary: `not whole: ${missing}`, ...(next === undefined ? {} : { remedy: next }) };
  }
  const { nodes } = parts;
  return { isGreen: true, summary: `green: ${nodes.length} of ${nodes.length} nodes are Ready, etcd is healthy` };
}
