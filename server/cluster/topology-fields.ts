// The fields of Cluster, Role and Machine documents, one row each. topology-document.ts reads by them;
// docs/machine-config.md describes what a patch may say. Pure.
import { parseMac } from "../../inventory/address.ts";
import { BOOT_CHOICES } from "../../inventory/machine.ts";
import { done, type Fields, list, object, type Scalar, whole } from "../contract/machine-config/shape.ts";
import * as v from "../contract/machine-config/values.ts";
import { API_VERSION, GRADES } from "./topology.ts";

const clusterName = v.textWhere("a name of lower-case letters, digits and hyphens such as rack1", (t) =>
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(t),
);
const MAC_WORDS = "a MAC such as 52:54:00:12:34:56";
const mac: Scalar<string> = {
  kind: "scalar",
  words: MAC_WORDS,
  isSecret: false,
  parse: (raw) => {
    // 52540012345e6 would be a number to YAML.
    const found = parseMac(typeof raw.value === "string" ? raw.value : raw.source);
    return found === undefined ? { kind: "fault", expected: MAC_WORDS } : { kind: "value", value: found };
  },
};
const patches = done(list(whole("a part of a machine config")), "merged over the rendered config, in this order");

const document = <K extends string, F extends Fields>(kind: K, name: Scalar<string>, spec: F) =>
  object({
    apiVersion: done(v.oneOf(API_VERSION), "format"),
    kind: done(v.oneOf(kind), "kind of document"),
    metadata: done(object({ name: done(name, "name") }), "how it is called"),
    spec: done(object(spec), "what is wanted"),
    status: done(whole("what was observed"), "written for people, ignored when read"),
  });

export const KINDS = {
  Cluster: document("Cluster", clusterName, {
    endpoint: done(v.domainOrIp, "host name, or an address outside the pools that the control plane will hold"),
    port: done(v.whole(1, 65_535), "of the Kubernetes API; 6443 if absent"),
    dnsDomain: done(v.domain, "of Services; cluster.local if absent"),
    podSubnet: done(v.subnet, "addresses of pods; 10.244.0.0/16 if absent"),
    serviceSubnet: done(v.subnet, "addresses of Services; 10.96.0.0/12 if absent"),
    cni: done(v.oneOf("flannel", "none"), "pod network; flannel if absent"),
    allowSchedulingOnControlPlanes: done(v.flag, "pods may run on control plane nodes; false if absent"),
    certSans: done(list(v.certificateName), "further names in the API server's certificate"),
    timeServers: done(list(v.domainOrIp), "NTP servers; the appliance if absent"),
  }),
  Role: document("Role", clusterName, {
    type: done(v.oneOf("controlplane", "worker"), "what its machines are"),
    cluster: done(clusterName, "the cluster; the only one if absent"),
    leastGrade: done(v.oneOf(...GRADES), "proof that a machine must give; open if absent"),
    patches,
  }),
  // What every machine file knows (`slipway machines --export`), and what a cluster adds.
  Machine: document("Machine", v.hostname, {
    macs: done(list(mac), "all its MACs"),
    role: done(clusterName, "its role"),
    cluster: done(clusterName, "its cluster; the role's if absent"),
    address: done(v.hostIpv4, "its reservation"),
    boot: done(v.oneOf(...BOOT_CHOICES), "what its network boot does"),
    uuid: done(v.text, "DMI UUID"),
    serial: done(v.text, "serial number"),
    patches,
  }),
} as const;
export type Kind = keyof typeof KINDS;
