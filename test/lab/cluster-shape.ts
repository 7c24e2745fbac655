// What a lab cluster is made of: how many machines of which role, in which order they are switched on, and what its config
// says differently where the processor is emulated. Pure. Called by cluster.ts and run-lab.ts.
import { stringify } from "yaml";

export type RoleName = "controlplane" | "worker";
export type ClusterShape = { controlPlanes: number; workers: number };
export type PlannedNode = { name: string; role: RoleName };

/** `1+2` → one control plane node and two workers. @returns undefined for anything else. */
export function parseShape(text: string): ClusterShape | undefined {
  const match = /^(\d{1,2})\+(\d{1,2})$/.exec(text);
  if (match === null) return undefined;
  const [controlPlanes, workers] = [Number(match[1]), Number(match[2])];
  return controlPlanes === 0 ? undefined : { controlPlanes, workers };
}

/** lab-cp1, lab-w1, lab-w2 …: control plane first. */
export const planNodes = (cluster: string, { controlPlanes, workers }: ClusterShape): PlannedNode[] => [
  ...range(controlPlanes).map((n): PlannedNode => ({ name: `${cluster}-cp${n}`, role: "controlplane" })),
  ...range(workers).map((n): PlannedNode => ({ name: `${cluster}-w${n}`, role: "worker" })),
];

const range = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

const LEADER = {
  "leader-elect-lease-duration": "120s",
  "leader-elect-renew-deadline": "90s",
  "leader-elect-retry-period": "15s",
};
const KUBELET = {
  extraConfig: {
    nodeStatusUpdateFrequency: "20s",
    nodeStatusReportFrequency: "10m",
    nodeLeaseDurationSeconds: 160,
    httpCheckFrequency: "10s",
    syncFrequency: "5m",
    volumeStatsAggPeriod: "10m",
  },
  extraArgs: { "housekeeping-interval": "60s" },
};

/**
 * Role documents for machines whose processor is emulated, ten to thirty times slower: heartbeats and leases that such a
 * machine can keep. Real machines need none of it.
 */
export function slowRoles(): string {
  const role = (name: RoleName, cluster: object) => ({
    apiVersion: "slipway.dev/v1alpha1",
    kind: "Role",
    metadata: { name },
    spec: { type: name, patches: [{ machine: { kubelet: KUBELET }, ...cluster }] },
  });
  const plane = {
    cluster: {
      // On one processor all wait for the API server: it comes first, and the others get enough to begin.
      apiServer: { resources: { requests: { cpu: "400m" } } },
      controllerManager: {
        extraArgs: { ...LEADER, "node-monitor-grace-period": "200s" },
        resources: { requests: { cpu: "100m" } },
      },
      scheduler: { extraArgs: LEADER, resources: { requests: { cpu: "50m" } } },
      etcd: {
        extraArgs: {
          "heartbeat-interval": "1000",
          "election-timeout": "10000",
          "watch-progress-notify-interval": "60s",
        },
      },
    },
  };
  return [role("controlplane", plane), role("worker", {})].map((document) => stringify(document)).join("---\n");
}
