// The certificates of a control plane node, as a list: which CA signs, for whom, under which names, and where it lies. The
// agent issues them from the machine config's CAs at start and again at half of their life; pki/cluster-certificate.ts does
// the signing. Sources: talos reference §5.8 (rotation), Kubernetes' "PKI certificates and requirements". Pure.
import { addressAt } from "../machine-config/address.ts";
import type { CertificateAndKey, ControlPlane, NodeConfig } from "../machine-config/node-config.ts";
import { isHostIpv4 } from "../machine-config/values.ts";
import type { Purpose } from "../pki/extension.ts";
import type { AltNames, Subject } from "../pki/name.ts";
import { type NodeFacts, ownAddresses } from "./node-facts.ts";
import { NODE_PATHS, RUN_AS } from "./node-paths.ts";

export type IssuerName = "kubernetes" | "aggregator" | "etcd";
export type CertificatePlan = {
  name: string;
  issuer: IssuerName;
  subject: Subject;
  purposes: readonly Purpose[];
  altNames: AltNames | undefined;
  /** Without extension: the certificate lies at `.crt`, its key at `.key`. Undefined: it goes into a kubeconfig. */
  path: string | undefined;
  uid: number;
};

/** A month: a node whose agent is dead has at least two weeks left. */
export const CERTIFICATE_LIFETIME_MS = 30 * 86_400_000;
/** A little before now, because the clocks of two nodes differ. */
export const BACKDATE_MS = 60_000;

/** When a certificate is replaced: at half of its life. Milliseconds since 1970. */
export const renewAtMs = (certificate: { notBefore: Date; notAfter: Date }): number =>
  (certificate.notBefore.getTime() + certificate.notAfter.getTime()) / 2;

/** The CA that signs for an issuer's name. */
export const issuerOf = (controlPlane: ControlPlane, name: IssuerName): CertificateAndKey =>
  ({ kubernetes: controlPlane.ca, aggregator: controlPlane.aggregatorCa, etcd: controlPlane.etcdCa })[name];

/** All that a control plane node holds; a worker holds none (its kubelet asks the API for its own). */
export function planCertificates(config: NodeConfig, facts: NodeFacts): CertificatePlan[] {
  if (config.controlPlane === undefined) return [];
  return [...kubernetesPlans(config, facts, config.controlPlane), ...etcdPlans(config, facts)];
}

const client = (
  name: string,
  issuer: IssuerName,
  subject: Subject,
  path: string | undefined,
  uid: number,
): CertificatePlan => ({
  name,
  issuer,
  subject,
  purposes: ["client"],
  altNames: undefined,
  path,
  uid,
});

function kubernetesPlans(config: NodeConfig, facts: NodeFacts, controlPlane: ControlPlane): CertificatePlan[] {
  const at = (file: string) => `${NODE_PATHS.apiServerSecrets}/${file}`;
  const masters = (commonName: string): Subject => ({ organizations: ["system:masters"], commonName });
  const system = (who: string): Subject => ({ organizations: [who], commonName: who });
  return [
    {
      ...client(
        "apiserver",
        "kubernetes",
        { organizations: ["kube-master"], commonName: "kube-apiserver" },
        at("apiserver"),
        RUN_AS.apiServer,
      ),
      purposes: ["server"],
      altNames: apiServerNames(config, facts, controlPlane),
    },
    client(
      "apiserver-kubelet-client",
      "kubernetes",
      masters("apiserver-kubelet-client"),
      at("apiserver-kubelet-client"),
      RUN_AS.apiServer,
    ),
    client(
      "front-proxy-client",
      "aggregator",
      { commonName: "front-proxy-client" },
      at("front-proxy-client"),
      RUN_AS.apiServer,
    ),
    client("apiserver-etcd-client", "etcd", { commonName: "kube-apiserver" }, at("etcd-client"), RUN_AS.apiServer),
    client(
      "controller-manager",
      "kubernetes",
      system("system:kube-controller-manager"),
      `${NODE_PATHS.controllerManagerSecrets}/client`,
      RUN_AS.controllerManager,
    ),
    client(
      "scheduler",
      "kubernetes",
      system("system:kube-scheduler"),
      `${NODE_PATHS.schedulerSecrets}/client`,
      RUN_AS.scheduler,
    ),
    // The agent's own: it applies manifests, labels nodes and approves serving certificates.
    client("node-admin", "kubernetes", masters("system:slipway-node"), undefined, 0),
  ];
}

function apiServerNames(config: NodeConfig, facts: NodeFacts, controlPlane: ControlPlane): AltNames {
  const { endpoint, dnsDomain, serviceSubnet } = config.cluster;
  const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", `kubernetes.default.svc.${dnsDomain}`];
  const fixed = [...service, "localhost", "127.0.0.1", addressAt(serviceSubnet, 1)];
  return sortNames([
    config.hostname,
    endpoint.host,
    ...fixed,
    ...ownAddresses(config, facts),
    ...controlPlane.apiServer.certSans,
  ]);
}

function etcdPlans(config: NodeConfig, facts: NodeFacts): CertificatePlan[] {
  const at = (file: string) => `${NODE_PATHS.etcdSecrets}/${file}`;
  const names = sortNames([config.hostname, ...ownAddresses(config, facts)]);
  const local = sortNames([config.hostname, "localhost", "127.0.0.1", ...ownAddresses(config, facts)]);
  const member = { issuer: "etcd", subject: { commonName: config.hostname }, uid: 0 } as const;
  return [
    // etcd's own gateway dials its server as a client, so both need both.
    { ...member, name: "etcd-server", purposes: ["server", "client"], altNames: local, path: at("server") },
    { ...member, name: "etcd-peer", purposes: ["server", "client"], altNames: names, path: at("peer") },
    client("etcd-admin", "etcd", { commonName: "slipway" }, at("admin"), 0),
  ];
}

/** Names and addresses apart, each once. Loopback is an address, too. */
function sortNames(all: readonly string[]): AltNames {
  const unique = [...new Set(all)];
  const isIp = (name: string) => isHostIpv4(name) || name.startsWith("127.");
  return { dnsNames: unique.filter((n) => !isIp(n)), ips: unique.filter(isIp) };
}
