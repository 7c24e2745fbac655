// How a cluster is, for a tired admin: the one line first, then what it is made of, then what is missing.
import type { ClusterStatusView } from "../rest/cluster-schema.ts";
import { age, renderPairs, renderSentences, size } from "./table.ts";

export function clusterTable(clusters: readonly ClusterStatusView[], width: number | undefined): string {
  if (clusters.length === 0) return "There is no cluster yet.\n  slipway cluster create NAME\n";
  const rows = clusters.map((c) => [c.name, c.endpoint ?? "-", String(c.nodes.length), c.summary]);
  return renderSentences(["CLUSTER", "ENDPOINT", "NODES", "STATE"], rows, width);
}

/** @param now milliseconds since 1970. */
export function clusterPage(status: ClusterStatusView, now: number, width: number | undefined): string {
  const parts = [
    `cluster ${status.name}: ${status.summary}\n${status.remedy === undefined ? "" : `  ${status.remedy}\n`}`,
    head(status),
    nodes(status, now, width),
    faultyParts(status, width),
    waiting(status, width),
    pods(status, width),
    notes(status),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function head(status: ClusterStatusView): string {
  const holder =
    status.endpointHolder === undefined ? "held by no node that is heard" : `held by ${status.endpointHolder}`;
  const members = status.etcd.members.map((m) => `${m.node} ${m.isHealthy ? "healthy" : "not healthy"} (${m.detail})`);
  const { bootstrap, etcd } = status;
  return renderPairs([
    ["endpoint", status.endpoint === undefined ? "none" : `${status.endpoint}, ${holder}`],
    [
      "etcd",
      [etcd.clusterId === undefined ? "" : `cluster ${etcd.clusterId}`, ...members].filter(Boolean).join("; ") ||
        "no member yet",
    ],
    ["bootstrap", `${bootstrap.state}: ${bootstrap.reason}`],
  ]);
}

function nodes({ nodes }: ClusterStatusView, now: number, width: number | undefined): string {
  if (nodes.length === 0) return "";
  const rows = nodes.map((n) => [
    n.name,
    n.type,
    `${n.isReady ? "Ready" : "not ready"}${n.isCordoned ? ", cordoned" : ""}`,
    n.since === undefined ? "-" : age(new Date(n.since).toISOString(), now),
    n.version ?? "-",
    n.address ?? "-",
    n.memoryAvailableBytes === undefined ? "-" : size(n.memoryAvailableBytes),
    n.reason,
  ]);
  const head = ["NODE", "ROLE", "STATE", "SINCE", "VERSION", "ADDRESS", "MEMORY FREE", "WHY"];
  return renderSentences(head, rows, width).replace(/ +$/gm, "");
}

function faultyParts({ nodes }: ClusterStatusView, width: number | undefined): string {
  const rows = nodes.flatMap((n) =>
    n.components.filter((c) => c.state !== "running").map((c) => [n.name, c.name, c.state, c.detail]),
  );
  return rows.length === 0 ? "" : renderSentences(["NODE", "PART", "STATE", "DETAIL"], rows, width);
}

function waiting({ waiting }: ClusterStatusView, width: number | undefined): string {
  if (waiting.length === 0) return "";
  const rows = waiting.map((m) => [m.name, m.lifecycle, m.doing, [m.waits, m.next].filter(Boolean).join(": ") || "-"]);
  return renderSentences(["NO NODE YET", "STATE", "DOES", "WAITS FOR"], rows, width);
}

function pods({ pendingPods }: ClusterStatusView, width: number | undefined): string {
  if (pendingPods.length === 0) return "";
  const rows = pendingPods.map((p) => [p.namespace, p.name, p.reason]);
  return renderSentences(["NAMESPACE", "POD THAT NO NODE MAY TAKE", "WHY"], rows, width);
}

/** Information, no fault: each config that the appliance renders has some. One line, whatever the number of nodes. */
function notes({ notes }: ClusterStatusView): string {
  const counts = new Map<string, number>();
  for (const { node } of notes) counts.set(node, (counts.get(node) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  if (most === undefined) return "";
  const [node, count] = most;
  const fields = `${counts.size > 1 ? "up to " : ""}${count} config field${count === 1 ? "" : "s"}`;
  const how = `${counts.size > 1 ? " a node" : ""} ${count === 1 ? "is" : "are"} kept for the Talos API or given by the OS image`;
  return `For information: ${fields}${how}; slipway config ${node} lists them\n`;
}
