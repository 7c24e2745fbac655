// flannel's VXLAN backend, one on each node, under Talos's names. The node's CNI configuration is containerd.ts', so there is
// no init container that copies one. Source: flannel's kube subnet manager; talos reference §4.3 (port 4789). Pure.
import type { NodeConfig } from "../machine-config/node-config.ts";
import type { NodeFacts } from "./node-facts.ts";
import { NODE_PATHS, PORTS, programImage } from "./node-paths.ts";
import type { KubernetesObject } from "./static-pod.ts";
import { apiAddress, bind, configMap, EVERYWHERE, OS_PROGRAMS, role, SYSTEM, serviceAccount } from "./system-object.ts";

const LABELS = { "k8s-app": "flannel", tier: "node" };
const COMMAND = "/opt/slipway/flanneld";

/** What flannel reads as net-conf.json. */
export const renderFlannelNetwork = ({ cluster }: NodeConfig): string =>
  `${JSON.stringify({
    Network: cluster.podSubnet,
    EnableNFTables: true,
    Backend: { Type: "vxlan", Port: PORTS.vxlan },
  })}\n`;

export function flannelObjects(config: NodeConfig, facts: NodeFacts): KubernetesObject[] {
  return [
    serviceAccount("flannel"),
    role("flannel", [
      { apiGroups: [""], resources: ["pods", "nodes", "namespaces"], verbs: ["get", "list", "watch"] },
      { apiGroups: [""], resources: ["nodes/status"], verbs: ["patch"] },
    ]),
    bind("flannel", "flannel", [{ kind: "ServiceAccount", name: "flannel", namespace: SYSTEM }]),
    configMap("kube-flannel-cfg", { "net-conf.json": renderFlannelNetwork(config) }),
    daemonSet(config, facts),
  ];
}

function daemonSet(config: NodeConfig, facts: NodeFacts): KubernetesObject {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const container = {
    name: "kube-flannel",
    image: programImage(facts.kubernetesVersion),
    imagePullPolicy: "Never",
    // By address: the interface of the default route, flannel's own choice, is none where the network leads nowhere.
    command: [COMMAND, "--ip-masq", "--kube-subnet-mgr", "--iface=$(NODE_IP)"],
    env: [
      ...apiAddress(config),
      field("NODE_IP", "status.hostIP"),
      field("POD_NAME", "metadata.name"),
      field("POD_NAMESPACE", "metadata.namespace"),
      field("NODE_NAME", "spec.nodeName"),
      { name: "EVENT_QUEUE_DEPTH", value: "5000" },
    ],
    resources: { requests: { cpu: "100m", memory: "50Mi" } },
    securityContext: { privileged: false, capabilities: { add: ["NET_ADMIN", "NET_RAW"] } },
    volumeMounts: [
      OS_PROGRAMS.mount,
      { name: "program", mountPath: COMMAND, readOnly: true },
      { name: "run", mountPath: "/run/flannel" },
      { name: "flannel-cfg", mountPath: "/etc/kube-flannel" },
    ],
  };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "kube-flannel", namespace: SYSTEM, labels: LABELS },
    spec: {
      selector: { matchLabels: LABELS },
      template: {
        metadata: { labels: LABELS },
        spec: {
          hostNetwork: true,
          priorityClassName: "system-node-critical",
          serviceAccountName: "flannel",
          tolerations: EVERYWHERE,
          containers: [container],
          volumes: [
            OS_PROGRAMS.volume,
            { name: "program", hostPath: { path: NODE_PATHS.flannelProgram, type: "File" } },
            { name: "run", hostPath: { path: "/run/flannel", type: "DirectoryOrCreate" } },
            { name: "flannel-cfg", configMap: { name: "kube-flannel-cfg" } },
          ],
        },
      },
    },
  };
}
