// The table of the machine config's fields, third part: `cluster.*`. Read with fields-machine.ts.
// Source: talos reference appendix C.2 (ClusterConfig and below), §4.3 (what is generated) and §4.4 (meaning). Pure.
import { extraArgs, type Program } from "./extra-args.ts";
import { caPair, privateKey } from "./pem-values.ts";
import { done, fromImage, kept, list, map, object, refused, whole } from "./shape.ts";
import * as v from "./values.ts";

const INSIDE = "the program inside the OS image";
const NO_MOUNTS = "the control plane runs from the OS image; it mounts nothing else";
const NO_DISCOVERY = "the nodes find each other by the endpoint, and nothing leaves the site";
const BY_KUBECTL = "apply it with kubectl when the cluster is up";

const amounts = map(
  "cpu or memory",
  (key) => (["cpu", "memory"].includes(key) ? undefined : "cpu or memory"),
  v.quantity,
);
const RESOURCES = object({ requests: done(amounts, "reserved"), limits: done(amounts, "at most") });

/** What the three programs of the control plane have in common. */
const program = (name: Program) => ({
  image: fromImage(v.anyText, "container image", INSIDE),
  extraArgs: done(extraArgs(name), "arguments"),
  extraVolumes: refused("list of maps", "mounts of host directories", NO_MOUNTS),
  env: refused("map of strings", "environment", "no setting for it yet"),
  resources: done(RESOURCES, "what the pod reserves and may take"),
});

const ADMISSION = object({
  name: done(v.text, "the plugin's name"),
  configuration: done(whole("the plugin's configuration (a Kubernetes object)"), "its configuration"),
});

const API_SERVER = object({
  ...program("kube-apiserver"),
  certSANs: done(list(v.certificateName), "further names of its certificate"),
  disablePodSecurityPolicy: done(v.onlyFlag(true, "Kubernetes has no such policy any more"), "obsolete"),
  admissionControl: done(list(ADMISSION), "admission plugins; PodSecurity at baseline if absent"),
  auditPolicy: done(whole("an audit.k8s.io/v1 Policy"), "what is logged; metadata of everything if absent"),
  authorizationConfig: refused("list of maps", "further authorizers", "Node and RBAC decide; use RBAC"),
});

const CNI = object({
  name: done(v.oneOf("flannel", "none"), "flannel, or none for those who bring their own"),
  urls: refused("list of URLs", "manifests of a custom CNI", `write name: none, and ${BY_KUBECTL}`),
  flannel: done(
    object({
      extraArgs: refused("list of strings", "arguments of flannel", "flannel is built in, with fixed arguments"),
      kubeNetworkPoliciesEnabled: done(v.onlyFlag(false, "the image holds no policy engine"), "NetworkPolicy"),
    }),
    "flannel's settings",
  ),
});

const DISCOVERY = object({
  enabled: done(v.onlyFlag(false, NO_DISCOVERY), "ask a discovery service"),
  registries: kept(
    object({
      kubernetes: kept(object({ disabled: kept(v.flag, "off") }), "discovery by Kubernetes"),
      service: kept(object({ disabled: kept(v.flag, "off"), endpoint: kept(v.anyText, "URL") }), "discovery service"),
    }),
    "where to look; without meaning while discovery is off",
  ),
});

const ETCD = object({
  image: fromImage(v.anyText, "container image", "etcd inside the OS image, as a service of the OS"),
  ca: caPair("etcd's CA"),
  extraArgs: done(extraArgs("etcd"), "arguments"),
  subnet: refused("string", "network of the peers", "obsolete; use advertisedSubnets", [""]),
  advertisedSubnets: done(list(v.subnetFilter), "which of the node's addresses peers are told"),
  listenSubnets: done(list(v.subnetFilter), "which of the node's addresses it listens on"),
});

export const CLUSTER = object({
  id: done(v.base64Of(32, false), "the cluster's identity: names the one bootstrap that it may have"),
  secret: kept(v.base64Of(32), "key of the discovery service"),
  controlPlane: done(
    object({
      endpoint: done(v.endpoint, "where the API servers are reached; no node's own address"),
      localAPIServerPort: done(v.whole(1, 65_535), "port of each API server; 6443 if absent"),
    }),
    "the control plane's address",
  ),
  clusterName: done(
    v.textWhere("a name of letters, digits, - _ and .", (t) =>
      /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(t),
    ),
    "name in kubeconfigs",
  ),
  network: done(
    object({
      cni: done(CNI, "pod network"),
      dnsDomain: done(v.domain, "domain of Services; cluster.local if absent"),
      podSubnets: done(list(v.subnet), "addresses of pods; 10.244.0.0/16 if absent"),
      serviceSubnets: done(list(v.subnet), "addresses of Services; 10.96.0.0/12 if absent"),
    }),
    "addresses inside the cluster",
  ),
  token: done(v.token, "bootstrap token of kubelets"),
  aescbcEncryptionSecret: refused("string", "old encryption at rest", "make it a secretboxEncryptionSecret", [""]),
  secretboxEncryptionSecret: done(v.base64Of(32), "key that seals Secrets in etcd"),
  ca: caPair("Kubernetes CA"),
  acceptedCAs: refused("list of certificates", "further Kubernetes CAs", "CA rotation is not in this release"),
  aggregatorCA: caPair("CA of the aggregation layer"),
  serviceAccount: done(object({ key: done(privateKey, "private key") }), "signs service account tokens"),
  apiServer: done(API_SERVER, "kube-apiserver"),
  controllerManager: done(object(program("kube-controller-manager")), "kube-controller-manager"),
  proxy: done(
    object({
      disabled: done(v.flag, "no kube-proxy, for those who bring their own"),
      image: fromImage(v.anyText, "container image", INSIDE),
      mode: done(v.oneOf("nftables"), "the image holds nft, no iptables and no ipvsadm"),
      extraArgs: done(extraArgs("kube-proxy"), "arguments"),
    }),
    "kube-proxy",
  ),
  scheduler: done(
    object({
      ...program("kube-scheduler"),
      config: refused("map", "KubeSchedulerConfiguration", "no setting for it yet"),
    }),
    "kube-scheduler",
  ),
  discovery: done(DISCOVERY, "discovery of members"),
  etcd: done(ETCD, "etcd"),
  coreDNS: done(
    object({ disabled: done(v.flag, "no CoreDNS"), image: fromImage(v.anyText, "container image", INSIDE) }),
    "CoreDNS",
  ),
  externalCloudProvider: done(
    object({
      enabled: done(v.onlyFlag(false, "nodes would stay tainted until a controller comes"), "external cloud provider"),
      manifests: refused("list of URLs", "its manifests", BY_KUBECTL),
    }),
    "external cloud provider",
  ),
  extraManifests: refused("list of URLs", "further manifests", BY_KUBECTL),
  extraManifestHeaders: refused("map of strings", "headers to fetch them", BY_KUBECTL),
  inlineManifests: refused("list of maps", "further manifests", BY_KUBECTL),
  adminKubeconfig: done(
    object({ certLifetime: done(v.durationMs, "8760h if absent") }),
    "the administrator's kubeconfig",
  ),
  allowSchedulingOnMasters: refused("bool", "obsolete", "write allowSchedulingOnControlPlanes", [false]),
  allowSchedulingOnControlPlanes: done(v.flag, "pods may run on control plane nodes; false if absent"),
});
