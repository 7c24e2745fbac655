// Everything that a cluster needs from its first moment on, in the order of server-side apply: who may join, then proxy,
// network and names. The agent of a control plane node applies the list, again whenever it changes. Source: talos reference
// §5.8 (bootstrap manifests, RBAC of bootstrappers), Kubernetes' "TLS bootstrapping". Pure.
import type { NodeConfig } from "../machine-config/node-config.ts";
import { coreDnsObjects } from "./core-dns.ts";
import { flannelObjects } from "./flannel.ts";
import { kubeProxyObjects } from "./kube-proxy.ts";
import type { NodeFacts } from "./node-facts.ts";
import type { KubernetesObject } from "./static-pod.ts";
import { bind, role, type Subject, SYSTEM } from "./system-object.ts";

/** The name under which server-side apply owns the fields. */
export const FIELD_MANAGER = "slipway";

const NODES: Subject = { kind: "Group", name: "system:nodes" };
/** Whoever holds the bootstrap token. */
const BOOTSTRAPPERS: Subject = { kind: "Group", name: "system:bootstrappers:nodes" };
const API_SERVERS = "slipway:api-servers";
const CSR = "system:certificates.k8s.io:certificatesigningrequests";

export function bootstrapObjects({ cluster }: NodeConfig): KubernetesObject[] {
  const [id, secret] = cluster.bootstrapToken.split(".") as [string, string];
  return [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: `bootstrap-token-${id}`, namespace: SYSTEM },
      type: "bootstrap.kubernetes.io/token",
      stringData: {
        "token-id": id,
        "token-secret": secret,
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": BOOTSTRAPPERS.name,
      },
    },
    bind("system-bootstrap-node-bootstrapper", "system:node-bootstrapper", [BOOTSTRAPPERS, NODES]),
    bind("system-bootstrap-approve-node-client-csr", `${CSR}:nodeclient`, [BOOTSTRAPPERS]),
    bind("system-bootstrap-node-renewal", `${CSR}:selfnodeclient`, [NODES]),
    // Each node's balancer learns the API servers from the list that they keep of themselves.
    role(API_SERVERS, [
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], resourceNames: ["kubernetes"], verbs: ["get"] },
    ]),
    bind(API_SERVERS, API_SERVERS, [NODES]),
  ];
}

export function clusterObjects(config: NodeConfig, facts: NodeFacts): KubernetesObject[] {
  const { cluster, controlPlane } = config;
  return [
    ...bootstrapObjects(config),
    ...(cluster.proxy.disabled ? [] : kubeProxyObjects(config, facts)),
    ...(cluster.cni === "flannel" ? flannelObjects(config, facts) : []),
    ...(controlPlane?.coreDnsDisabled === false ? coreDnsObjects(config, facts) : []),
  ];
}
