// The cluster's own Deployments and DaemonSets: which there should be, and which are not whole. A new cluster's pods are not
// there to be missed, so nothing else tells that they have still to come. Called by node-status.ts and run-observe.ts. Pure.
import type { Component } from "../../server/contract/generated/agent.ts";
import type { KubernetesObject } from "../../server/contract/kubernetes/static-pod.ts";

/** As apps/v1 has it, of either kind. */
export type WorkloadObject = {
  metadata: { name: string; namespace: string; generation?: number };
  spec?: { replicas?: number };
  status?: {
    observedGeneration?: number;
    availableReplicas?: number;
    desiredNumberScheduled?: number;
    numberAvailable?: number;
  };
};
/** `undefined`: the API does not say. */
export type Workloads = Readonly<Record<WorkloadKind, readonly WorkloadObject[] | undefined>>;
type WorkloadKind = "Deployment" | "DaemonSet";
export type WorkloadName = { kind: WorkloadKind; name: string };

/** Of all that a cluster is made of, what runs pods. */
export const workloadsOf = (objects: readonly KubernetesObject[]): WorkloadName[] =>
  objects.flatMap(({ kind, metadata }) =>
    kind === "Deployment" || kind === "DaemonSet" ? [{ kind, name: metadata.name }] : [],
  );

const COUNTS: Readonly<Record<WorkloadKind, (w: WorkloadObject) => { wanted: number; available: number }>> = {
  Deployment: ({ spec, status }) => ({ wanted: spec?.replicas ?? 1, available: status?.availableReplicas ?? 0 }),
  // None is wanted before its controller has looked at the nodes.
  DaemonSet: ({ status }) => ({
    wanted: status?.desiredNumberScheduled || 1,
    available: status?.numberAvailable ?? 0,
  }),
};

/** One component for each that is not whole. */
export const unfinishedWorkloads = (expected: readonly WorkloadName[], seen: Workloads): Component[] =>
  expected.flatMap(({ kind, name }) => {
    const list = seen[kind];
    if (list === undefined) return [];
    const found = list.find(({ metadata }) => metadata.name === name);
    if (found === undefined) return [{ name, state: "starting", detail: "it is not there yet" }];
    const { wanted, available } = COUNTS[kind](found);
    const isSeen = (found.status?.observedGeneration ?? 0) >= (found.metadata.generation ?? 0);
    if (isSeen && available >= wanted) return [];
    return [{ name, state: "starting", detail: `${available} of ${wanted} of its pods are available` }];
  });
