// Where an object lies in the Kubernetes API. Only kinds that Slipway itself writes; apply-objects and the tests call it.
// Source: Kubernetes API conventions ("Resource URLs"). Pure.
import { SlipwayError } from "../../server/contract/errors.ts";
import type { KubernetesObject } from "../../server/contract/kubernetes/static-pod.ts";

/** `apiVersion/kind` → the resource's name in a URL. */
const RESOURCES: Readonly<Record<string, string>> = {
  "v1/ConfigMap": "configmaps",
  "v1/Secret": "secrets",
  "v1/Service": "services",
  "v1/ServiceAccount": "serviceaccounts",
  "apps/v1/DaemonSet": "daemonsets",
  "apps/v1/Deployment": "deployments",
  "rbac.authorization.k8s.io/v1/ClusterRole": "clusterroles",
  "rbac.authorization.k8s.io/v1/ClusterRoleBinding": "clusterrolebindings",
};

/** Path of one object, `/api/v1/namespaces/kube-system/configmaps/coredns`. @throws INTERNAL for a kind without a row. */
export function objectPath({ apiVersion, kind, metadata }: KubernetesObject): string {
  const resource = RESOURCES[`${apiVersion}/${kind}`];
  if (resource === undefined) {
    throw new SlipwayError("INTERNAL", `${apiVersion}/${kind} ${metadata.name}: no path is known for this kind`);
  }
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const namespace = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `${root}${namespace}/${resource}/${metadata.name}`;
}
