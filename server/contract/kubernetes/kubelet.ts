// The kubelet: its configuration, its arguments, its first kubeconfig, and which labels and taints it may set itself.
// Sources: talos reference §4.4, §5.8; kubelet.config.k8s.io/v1beta1; Kubernetes' NodeRestriction plugin. Pure.
import { stringify } from "yaml";
import type { NodeConfig, Taint } from "../machine-config/node-config.ts";
import { renderArguments } from "./arguments.ts";
import { renderKubeconfig } from "./kubeconfig.ts";
import { type NodeFacts, PLATFORMS } from "./node-facts.ts";
import { configFile, NODE_PATHS, type NodeFile, secretFile } from "./node-paths.ts";

export const CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane";

/** @param staticPodUrl where the agent serves the control plane's pods; undefined on workers. */
export function kubeletConfiguration(config: NodeConfig, facts: NodeFacts, staticPodUrl: string | undefined) {
  const platform = PLATFORMS[facts.platform];
  const { kubelet, cluster, controlPlane } = config;
  return {
    address: "0.0.0.0",
    oomScoreAdj: -450,
    serializeImagePulls: false,
    failSwapOn: false,
    // The list of static pods comes from the agent beside it: asking is cheap, and a change shall not wait 20 s.
    ...(staticPodUrl === undefined ? {} : { httpCheckFrequency: "2s" }),
    systemReserved: {
      cpu: "50m",
      "ephemeral-storage": "256Mi",
      memory: controlPlane === undefined ? "384Mi" : "512Mi",
      pid: "100",
    },
    logging: { format: "json" },
    streamingConnectionIdleTimeout: "5m0s",
    tlsMinVersion: "VersionTLS13",
    // Its default lies in /usr, which is read-only.
    volumePluginDir: "/var/lib/kubelet/volumeplugins",
    ...kubelet.extraConfig,
    // From here on what a config cannot change: the decoder refuses these keys.
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: NODE_PATHS.kubeletCa },
    },
    authorization: { mode: "Webhook" },
    cgroupDriver: platform.cgroupDriver,
    failCgroupV1: platform.failCgroupV1,
    clusterDNS: [...kubelet.clusterDns],
    clusterDomain: cluster.dnsDomain,
    containerRuntimeEndpoint: `unix://${NODE_PATHS.containerdSocket}`,
    // A container's kernel settings are the host's.
    protectKernelDefaults: facts.platform === "metal",
    registerWithTaints: registrationTaints(config),
    resolvConf: NODE_PATHS.resolvConf,
    rotateCertificates: true,
    serverTLSBootstrap: true,
    ...(kubelet.seccompDefault ? { seccompDefault: true } : {}),
    ...(staticPodUrl === undefined ? {} : { staticPodURL: staticPodUrl }),
  };
}

export function kubeletArguments(config: NodeConfig, nodeIp: string): string[] {
  const labels = Object.entries(splitLabels(config).byKubelet).map(([key, value]) => `${key}=${value}`);
  const ours = {
    "bootstrap-kubeconfig": NODE_PATHS.kubeletBootstrap,
    "cert-dir": NODE_PATHS.kubeletPki,
    config: NODE_PATHS.kubeletConfig,
    "hostname-override": config.hostname,
    kubeconfig: NODE_PATHS.kubeletKubeconfig,
    "node-ip": nodeIp,
    ...(labels.length === 0 ? {} : { "node-labels": labels.sort().join(",") }),
  };
  return renderArguments(ours, config.kubelet.extraArgs);
}

/** All nodes reach the API servers through the balancer on the node, so that no kubeconfig knows an address. */
export const balancerUrl = (config: NodeConfig): string => `https://127.0.0.1:${config.cluster.balancerPort}`;

export function kubeletFiles(config: NodeConfig, facts: NodeFacts, staticPodUrl: string | undefined): NodeFile[] {
  const { name, caCrt, bootstrapToken } = config.cluster;
  const bootstrap = renderKubeconfig({
    cluster: name,
    server: balancerUrl(config),
    ca: caCrt,
    user: "kubelet-bootstrap",
    credential: { token: bootstrapToken },
  });
  return [
    configFile(NODE_PATHS.kubeletConfig, stringify(kubeletConfiguration(config, facts, staticPodUrl))),
    configFile(NODE_PATHS.kubeletCa, caCrt),
    secretFile(NODE_PATHS.kubeletBootstrap, bootstrap, 0),
  ];
}

/** Labels under Kubernetes' own domains that a kubelet may give its node (NodeRestriction, KEP-279). */
const ALLOWED_LABELS: ReadonlySet<string> = new Set([
  ...[
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
  ],
  ...["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type", "node.kubernetes.io/windows-build"],
  ...["topology.kubernetes.io/region", "topology.kubernetes.io/zone"],
  ...["failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone"],
]);
const ALLOWED_DOMAINS = ["kubelet.kubernetes.io", "node.kubernetes.io"];

function mayKubeletSet(key: string): boolean {
  const domain = key.includes("/") ? key.slice(0, key.indexOf("/")) : "";
  const isReserved = /(^|\.)(kubernetes|k8s)\.io$/.test(domain);
  const isAllowed = ALLOWED_DOMAINS.some((d) => domain === d || domain.endsWith(`.${d}`));
  return !isReserved || ALLOWED_LABELS.has(key) || isAllowed;
}

export type SplitLabels = { byKubelet: Record<string, string>; byControlPlane: Record<string, string> };
/** The config's labels, and the role's, by who sets them. */
export function splitLabels(config: NodeConfig): SplitLabels {
  const role = config.controlPlane === undefined ? {} : { [CONTROL_PLANE_LABEL]: "" };
  const entries = Object.entries({ ...role, ...config.labels });
  return {
    byKubelet: Object.fromEntries(entries.filter(([key]) => mayKubeletSet(key))),
    byControlPlane: Object.fromEntries(entries.filter(([key]) => !mayKubeletSet(key))),
  };
}

/** Taints that the node must have: the config's, and that of a control plane which is for nobody else. */
export function nodeTaints({ taints, controlPlane }: NodeConfig): Taint[] {
  const isShut = controlPlane !== undefined && !controlPlane.allowScheduling;
  const has = taints.some((t) => t.key === CONTROL_PLANE_LABEL);
  return isShut && !has ? [{ key: CONTROL_PLANE_LABEL, value: "", effect: "NoSchedule" }, ...taints] : [...taints];
}

/** Given at registration, so that no pod slips in before the control plane takes them over. */
const registrationTaints = (config: NodeConfig) =>
  nodeTaints(config).map(({ key, value, effect }) => ({ key, ...(value === "" ? {} : { value }), effect }));
