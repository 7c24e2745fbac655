// CoreDNS: two replicas behind the tenth Service address, under the names that kubeadm and Talos give it. Pure.
import { dnsServiceIp, type NodeConfig } from "../machine-config/node-config.ts";
import type { NodeFacts } from "./node-facts.ts";
import { NODE_PATHS, programImage } from "./node-paths.ts";
import type { KubernetesObject } from "./static-pod.ts";
import { bind, configMap, role, SYSTEM, serviceAccount } from "./system-object.ts";

const LABELS = { "k8s-app": "kube-dns" };
const NAMED = { ...LABELS, "kubernetes.io/name": "CoreDNS" };

/** Without upstream resolvers there is nobody to forward to: names inside the cluster work all the same. */
export function renderCorefile(dnsDomain: string, resolvers: readonly string[]): string {
  const forward =
    resolvers.length === 0
      ? ""
      : `    forward . ${resolvers.join(" ")} {\n        max_concurrent 1000\n    }\n    loop\n`;
  return `.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    log . {
        class error
    }
    prometheus :9153
    kubernetes ${dnsDomain} in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
${forward}    cache 30
    reload
    loadbalance
}
`;
}

export function coreDnsObjects({ cluster }: NodeConfig, facts: NodeFacts): KubernetesObject[] {
  return [
    serviceAccount("coredns"),
    role("system:coredns", [
      { apiGroups: [""], resources: ["endpoints", "services", "pods", "namespaces"], verbs: ["list", "watch"] },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
    ]),
    bind("system:coredns", "system:coredns", [{ kind: "ServiceAccount", name: "coredns", namespace: SYSTEM }]),
    configMap("coredns", { Corefile: renderCorefile(cluster.dnsDomain, facts.resolvers) }),
    deployment(facts),
    service(dnsServiceIp(cluster.serviceSubnet)),
  ];
}

function service(clusterIp: string): KubernetesObject {
  const port = (name: string, number: number, protocol: string) => ({
    name,
    port: number,
    protocol,
    targetPort: number,
  });
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "kube-dns",
      namespace: SYSTEM,
      labels: { ...NAMED, "kubernetes.io/cluster-service": "true" },
      annotations: { "prometheus.io/port": "9153", "prometheus.io/scrape": "true" },
    },
    spec: {
      clusterIP: clusterIp,
      clusterIPs: [clusterIp],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      selector: LABELS,
      ports: [port("dns", 53, "UDP"), port("dns-tcp", 53, "TCP"), port("metrics", 9153, "TCP")],
    },
  };
}

/**
 * Two on different nodes where there are two; on one node both run there, so neither is a condition. Both are wishes of the
 * scheduler's score: the spread also counts when nodes differ much in what else they run.
 */
const SPREAD = [
  {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: LABELS },
  },
];
const APART = {
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          topologyKey: "kubernetes.io/hostname",
          labelSelector: { matchExpressions: [{ key: "k8s-app", operator: "In", values: ["kube-dns"] }] },
        },
      },
    ],
  },
};

function deployment(facts: NodeFacts): KubernetesObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "coredns", namespace: SYSTEM, labels: NAMED },
    spec: {
      replicas: 2,
      selector: { matchLabels: LABELS },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels: LABELS },
        spec: {
          affinity: APART,
          topologySpreadConstraints: SPREAD,
          containers: [container(facts)],
          dnsPolicy: "Default",
          nodeSelector: { "kubernetes.io/os": "linux" },
          priorityClassName: "system-cluster-critical",
          serviceAccountName: "coredns",
          tolerations: [{ key: "node-role.kubernetes.io/control-plane", operator: "Exists", effect: "NoSchedule" }],
          volumes: [
            { name: "config-volume", configMap: { name: "coredns", items: [{ key: "Corefile", path: "Corefile" }] } },
            { name: "program", hostPath: { path: NODE_PATHS.coreDnsProgram, type: "File" } },
          ],
        },
      },
    },
  };
}

function container(facts: NodeFacts) {
  const command = "/usr/local/bin/coredns";
  return {
    name: "coredns",
    image: programImage(facts.kubernetesVersion),
    imagePullPolicy: "Never",
    command: [command, "-conf", "/etc/coredns/Corefile"],
    env: [{ name: "GOMEMLIMIT", value: "161MiB" }],
    ports: [
      { name: "dns", containerPort: 53, protocol: "UDP" },
      { name: "dns-tcp", containerPort: 53, protocol: "TCP" },
      { name: "metrics", containerPort: 9153, protocol: "TCP" },
    ],
    livenessProbe: {
      httpGet: { path: "/health", port: 8080, scheme: "HTTP" },
      initialDelaySeconds: 60,
      timeoutSeconds: 5,
      failureThreshold: 5,
    },
    readinessProbe: { httpGet: { path: "/ready", port: 8181, scheme: "HTTP" }, timeoutSeconds: 5 },
    resources: { limits: { memory: "170Mi" }, requests: { cpu: "100m", memory: "70Mi" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { add: ["NET_BIND_SERVICE"], drop: ["ALL"] },
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [
      { name: "config-volume", mountPath: "/etc/coredns", readOnly: true },
      { name: "program", mountPath: command, readOnly: true },
    ],
  };
}
