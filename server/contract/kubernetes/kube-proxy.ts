// kube-proxy in nftables mode, one on each node, under Talos's names. Source: talos reference §4.3, kubernetes reference §2
// (conntrack settings in containers). Pure.
import { stringify } from "yaml";
import type { NodeConfig } from "../machine-config/node-config.ts";
import { renderArguments } from "./arguments.ts";
import { balancerUrl } from "./kubelet.ts";
import { type NodeFacts, PLATFORMS } from "./node-facts.ts";
import { NODE_PATHS, programImage } from "./node-paths.ts";
import type { KubernetesObject } from "./static-pod.ts";
import { bind, configMap, EVERYWHERE, OS_PROGRAMS, SYSTEM, serviceAccount } from "./system-object.ts";

const LABELS = { "k8s-app": "kube-proxy", tier: "node" };
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The conntrack flags are the platform's, so all nodes of a cluster are of one platform. */
export function kubeProxyArguments({ cluster }: NodeConfig, { platform }: NodeFacts): string[] {
  const conntrack = Object.fromEntries(
    PLATFORMS[platform].conntrackFlags.map((flag) => flag.slice(2).split("=") as [string, string]),
  );
  const ours = {
    ...conntrack,
    "cluster-cidr": cluster.podSubnet,
    "hostname-override": "$(NODE_NAME)",
    kubeconfig: "/etc/kubernetes/kubeconfig",
    "proxy-mode": "nftables",
  };
  return renderArguments(ours, cluster.proxy.extraArgs);
}

export function kubeProxyObjects(config: NodeConfig, facts: NodeFacts): KubernetesObject[] {
  return [
    serviceAccount("kube-proxy"),
    bind("kube-proxy", "system:node-proxier", [{ kind: "ServiceAccount", name: "kube-proxy", namespace: SYSTEM }]),
    configMap("kubeconfig-in-cluster", { kubeconfig: inClusterKubeconfig(config) }),
    daemonSet(config, facts),
  ];
}

/** By the balancer on the node: the Service address is what kube-proxy has yet to make. */
function inClusterKubeconfig(config: NodeConfig): string {
  const cluster = { server: balancerUrl(config), "certificate-authority": `${ACCOUNT}/ca.crt` };
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "local", cluster }],
    users: [{ name: "service-account", user: { tokenFile: `${ACCOUNT}/token` } }],
    contexts: [{ name: "service-account-context", context: { cluster: "local", user: "service-account" } }],
    "current-context": "service-account-context",
  });
}

function daemonSet(config: NodeConfig, facts: NodeFacts): KubernetesObject {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const container = {
    name: "kube-proxy",
    image: programImage(facts.kubernetesVersion),
    imagePullPolicy: "Never",
    command: ["/opt/slipway/kube-proxy", ...kubeProxyArguments(config, facts)],
    env: [field("NODE_NAME", "spec.nodeName"), field("POD_IP", "status.podIP")],
    securityContext: { privileged: true },
    volumeMounts: [
      OS_PROGRAMS.mount,
      { name: "program", mountPath: "/opt/slipway/kube-proxy", readOnly: true },
      { name: "kubeconfig", mountPath: "/etc/kubernetes", readOnly: true },
    ],
  };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "kube-proxy", namespace: SYSTEM, labels: LABELS },
    spec: {
      selector: { matchLabels: LABELS },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels: LABELS },
        spec: {
          hostNetwork: true,
          priorityClassName: "system-node-critical",
          serviceAccountName: "kube-proxy",
          tolerations: EVERYWHERE,
          containers: [container],
          volumes: [
            OS_PROGRAMS.volume,
            { name: "program", hostPath: { path: NODE_PATHS.kubernetesProgram, type: "File" } },
            { name: "kubeconfig", configMap: { name: "kubeconfig-in-cluster" } },
          ],
        },
      },
    },
  };
}
