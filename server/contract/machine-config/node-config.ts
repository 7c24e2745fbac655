// What a node has to do, from its machine config: every value there, Talos's defaults filled in, so that nobody behind this
// file asks "or what if it is absent?". kubernetes/ renders from it; the agent plans from it. Sources of the defaults: talos
// reference §4.4. Pure.
import { addressAt } from "./address.ts";
import type { MachineConfig } from "./fields.ts";
import type { Endpoint, TaintEffect } from "./values.ts";

type Machine = NonNullable<MachineConfig["machine"]>;
type Cluster = NonNullable<MachineConfig["cluster"]>;
export type InterfaceConfig = NonNullable<NonNullable<Machine["network"]>["interfaces"]>[number];
export type InstallConfig = NonNullable<Machine["install"]>;
export type Registries = NonNullable<Machine["registries"]>;
export type ExtraArgs = Readonly<Record<string, readonly string[]>>;
export type Resources = NonNullable<NonNullable<Cluster["apiServer"]>["resources"]>;
export type Taint = { key: string; value: string; effect: TaintEffect };
/** PEM. */
export type CertificateAndKey = { crt: string; key: string };

export type NodeConfig = {
  hostname: string;
  install: InstallConfig;
  network: {
    interfaces: readonly InterfaceConfig[];
    nameservers: readonly string[];
    searchDomains: readonly string[];
    disableSearchDomain: boolean;
    extraHosts: readonly { ip: string; aliases: readonly string[] }[];
  };
  /** `servers` empty: the appliance. `bootTimeoutMs` undefined: wait without end. */
  time: { disabled: boolean; servers: readonly string[]; bootTimeoutMs: number | undefined };
  sysctls: Readonly<Record<string, string>>;
  registries: Registries;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  kubelet: {
    clusterDns: readonly string[];
    extraArgs: ExtraArgs;
    extraConfig: Readonly<Record<string, unknown>>;
    seccompDefault: boolean;
    validSubnets: readonly string[];
  };
  cluster: {
    name: string;
    endpoint: Endpoint;
    dnsDomain: string;
    podSubnet: string;
    serviceSubnet: string;
    cni: "flannel" | "none";
    /** Port of the balancer on 127.0.0.1. */
    balancerPort: number;
    caCrt: string;
    bootstrapToken: string;
    proxy: { disabled: boolean; extraArgs: ExtraArgs };
  };
  /** Undefined on workers. */
  controlPlane: ControlPlane | undefined;
};

export type ControlPlane = {
  clusterId: string;
  apiServerPort: number;
  allowScheduling: boolean;
  ca: CertificateAndKey;
  aggregatorCa: CertificateAndKey;
  etcdCa: CertificateAndKey;
  serviceAccountKey: string;
  /** Base64 of 32 bytes. */
  secretboxKey: string;
  apiServer: {
    certSans: readonly string[];
    extraArgs: ExtraArgs;
    resources: Resources;
    admissionPlugins: readonly { name: string; configuration: Readonly<Record<string, unknown>> }[] | undefined;
    auditPolicy: Readonly<Record<string, unknown>> | undefined;
  };
  controllerManager: { extraArgs: ExtraArgs; resources: Resources };
  scheduler: { extraArgs: ExtraArgs; resources: Resources };
  etcd: { extraArgs: ExtraArgs; advertisedSubnets: readonly string[]; listenSubnets: readonly string[] };
  coreDnsDisabled: boolean;
  adminCertLifetimeMs: number;
};

/** Talos's defaults, by the field that they stand for. */
export const DEFAULTS = {
  "cluster.network.podSubnets": "10.244.0.0/16",
  "cluster.network.serviceSubnets": "10.96.0.0/12",
  "cluster.network.dnsDomain": "cluster.local",
  "cluster.controlPlane.localAPIServerPort": 6443,
  "machine.features.kubePrism.port": 7445,
  "cluster.adminKubeconfig.certLifetime": 8760 * 3_600_000,
} as const;

/** The tenth address of the Services' network is CoreDNS's, as kubeadm and Talos have it. */
export const dnsServiceIp = (serviceSubnet: string): string => addressAt(serviceSubnet, 10);

/** Only for a config that decodeMachineConfig passed: it has checked that all that is needed is there. */
export function nodeConfigOf(config: MachineConfig): NodeConfig {
  const machine = config.machine ?? {};
  const cluster = config.cluster ?? {};
  return {
    hostname: config.hostnameConfig?.hostname ?? machine.network?.hostname ?? "",
    install: machine.install ?? {},
    ...networkOf(machine),
    sysctls: machine.sysctls ?? {},
    registries: machine.registries ?? {},
    labels: machine.nodeLabels ?? {},
    annotations: machine.nodeAnnotations ?? {},
    taints: Object.entries(machine.nodeTaints ?? {}).map(([key, taint]) => ({ key, ...taint })),
    kubelet: kubeletOf(machine, cluster),
    cluster: clusterOf(machine, cluster),
    controlPlane: machine.type === "controlplane" ? controlPlaneOf(cluster) : undefined,
  };
}

function networkOf({ network = {}, time = {} }: Machine): Pick<NodeConfig, "network" | "time"> {
  return {
    network: {
      interfaces: network.interfaces ?? [],
      nameservers: network.nameservers ?? [],
      searchDomains: network.searchDomains ?? [],
      disableSearchDomain: network.disableSearchDomain ?? false,
      extraHosts: (network.extraHostEntries ?? []).map(({ ip = "", aliases = [] }) => ({ ip, aliases })),
    },
    time: { disabled: time.disabled ?? false, servers: time.servers ?? [], bootTimeoutMs: time.bootTimeout },
  };
}

const serviceSubnetOf = (cluster: Cluster): string =>
  cluster.network?.serviceSubnets?.[0] ?? DEFAULTS["cluster.network.serviceSubnets"];

function kubeletOf({ kubelet = {} }: Machine, cluster: Cluster): NodeConfig["kubelet"] {
  return {
    clusterDns: kubelet.clusterDNS ?? [dnsServiceIp(serviceSubnetOf(cluster))],
    extraArgs: kubelet.extraArgs ?? {},
    extraConfig: kubelet.extraConfig ?? {},
    seccompDefault: kubelet.defaultRuntimeSeccompProfileEnabled ?? false,
    validSubnets: kubelet.nodeIP?.validSubnets ?? [],
  };
}

function clusterOf(machine: Machine, cluster: Cluster): NodeConfig["cluster"] {
  const { network = {}, controlPlane, ca, token, proxy = {} } = cluster;
  return {
    name: cluster.clusterName ?? "default",
    endpoint: controlPlane!.endpoint!,
    dnsDomain: network.dnsDomain ?? DEFAULTS["cluster.network.dnsDomain"],
    podSubnet: network.podSubnets?.[0] ?? DEFAULTS["cluster.network.podSubnets"],
    serviceSubnet: serviceSubnetOf(cluster),
    cni: network.cni?.name ?? "flannel",
    balancerPort: machine.features?.kubePrism?.port ?? DEFAULTS["machine.features.kubePrism.port"],
    caCrt: ca!.crt!,
    bootstrapToken: token!,
    proxy: { disabled: proxy.disabled ?? false, extraArgs: proxy.extraArgs ?? {} },
  };
}

const pairOf = (pair: { crt?: string; key?: string } | undefined): CertificateAndKey => ({
  crt: pair!.crt!,
  key: pair!.key!,
});

function controlPlaneOf(cluster: Cluster): ControlPlane {
  const { apiServer = {}, controllerManager = {}, scheduler = {}, etcd = {} } = cluster;
  return {
    clusterId: cluster.id!,
    apiServerPort: cluster.controlPlane?.localAPIServerPort ?? DEFAULTS["cluster.controlPlane.localAPIServerPort"],
    allowScheduling: cluster.allowSchedulingOnControlPlanes ?? false,
    ca: pairOf(cluster.ca),
    aggregatorCa: pairOf(cluster.aggregatorCA),
    etcdCa: pairOf(etcd.ca),
    serviceAccountKey: cluster.serviceAccount!.key!,
    secretboxKey: cluster.secretboxEncryptionSecret!,
    apiServer: {
      certSans: apiServer.certSANs ?? [],
      extraArgs: apiServer.extraArgs ?? {},
      resources: apiServer.resources ?? {},
      admissionPlugins: apiServer.admissionControl?.map(({ name = "", configuration = {} }) => ({
        name,
        configuration,
      })),
      auditPolicy: apiServer.auditPolicy,
    },
    controllerManager: { extraArgs: controllerManager.extraArgs ?? {}, resources: controllerManager.resources ?? {} },
    scheduler: { extraArgs: scheduler.extraArgs ?? {}, resources: scheduler.resources ?? {} },
    etcd: {
      extraArgs: etcd.extraArgs ?? {},
      advertisedSubnets: etcd.advertisedSubnets ?? [],
      listenSubnets: etcd.listenSubnets ?? [],
    },
    coreDnsDisabled: cluster.coreDNS?.disabled ?? false,
    adminCertLifetimeMs: cluster.adminKubeconfig?.certLifetime ?? DEFAULTS["cluster.adminKubeconfig.certLifetime"],
  };
}
