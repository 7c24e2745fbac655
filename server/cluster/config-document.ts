// The v1alpha1 document of one machine before its patches, as plain data with Talos's keys in Talos's order. render-config.ts
// merges and writes it. Source: talos reference §4.3, "≤ 1.13 monolith", checked against `talosctl gen config` 1.13.9. Pure.
import { parseIpv4 } from "../../inventory/address.ts";
import { type CaPair, encodePem, type SecretsBundle } from "../contract/machine-config/secrets-bundle.ts";
import type { Cluster, Machine, Role } from "./topology.ts";

/** What is the same for all machines of a site. */
export type SiteSettings = {
  /** `1.37.2`: of the programs inside the image; named in the image references that clients read. */
  kubernetesVersion: string;
  /** URL of the appliance's image registry; undefined: none is rendered. */
  registryMirror?: string;
};
export type ConfigParts = {
  cluster: Cluster & { endpoint: string };
  role: Role;
  machine: Machine;
  bundle: SecretsBundle;
  site: SiteSettings;
};

type Plain = Record<string, unknown>;

/** The key only where it may be: a worker's disk must not hold what owns the cluster. */
const pair = ({ crt, key }: CaPair, withKey: boolean) => ({ crt: encodePem(crt), key: withKey ? encodePem(key) : "" });
const isControlPlane = ({ role }: ConfigParts): boolean => role.type === "controlplane";

/** PodSecurity as Talos's generator writes it: baseline enforced, restricted told. */
const POD_SECURITY = {
  name: "PodSecurity",
  configuration: {
    apiVersion: "pod-security.admission.config.k8s.io/v1alpha1",
    defaults: {
      audit: "restricted",
      "audit-version": "latest",
      enforce: "baseline",
      "enforce-version": "latest",
      warn: "restricted",
      "warn-version": "latest",
    },
    exemptions: { namespaces: ["kube-system"], runtimeClasses: [], usernames: [] },
    kind: "PodSecurityConfiguration",
  },
};
const AUDIT_POLICY = { apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "Metadata" }] };

export function v1alpha1Document(parts: ConfigParts): Plain {
  return {
    version: "v1alpha1",
    debug: false,
    persist: true,
    machine: machineSection(parts),
    cluster: clusterSection(parts),
  };
}

/** The hostname has a document of its own since the 1.12 contract. */
export const hostnameDocument = ({ machine }: ConfigParts): Plain => ({
  apiVersion: "v1alpha1",
  kind: "HostnameConfig",
  hostname: machine.name,
});

function machineSection(parts: ConfigParts): Plain {
  const { role, bundle, site, cluster } = parts;
  const { registryMirror } = site;
  return {
    type: role.type,
    token: bundle.trustdToken,
    ca: pair(bundle.certs.os, isControlPlane(parts)),
    certSANs: [],
    kubelet: {
      image: `ghcr.io/siderolabs/kubelet:v${site.kubernetesVersion}`,
      defaultRuntimeSeccompProfileEnabled: true,
      disableManifestsDirectory: true,
    },
    network: networkSection(parts),
    // A selector without conditions: the node's own rule chooses, and says why (docs/machine-config.md).
    install: { diskSelector: {}, wipe: false, grubUseUKICmdline: true },
    ...(registryMirror === undefined ? {} : { registries: { mirrors: { "*": { endpoints: [registryMirror] } } } }),
    ...(cluster.timeServers.length === 0 ? {} : { time: { servers: [...cluster.timeServers] } }),
    features: { kubePrism: { enabled: true, port: 7445 } },
    ...(isControlPlane(parts) ? { nodeLabels: { "node.kubernetes.io/exclude-from-external-load-balancers": "" } } : {}),
  };
}

/** A control plane may hold the endpoint, when that is an address, on the interface that it boots from. */
function networkSection(parts: ConfigParts): Plain {
  const { cluster, machine } = parts;
  const mac = machine.macs[0];
  if (!isControlPlane(parts) || mac === undefined || parseIpv4(cluster.endpoint) === undefined) return {};
  return { interfaces: [{ deviceSelector: { hardwareAddr: mac }, dhcp: true, vip: { ip: cluster.endpoint } }] };
}

function clusterSection(parts: ConfigParts): Plain {
  const { cluster, bundle } = parts;
  const { certs, secrets } = bundle;
  const all = {
    id: bundle.cluster.id,
    secret: bundle.cluster.secret,
    controlPlane: { endpoint: `https://${cluster.endpoint}:${cluster.port}` },
    clusterName: cluster.name,
    network: {
      ...(cluster.cni === "flannel" ? {} : { cni: { name: cluster.cni } }),
      dnsDomain: cluster.dnsDomain,
      podSubnets: [cluster.podSubnet],
      serviceSubnets: [cluster.serviceSubnet],
    },
    token: secrets.bootstrapToken,
  };
  const ca = { ca: pair(certs.k8s, isControlPlane(parts)) };
  // Nothing of Slipway's asks a discovery service: members are found by the endpoint.
  const discovery = { discovery: { enabled: false } };
  if (!isControlPlane(parts)) return { ...all, ...ca, ...discovery };
  return {
    ...all,
    secretboxEncryptionSecret: secrets.secretboxEncryptionSecret,
    ...ca,
    aggregatorCA: pair(certs.k8sAggregator, true),
    serviceAccount: { key: encodePem(certs.k8sServiceAccount.key) },
    ...programs(parts),
    ...discovery,
    etcd: { ca: pair(certs.etcd, true) },
    ...(cluster.allowSchedulingOnControlPlanes ? { allowSchedulingOnControlPlanes: true } : {}),
  };
}

function programs({ cluster, site }: ConfigParts): Plain {
  const image = (name: string) => `registry.k8s.io/${name}:v${site.kubernetesVersion}`;
  return {
    apiServer: {
      image: image("kube-apiserver"),
      ...(cluster.certSans.length === 0 ? {} : { certSANs: [...cluster.certSans] }),
      admissionControl: [POD_SECURITY],
      auditPolicy: AUDIT_POLICY,
    },
    controllerManager: { image: image("kube-controller-manager") },
    proxy: { image: image("kube-proxy") },
    scheduler: { image: image("kube-scheduler") },
  };
}
