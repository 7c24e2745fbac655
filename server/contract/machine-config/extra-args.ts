// Arguments that a config may add to a Kubernetes program, and those that are ours: a config that sets one is refused with
// the reason at its line, not by a program that dies at boot. Which ones: talos reference §4.4 ("deny-list"), and what
// kubernetes/ renders from fields of its own. Pure.
import { map, oneOrMany } from "./shape.ts";
import { anyText } from "./values.ts";

/** flag → what sets it instead. */
type Denied = Readonly<Record<string, string>>;
const OURS = "the node's own files and addresses";

const ours = (...flags: readonly string[]): Denied => Object.fromEntries(flags.map((flag) => [flag, OURS]));

export const DENIED = {
  kubelet: {
    ...ours(
      "bootstrap-kubeconfig",
      "kubeconfig",
      "container-runtime",
      "container-runtime-endpoint",
      "config",
      "cert-dir",
    ),
    "hostname-override": "the config's hostname",
    "node-ip": "machine.kubelet.nodeIP",
    "node-labels": "machine.nodeLabels",
    "register-with-taints": "machine.nodeTaints",
  },
  "kube-apiserver": {
    ...ours("etcd-servers", "etcd-cafile", "etcd-certfile", "etcd-keyfile"),
    ...ours("client-ca-file", "requestheader-client-ca-file", "proxy-client-cert-file", "proxy-client-key-file"),
    ...ours("kubelet-client-certificate", "kubelet-client-key", "encryption-provider-config"),
    ...ours("service-account-key-file", "service-account-signing-key-file", "tls-cert-file", "tls-private-key-file"),
    ...ours("authorization-config", "admission-control-config-file", "audit-policy-file"),
    "secure-port": "cluster.controlPlane.localAPIServerPort",
    "service-cluster-ip-range": "cluster.network.serviceSubnets",
  },
  "kube-controller-manager": {
    ...ours(
      "cluster-signing-cert-file",
      "cluster-signing-key-file",
      "root-ca-file",
      "service-account-private-key-file",
    ),
    ...ours("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"),
    "cluster-cidr": "cluster.network.podSubnets",
    "service-cluster-ip-range": "cluster.network.serviceSubnets",
  },
  "kube-scheduler": ours("config", "kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"),
  "kube-proxy": {
    ...ours("config", "kubeconfig", "hostname-override"),
    "proxy-mode": "cluster.proxy.mode",
    "cluster-cidr": "cluster.network.podSubnets",
  },
  etcd: {
    ...ours("name", "data-dir", "cert-file", "key-file", "trusted-ca-file", "peer-cert-file", "peer-key-file"),
    ...ours("peer-trusted-ca-file", "client-cert-auth", "peer-client-cert-auth", "auto-tls", "peer-auto-tls"),
    ...ours("initial-cluster", "initial-cluster-state", "initial-advertise-peer-urls", "advertise-client-urls"),
    ...ours("initial-cluster-token", "force-new-cluster", "discovery", "discovery-srv", "config-file"),
  },
} as const satisfies Record<string, Denied>;
export type Program = keyof typeof DENIED;

/** The map of arguments of one program: name without dashes → one value or several. */
export const extraArgs = (program: Program) =>
  map("argument names without dashes", (flag) => flagFault(program, flag), oneOrMany(anyText));

function flagFault(program: Program, flag: string): string | undefined {
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(flag)) return `an argument of ${program} without its dashes, such as v`;
  const denied: Denied = DENIED[program];
  return Object.hasOwn(denied, flag) ? `left to Slipway OS: ${denied[flag]} set it` : undefined;
}
