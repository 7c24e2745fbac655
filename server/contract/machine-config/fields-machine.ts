// The table of the machine config's fields, first part: `machine.*` but the network. One row a field: its shape, what
// becomes of it on Slipway OS, and what it means. fields.ts joins the parts; docs/machine-config.md is written from them.
// Source: talos reference appendix C.2 (every field of MachineConfig) and §4.4 (meaning). Pure.
import { sizeExpression } from "./disk-size.ts";
import { extraArgs } from "./extra-args.ts";
import { NETWORK } from "./fields-network.ts";
import { certificate, keptCaPair } from "./pem-values.ts";
import { done, fromImage, kept, list, map, object, refused, whole } from "./shape.ts";
import * as v from "./values.ts";

const SIGNED = "the image is one signed file";
const NO_FILES = "the root is the signed image; ask for a setting of its own";

const DISK_SELECTOR = object({
  size: done(sizeExpression, "`4GB`, `>= 100GB`, `< 2TiB`"),
  name: refused("string", "the disk's name in sysfs", "Talos does not match by it either; use model, serial or wwid", [
    "",
  ]),
  model: done(v.text, "glob over the model; * stands for any characters"),
  serial: done(v.text, "glob over the serial number"),
  modalias: done(v.text, "glob over the kernel's modalias"),
  uuid: done(v.text, "glob over the disk's UUID"),
  wwid: done(v.text, "glob over the worldwide id"),
  type: done(v.oneOf("ssd", "hdd", "nvme", "sd"), "kind of disk"),
  busPath: done(v.text, "glob over the path in sysfs, such as /pci0000:00/*"),
});

const INSTALL = object({
  disk: done(
    v.textWhere("a device such as /dev/sda", (t) => /^\/dev\/[\w./:+@-]+$/.test(t) && !t.includes("..")),
    "the disk to install to; a diskSelector goes before it",
  ),
  diskSelector: done(DISK_SELECTOR, "chooses the disk by what it is"),
  extraKernelArgs: refused("list of strings", "kernel arguments", `they are part of the image: ${SIGNED}`),
  image: fromImage(v.anyText, "installer image", "the image that the appliance serves"),
  extensions: refused("list of maps", "system extensions", SIGNED),
  bootloader: done(v.onlyFlag(true, "without a loader the disk would not boot"), "install a boot loader"),
  wipe: done(v.flag, "take a disk that holds foreign data, and erase it"),
  legacyBIOSSupport: fromImage(v.flag, "boot on BIOS machines", "what the machine's firmware needs"),
  grubUseUKICmdline: fromImage(v.flag, "take the kernel's arguments from the image", "true"),
});

/** Keys of KubeletConfiguration that Slipway OS sets itself (Talos's protected ones, and what kubernetes/kubelet.ts needs). */
const KUBELET_OURS: readonly string[] = [
  ...["apiVersion", "kind", "authentication", "authorization", "cgroupRoot", "kubeletCgroups", "systemCgroups", "port"],
  ...["protectKernelDefaults", "resolvConf", "rotateCertificates", "staticPodPath", "staticPodURL", "seccompDefault"],
  ...["cgroupDriver", "failCgroupV1", "containerRuntimeEndpoint", "serverTLSBootstrap", "clusterDNS", "clusterDomain"],
  ...["registerWithTaints", "tlsCertFile", "tlsPrivateKeyFile", "__proto__"],
];

const KUBELET = object({
  image: fromImage(v.anyText, "kubelet image", "the kubelet inside the OS image"),
  clusterDNS: done(list(v.hostIpv4), "DNS servers of pods; the tenth service address if none"),
  extraArgs: done(extraArgs("kubelet"), "arguments of the kubelet"),
  extraMounts: refused("list of maps", "mounts into the kubelet's container", "the kubelet runs on the host itself"),
  extraConfig: done(
    whole("a KubeletConfiguration without apiVersion and kind", (key) =>
      KUBELET_OURS.includes(key) ? "left to Slipway OS, which sets it itself" : undefined,
    ),
    "fields of KubeletConfiguration, over Slipway's own",
  ),
  credentialProviderConfig: refused("map", "registry credential plugins", "the image holds no plugins"),
  defaultRuntimeSeccompProfileEnabled: done(v.flag, "RuntimeDefault seccomp for pods that ask for none"),
  registerWithFQDN: done(v.onlyFlag(false, "a node's name is its hostname as written"), "full name as node name"),
  nodeIP: done(object({ validSubnets: done(list(v.subnetFilter), "which addresses count") }), "the node's address"),
  skipNodeRegistration: done(v.onlyFlag(false, "a node that is none has nothing to run"), "kubelet without a node"),
  disableManifestsDirectory: done(v.onlyFlag(true, "static pods come from the agent"), "no /etc/kubernetes/manifests"),
});

const MIRROR = object({
  endpoints: done(list(v.httpUrl), "registries to ask, in this order"),
  overridePath: done(v.flag, "the endpoint's path is the whole API path (no /v2 added)"),
  skipFallback: done(v.flag, "never ask the registry itself"),
});
const hostFault = (key: string): string | undefined =>
  key === "*" || /^[a-z0-9.-]+(:\d{1,5})?$/i.test(key) ? undefined : "a registry's host such as docker.io, or *";
const REGISTRY = object({
  tls: done(
    object({
      clientIdentity: refused("map", "client certificate", "kept out of files until credentials are sealed"),
      ca: done(certificate, "CA of the registry"),
      insecureSkipVerify: done(v.flag, "trust any certificate"),
    }),
    "how to trust the registry",
  ),
  auth: refused("map", "user and password", "kept out of files until credentials are sealed; use imagePullSecrets"),
});

const TALOS_API = "the Talos API is not served yet; leave it out or disabled";
const FEATURES = object({
  rbac: kept(v.onlyFlag(true, "roles are always checked"), "roles of the Talos API"),
  stableHostname: fromImage(v.flag, "derive a hostname from the machine", "the hostname given, always"),
  kubernetesTalosAPIAccess: done(
    object({
      enabled: done(v.onlyFlag(false, TALOS_API), "Talos API from pods"),
      allowedRoles: refused("list of strings", "roles", TALOS_API),
      allowedKubernetesNamespaces: refused("list of strings", "namespaces", TALOS_API),
    }),
    "Talos API from pods",
  ),
  apidCheckExtKeyUsage: kept(v.onlyFlag(true, "key usage is always checked"), "check client certificates' usage"),
  diskQuotaSupport: fromImage(v.flag, "project quotas on EPHEMERAL", "no quotas: the kubelet counts by walking"),
  kubePrism: done(
    object({
      enabled: done(v.onlyFlag(true, "kubelet and pods reach the API servers through it"), "balancer on the node"),
      port: done(v.whole(1, 65_535), "its port on 127.0.0.1; 7445 if absent"),
    }),
    "balancer over the API servers on 127.0.0.1",
  ),
  hostDNS: fromImage(
    object({
      enabled: fromImage(v.flag, "caching resolver on the node", "false"),
      forwardKubeDNSToHost: fromImage(v.flag, "CoreDNS asks it", "false: CoreDNS asks the node's resolvers"),
      resolveMemberNames: done(v.onlyFlag(false, "members are not found without discovery"), "names of members"),
    }),
    "caching resolver on the node",
    "none: pods ask CoreDNS, which asks the node's resolvers",
  ),
  imageCache: done(
    object({ localEnabled: done(v.onlyFlag(false, "the appliance serves images; name it as mirror"), "image cache") }),
    "image cache on the disk",
  ),
  nodeAddressSortAlgorithm: kept(v.oneOf("v1", "v2"), "order of addresses in the Talos API"),
});

const LATER_VOLUMES = "disks beside the system disk are left alone";
export const MACHINE = object({
  type: done(v.oneOf("controlplane", "worker"), "role in the cluster; `init` is obsolete, write controlplane"),
  token: kept(v.token, "trustd join token"),
  ca: keptCaPair("OS CA"),
  acceptedCAs: kept(list(object({ crt: kept(certificate, "certificate") })), "further OS CAs that are trusted"),
  certSANs: kept(list(v.certificateName), "names of the Talos API's certificate"),
  controlPlane: refused("map", "switch off controller manager or scheduler", "a control plane without them is none"),
  kubelet: done(KUBELET, "kubelet"),
  pods: refused("list of pods", "own static pods", "use a DaemonSet; static pods are the control plane's"),
  network: done(NETWORK, "network"),
  disks: refused("list of maps", "partitions on other disks", LATER_VOLUMES),
  install: done(INSTALL, "installation to disk"),
  files: refused("list of maps", "files on the root", NO_FILES),
  env: refused("map of strings", "environment of the OS's services", "no proxy settings yet; name a registry mirror"),
  time: done(
    object({
      disabled: done(v.flag, "keep no time at all"),
      servers: done(list(v.domainOrIp), "NTP servers; the appliance if none"),
      bootTimeout: done(v.durationMs, "how long the start waits for the right time; no end if absent"),
    }),
    "time",
  ),
  sysctls: done(map("kernel parameters", sysctlFault, v.anyText), "kernel parameters, dotted"),
  sysfs: refused("map of strings", "values in /sys", "no setting for it yet"),
  registries: done(
    object({
      mirrors: done(map("registry hosts", hostFault, MIRROR), "where else to ask for images"),
      config: done(map("registry hosts", hostFault, REGISTRY), "how to talk to a registry"),
    }),
    "image registries",
  ),
  systemDiskEncryption: refused("map", "encryption of STATE and EPHEMERAL", "not in this release; leave it out"),
  features: done(FEATURES, "switches"),
  udev: refused("map", "udev rules", NO_FILES),
  logging: refused("map", "log shipping", "no setting for it yet; the journal is on the node"),
  kernel: refused("map", "kernel modules to load", "drivers load by themselves; no setting for others yet"),
  seccompProfiles: refused("list of maps", "seccomp profiles", NO_FILES),
  baseRuntimeSpecOverrides: refused("map", "changes to every container", "no setting for it"),
  nodeLabels: done(map("label names", v.qualifiedNameFault, v.labelValue), "the node's labels"),
  nodeAnnotations: done(map("annotation names", v.qualifiedNameFault, v.anyText), "the node's annotations"),
  nodeTaints: done(map("taint keys", v.qualifiedNameFault, v.taint), "the node's taints"),
});

function sysctlFault(key: string): string | undefined {
  const isGood = /^[a-z0-9_]+([./][\w-]+)+$/i.test(key) && key !== "__proto__";
  return isGood ? undefined : "a kernel parameter such as net.core.somaxconn";
}
