// Every file that a node's Kubernetes reads, from config, facts and issued certificates: one list, so that what is written
// and what is restarted for it come from the same values. Called by run-settle.ts. Pure.
import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { apiServerFiles } from "../../server/contract/kubernetes/api-server.ts";
import type { CertificatePlan } from "../../server/contract/kubernetes/certificates.ts";
import { containerdFiles } from "../../server/contract/kubernetes/containerd.ts";
import { controllerManagerFiles, schedulerFiles } from "../../server/contract/kubernetes/control-plane.ts";
import { etcdFiles } from "../../server/contract/kubernetes/etcd.ts";
import { type Credential, renderKubeconfig } from "../../server/contract/kubernetes/kubeconfig.ts";
import { kubeletFiles } from "../../server/contract/kubernetes/kubelet.ts";
import type { NodeFacts } from "../../server/contract/kubernetes/node-facts.ts";
import {
  configFile,
  NODE_PATHS,
  type NodeFile,
  RUN_AS,
  secretFile,
} from "../../server/contract/kubernetes/node-paths.ts";
import type { ControlPlane, NodeConfig } from "../../server/contract/machine-config/node-config.ts";
import { type ApiServer, renderBalancerConfig } from "./balancer.ts";
import type { Issued } from "./issue-certificates.ts";
import { staticPodUrl } from "./services.ts";

/** Directories that programs expect, beside those of the files. `uid` owns them. */
export type NodeDirectory = { path: string; uid: number; mode: number };

/** On EPHEMERAL: made once it is mounted. */
/** A new EPHEMERAL is empty: what tmpfiles made lies on the /var that it covers. */
const VAR_DIRECTORIES: readonly NodeDirectory[] = [
  { path: "/var/lib", uid: 0, mode: 0o755 },
  { path: "/var/log", uid: 0, mode: 0o755 },
  { path: "/var/tmp", uid: 0, mode: 0o1777 },
  { path: "/var/opt", uid: 0, mode: 0o755 },
  { path: "/var/opt/cni", uid: 0, mode: 0o755 },
];
/** Link → target. */
export const VAR_LINKS = { "/var/run": "../run" } as const;

export function nodeDirectories({ controlPlane }: NodeConfig): NodeDirectory[] {
  const shared = [
    ...VAR_DIRECTORIES,
    { path: "/var/lib/kubelet", uid: 0, mode: 0o700 },
    // The kubelet looks into it even though nothing lies there.
    { path: "/var/log/pods", uid: 0, mode: 0o755 },
    { path: "/var/opt/cni/bin", uid: 0, mode: 0o755 },
  ];
  if (controlPlane === undefined) return shared;
  return [
    ...shared,
    { path: NODE_PATHS.etcdData, uid: 0, mode: 0o700 },
    { path: NODE_PATHS.auditLog, uid: RUN_AS.apiServer, mode: 0o700 },
  ];
}

export type FileInput = {
  config: NodeConfig;
  facts: NodeFacts;
  plans: readonly CertificatePlan[];
  issued: Issued;
  servers: readonly ApiServer[];
  /** The CNI configuration, once the node has its part of the pods' network. */
  cni: string | undefined;
};

export function nodeFiles({ config, facts, plans, issued, servers, cni }: FileInput): NodeFile[] {
  const { controlPlane } = config;
  return [
    ...containerdFiles(config, facts),
    configFile(NODE_PATHS.balancerConfig, renderBalancerConfig(config.cluster.balancerPort, servers)),
    ...kubeletFiles(config, facts, staticPodUrl(config)),
    ...(cni === undefined ? [] : [configFile(`${NODE_PATHS.cniConfig}/10-slipway.conflist`, cni)]),
    ...(controlPlane === undefined ? [] : controlPlaneFiles(config, controlPlane, plans, issued)),
  ];
}

function controlPlaneFiles(
  config: NodeConfig,
  controlPlane: ControlPlane,
  plans: readonly CertificatePlan[],
  issued: Issued,
): NodeFile[] {
  const program = (name: "controller-manager" | "scheduler") => {
    const path = plans.find((plan) => plan.name === name)!.path!;
    return clientKubeconfig(config, controlPlane, name, { crtFile: `${path}.crt`, keyFile: `${path}.key` });
  };
  const admin = clientKubeconfig(config, controlPlane, "node-admin", issued.get("node-admin")!);
  return [
    ...plans.flatMap((plan) => certificateFiles(plan, issued)),
    ...apiServerFiles(controlPlane, publicKeyOfPem(controlPlane.serviceAccountKey)),
    ...controllerManagerFiles(controlPlane, program("controller-manager")),
    ...schedulerFiles(program("scheduler")),
    ...etcdFiles(controlPlane),
    // For a person with a console, and for what runs beside the agent.
    secretFile(`${NODE_PATHS.adminSecrets}/kubeconfig`, admin, 0),
  ];
}

const publicKeyOfPem = (pem: string): string =>
  createPublicKey(createPrivateKey(pem)).export({ type: "spki", format: "pem" }) as string;

/** Where its user reads it, and the agent's own copy for its next start. */
function certificateFiles(plan: CertificatePlan, issued: Issued): NodeFile[] {
  const { crt, key } = issued.get(plan.name)!;
  const pair = (path: string, uid: number) => [
    secretFile(`${path}.crt`, crt, uid),
    secretFile(`${path}.key`, key, uid),
  ];
  return [
    ...pair(`${NODE_PATHS.issued}/${plan.name}`, 0),
    ...(plan.path === undefined ? [] : pair(plan.path, plan.uid)),
  ];
}

/** To the node's own API server: what runs on one control plane node looks after that one. */
const clientKubeconfig = (
  config: NodeConfig,
  controlPlane: ControlPlane,
  user: string,
  credential: Credential,
): string =>
  renderKubeconfig({
    cluster: config.cluster.name,
    server: `https://127.0.0.1:${controlPlane.apiServerPort}`,
    ca: controlPlane.ca.crt,
    user,
    credential,
  });

/** What static pods read at their start only. Certificates are not among it: all three programs read theirs again. */
const READ_ONCE = {
  config: [NODE_PATHS.apiServerConfig, NODE_PATHS.schedulerConfig],
  secrets: [
    ...["ca.crt", "aggregator-ca.crt", "etcd-client-ca.crt", "encryptionconfig.yaml", "service-account.key"].map(
      (file) => `${NODE_PATHS.apiServerSecrets}/${file}`,
    ),
    ...["ca.crt", "ca.key", "service-account.key", "kubeconfig"].map(
      (file) => `${NODE_PATHS.controllerManagerSecrets}/${file}`,
    ),
    `${NODE_PATHS.schedulerSecrets}/kubeconfig`,
  ],
};

/** For the static pods' annotations: the kubelet starts a pod again whose annotation changes. */
export function podVersions(files: readonly NodeFile[]): NodeFacts["versions"] {
  const version = (paths: readonly string[]) => {
    const read = files.filter(({ path }) => paths.some((p) => path === p || path.startsWith(`${p}/`)));
    return createHash("sha256")
      .update(JSON.stringify(read.map(({ path, text }) => [path, text])))
      .digest("hex")
      .slice(0, 16);
  };
  return { config: version(READ_ONCE.config), secrets: version(READ_ONCE.secrets) };
}
