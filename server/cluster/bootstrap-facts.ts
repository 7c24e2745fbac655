// What decideBootstrap looks at, gathered from the inventory's records and the nodes' own words. desk-service.ts calls it. Pure.
import type { ClusterRecord } from "../../inventory/cluster.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { NodeStatus } from "../contract/generated/agent.ts";
import { type BootstrapFacts, type BootstrapRecord, type ControlPlaneNode, SILENCE_LIMIT_MS } from "./bootstrap.ts";
import { bootstrapOf, callMachine, membersOf, type Site } from "./site.ts";

/** What is known of the nodes beside the inventory. Times in milliseconds since 1970. */
export type Heard = {
  /** Of machines that are heard now. */
  statuses: ReadonlyMap<string, NodeStatus>;
  /** When each machine was last heard by this process. */
  lastMs: ReadonlyMap<string, number>;
  /** Nobody was heard before this: silence is counted from here at the earliest, or each restart of the appliance would
   * begin with a cluster in doubt. */
  startedAtMs: number;
};

export function bootstrapFacts(cluster: ClusterRecord, site: Site, heard: Heard, nowMs: number): BootstrapFacts {
  const record = bootstrapOf(cluster);
  return {
    record,
    nodes: controlPlanes(cluster.name, record, site).map((machine) => nodeOf(machine, heard)),
    newDataPermittedAtMs: cluster.newDataPermittedAt,
    nowMs,
    silenceLimitMs: SILENCE_LIMIT_MS,
  };
}

/** Control planes by role, and every machine that is written down for the data: a change of role takes no data off a disk. */
function controlPlanes(cluster: string, record: BootstrapRecord, site: Site): Machine[] {
  const byRole = membersOf(cluster, site).filter(({ role }) => role.type === "controlplane");
  const ids = new Set([...byRole.map(({ machine }) => machine.id), ...writtenDown(record)]);
  return site.machines.filter((m) => ids.has(m.id));
}

const writtenDown = (record: BootstrapRecord): string[] =>
  record.kind === "intended"
    ? [record.nodeId]
    : record.kind === "confirmed"
      ? record.members.map((member) => member.nodeId)
      : [];

function nodeOf(machine: Machine, { statuses, lastMs, startedAtMs }: Heard): ControlPlaneNode {
  const installId = machine.installation?.installId;
  const status = statuses.get(machine.id);
  // A word about another installation than the one that is written down proves nothing about this one.
  const isReachable = status !== undefined && installId !== undefined && status.installId === installId;
  return {
    nodeId: machine.id,
    name: callMachine(machine),
    installId,
    isRetired: machine.lifecycle === "retired",
    heardAtMs: lastMs.get(machine.id) ?? startedAtMs,
    isReachable,
    etcd: isReachable ? etcdOf(status) : { kind: "unknown" },
    obstacle: isReachable && status.bootstrapObstacle !== "" ? status.bootstrapObstacle : undefined,
  };
}

function etcdOf({ etcd }: NodeStatus): ControlPlaneNode["etcd"] {
  if (etcd?.data?.$case === "none") return { kind: "none" };
  if (etcd?.data?.$case === "clusterId" && etcd.data.value !== "") return { kind: "data", clusterId: etcd.data.value };
  return { kind: "unknown" };
}
