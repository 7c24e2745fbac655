// The whole table of the machine config: the v1alpha1 document and the one other kind that is read. decode.ts reads by it,
// docs/machine-config.md is written from it, and a test holds it against the reference's list of fields. To widen the
// format: change a row's class, or add a kind to DOCUMENTS and its meaning to node-config.ts. Pure.
import { CLUSTER } from "./fields-cluster.ts";
import { MACHINE } from "./fields-machine.ts";
import { done, object, type ValueOf } from "./shape.ts";
import * as v from "./values.ts";

/** The document without `kind`. */
export const V1ALPHA1 = object({
  version: done(v.oneOf("v1alpha1"), "format"),
  debug: done(v.onlyFlag(false, "the kernel's and the services' logs are kept anyway"), "verbose log on the console"),
  persist: done(v.onlyFlag(true, "a config that is not stored would be lost at the next boot"), "keep the config"),
  machine: done(MACHINE, "the machine"),
  cluster: done(CLUSTER, "the cluster"),
});

const HOSTNAME = object({
  apiVersion: done(v.oneOf("v1alpha1"), "format"),
  kind: done(v.oneOf("HostnameConfig"), "kind of document"),
  auto: done(
    v.textWhere(
      "off, with the hostname beside it: this name is also the Node's and the etcd member's",
      (t) => t === "off",
    ),
    "a name made up by the node; never here",
  ),
  hostname: done(v.hostname, "the node's name"),
});

/** Kinds that are read, beside the v1alpha1 document. */
export const DOCUMENTS = { HostnameConfig: HOSTNAME } as const;
export type DocumentKind = keyof typeof DOCUMENTS;

/** Kinds of the 1.13 contract that exist and are not read yet: refused by name. Source: talos reference §4.2. */
export const OTHER_KINDS: readonly string[] = [
  ...["EventSinkConfig", "KmsgLogConfig", "SideroLinkConfig", "NetworkDefaultActionConfig", "NetworkRuleConfig"],
  ...["ExtensionServiceConfig", "WatchdogTimerConfig", "KubeSpanEndpointsConfig", "TrustedRootsConfig", "VolumeConfig"],
  ...["EthernetConfig", "PCIDriverRebindConfig", "UserVolumeConfig", "ExistingVolumeConfig", "RawVolumeConfig"],
  ...["SwapVolumeConfig", "ZswapConfig", "BondConfig", "BridgeConfig", "DHCPv4Config", "DHCPv6Config"],
  ...["DummyLinkConfig", "HCloudVIPConfig", "Layer2VIPConfig", "LinkAliasConfig", "LinkConfig", "OOMConfig"],
  ...["RegistryAuthConfig", "RegistryMirrorConfig", "RegistryTLSConfig", "ResolverConfig", "StaticHostConfig"],
  ...["TimeSyncConfig", "VLANConfig", "WireguardConfig", "BlackholeRouteConfig", "EnvironmentConfig"],
  ...["ExternalVolumeConfig", "ImageVerificationConfig", "KubeSpanConfig", "RoutingRuleConfig", "TCPProbeConfig"],
  ...["VRFConfig"],
];

export type V1Alpha1 = ValueOf<typeof V1ALPHA1>;
/** What a config says, fields absent where it says nothing. */
export type MachineConfig = V1Alpha1 & { hostnameConfig?: ValueOf<typeof HOSTNAME> };
