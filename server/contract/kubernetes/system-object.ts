// The small objects that every part of kube-system needs around it. core-dns.ts, kube-proxy.ts, flannel.ts and
// bootstrap-objects.ts build with these. Pure.
import type { NodeConfig } from "../machine-config/node-config.ts";
import type { KubernetesObject } from "./static-pod.ts";

export const SYSTEM = "kube-system";
const RBAC = "rbac.authorization.k8s.io";

export type Subject = { kind: "ServiceAccount" | "Group" | "User"; name: string; namespace?: string };

export const serviceAccount = (name: string): KubernetesObject => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name, namespace: SYSTEM },
});

export const configMap = (name: string, data: Record<string, string>): KubernetesObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: SYSTEM },
  data,
});

export type Rule = {
  apiGroups: readonly string[];
  resources: readonly string[];
  /** Absent: all. */
  resourceNames?: readonly string[];
  verbs: readonly string[];
};
export const role = (name: string, rules: readonly Rule[]): KubernetesObject => ({
  apiVersion: `${RBAC}/v1`,
  kind: "ClusterRole",
  metadata: { name },
  rules,
});

/** @param to the ClusterRole's name. */
export const bind = (name: string, to: string, subjects: readonly Subject[]): KubernetesObject => ({
  apiVersion: `${RBAC}/v1`,
  kind: "ClusterRoleBinding",
  metadata: { name },
  roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: to },
  subjects: subjects.map((s) => (s.kind === "ServiceAccount" ? s : { apiGroup: RBAC, ...s })),
});

/** On every node, whatever its taints: without these nothing else runs there. */
export const EVERYWHERE = [
  { operator: "Exists", effect: "NoSchedule" },
  { operator: "Exists", effect: "NoExecute" },
];

/** Where pods of the host's network reach the API: the balancer, because the Service address needs kube-proxy first. */
export const apiAddress = ({ cluster }: NodeConfig) => [
  { name: "KUBERNETES_SERVICE_HOST", value: "127.0.0.1" },
  { name: "KUBERNETES_SERVICE_PORT", value: String(cluster.balancerPort) },
];

/** nft and its libraries are the OS's. */
export const OS_PROGRAMS = {
  volume: { name: "usr", hostPath: { path: "/usr", type: "Directory" } },
  mount: { name: "usr", mountPath: "/usr", readOnly: true },
};
