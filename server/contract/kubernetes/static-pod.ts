// The control plane as static pods: names, labels and annotations that Talos's clients look for (`talosctl health`), in a
// tiny image into which the OS's own program is mounted. The agent serves the list to the kubelet. Sources: talos reference
// §3.2, §5.8; design §2 row 18. Pure.
import type { NodeConfig, Resources } from "../machine-config/node-config.ts";
import { apiServerArguments } from "./api-server.ts";
import { controllerManagerArguments, schedulerArguments } from "./control-plane.ts";
import type { NodeFacts } from "./node-facts.ts";
import { NODE_PATHS, PORTS, programImage, RUN_AS } from "./node-paths.ts";

/** A Kubernetes object as plain data. */
export type KubernetesObject = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [key: string]: unknown;
};

type Directory = { name: string; path: string; isWritable?: boolean };
type Program = {
  name: "kube-apiserver" | "kube-controller-manager" | "kube-scheduler";
  args: readonly string[];
  uid: number;
  directories: readonly Directory[];
  resources: Resources;
  /** Where `/healthz` answers without a certificate; the API server has no such place. */
  healthPort: number | undefined;
  least: { cpu: string; memory: string };
};

/** The three pods of a control plane node; none on a worker. @param nodeIp from chooseNodeIp. */
export function staticPods(config: NodeConfig, facts: NodeFacts, nodeIp: string): KubernetesObject[] {
  return programs(config, nodeIp).map((program) => pod(program, facts));
}

/** What the kubelet reads from `staticPodURL`. */
export const renderPodList = (pods: readonly KubernetesObject[]): string =>
  `${JSON.stringify({ apiVersion: "v1", kind: "PodList", items: pods })}\n`;

function programs(config: NodeConfig, nodeIp: string): Program[] {
  const { controlPlane } = config;
  if (controlPlane === undefined) return [];
  const secrets = (path: string): Directory => ({ name: "secrets", path });
  return [
    {
      name: "kube-apiserver",
      args: apiServerArguments(config, controlPlane, nodeIp),
      uid: RUN_AS.apiServer,
      directories: [
        secrets(NODE_PATHS.apiServerSecrets),
        { name: "config", path: NODE_PATHS.apiServerConfig },
        { name: "audit", path: NODE_PATHS.auditLog, isWritable: true },
      ],
      resources: controlPlane.apiServer.resources,
      healthPort: undefined,
      least: { cpu: "200m", memory: "512Mi" },
    },
    {
      name: "kube-controller-manager",
      args: controllerManagerArguments(config, controlPlane),
      uid: RUN_AS.controllerManager,
      directories: [secrets(NODE_PATHS.controllerManagerSecrets)],
      resources: controlPlane.controllerManager.resources,
      healthPort: PORTS.controllerManager,
      least: { cpu: "50m", memory: "256Mi" },
    },
    {
      name: "kube-scheduler",
      args: schedulerArguments(controlPlane),
      uid: RUN_AS.scheduler,
      directories: [secrets(NODE_PATHS.schedulerSecrets), { name: "config", path: NODE_PATHS.schedulerConfig }],
      resources: controlPlane.scheduler.resources,
      healthPort: PORTS.scheduler,
      least: { cpu: "10m", memory: "64Mi" },
    },
  ];
}

function pod(program: Program, facts: NodeFacts): KubernetesObject {
  const { name, uid, directories } = program;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "kube-system",
      annotations: {
        "talos.dev/config-version": facts.versions.config,
        "talos.dev/secrets-version": facts.versions.secrets,
      },
      labels: {
        tier: "control-plane",
        "k8s-app": name,
        component: name,
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/version": `v${facts.kubernetesVersion}`,
        "app.kubernetes.io/component": "control-plane",
        "app.kubernetes.io/managed-by": "Slipway-OS",
      },
    },
    spec: {
      priority: 2_000_000_000,
      priorityClassName: "system-cluster-critical",
      hostNetwork: true,
      securityContext: { runAsNonRoot: true, runAsUser: uid, runAsGroup: uid },
      containers: [container(program, facts)],
      volumes: [
        { name: "program", hostPath: { path: NODE_PATHS.kubernetesProgram, type: "File" } },
        ...directories.map(({ name: volume, path }) => ({ name: volume, hostPath: { path, type: "Directory" } })),
      ],
    },
  };
}

function container(program: Program, facts: NodeFacts) {
  const { name, args, directories, resources, healthPort, least } = program;
  const command = `/usr/local/bin/${name}`;
  const limits = resources.limits ?? {};
  return {
    name,
    image: programImage(facts.kubernetesVersion),
    imagePullPolicy: "Never",
    command: [command, ...args],
    env: [{ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
    volumeMounts: [
      { name: "program", mountPath: command, readOnly: true },
      ...directories.map((d) => ({ name: d.name, mountPath: d.path, readOnly: d.isWritable !== true })),
    ],
    ...(healthPort === undefined ? {} : probes(healthPort)),
    resources: {
      requests: { ...least, ...resources.requests },
      ...(Object.keys(limits).length === 0 ? {} : { limits }),
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
}

/** Five minutes to come up: an emulated or a very small machine needs two. After it, a hang of 45 s ends the container. */
function probes(port: number) {
  const httpGet = { path: "/healthz", host: "localhost", port, scheme: "HTTPS" };
  return {
    startupProbe: { httpGet, timeoutSeconds: 15, periodSeconds: 5, failureThreshold: 60 },
    livenessProbe: { httpGet, timeoutSeconds: 15, periodSeconds: 10, failureThreshold: 3 },
  };
}
