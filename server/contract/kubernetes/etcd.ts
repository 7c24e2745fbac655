// etcd's arguments: alone at the bootstrap, joining others later, or going on with what is on the disk. A service of the OS.
// Source: talos reference §5.8 (etcd join), §1.1 (ports). Pure.
import type { ControlPlane, NodeConfig } from "../machine-config/node-config.ts";
import { renderArguments } from "./arguments.ts";
import { type NodeFacts, ownAddresses, passesFilters } from "./node-facts.ts";
import { configFile, NODE_PATHS, type NodeFile, PORTS } from "./node-paths.ts";

/** Another member's name and where its peers reach it. */
export type EtcdMember = { name: string; peerUrls: readonly string[] };
export type EtcdStart =
  /**
   * The one first member of a new cluster: only after decideBootstrap said so. The id of an etcd cluster is made from its
   * members' URLs and this token: with the installation's id in it, two first starts never look like one.
   */
  | { kind: "bootstrap"; token: string }
  /** Added as a learner by the others, who are named here. */
  | { kind: "join"; members: readonly EtcdMember[] }
  /** There is data: it knows the members. */
  | { kind: "resume" };

const secret = (file: string): string => `${NODE_PATHS.etcdSecrets}/${file}`;
const url = (ip: string, port: number): string => `https://${ip}:${port}`;

/** The addresses that other members are told. */
export const advertisedAddresses = (config: NodeConfig, controlPlane: ControlPlane, facts: NodeFacts): string[] =>
  ownAddresses(config, facts).filter((ip) => passesFilters(ip, controlPlane.etcd.advertisedSubnets));

export function etcdArguments(
  config: NodeConfig,
  controlPlane: ControlPlane,
  facts: NodeFacts,
  start: EtcdStart,
): string[] {
  // One address: a member with several peer URLs fails its own check when one of them changes.
  const [own = "127.0.0.1"] = advertisedAddresses(config, controlPlane, facts);
  const { listenSubnets, extraArgs } = controlPlane.etcd;
  const listen =
    listenSubnets.length === 0
      ? ["0.0.0.0"]
      : ownAddresses(config, facts).filter((ip) => passesFilters(ip, listenSubnets));
  const local = listen.includes("0.0.0.0") ? listen : ["127.0.0.1", ...listen];
  const peerUrl = url(own, PORTS.etcdPeer);
  const ours = {
    ...fixedArguments(),
    "advertise-client-urls": url(own, PORTS.etcdClient),
    "initial-advertise-peer-urls": peerUrl,
    ...initialCluster(config.hostname, peerUrl, start),
    // Apart from gRPC, which otherwise goes through an HTTP server of its own (a third of etcd's processor time).
    "listen-client-http-urls": url("127.0.0.1", PORTS.etcdHttp),
    "listen-client-urls": local.map((ip) => url(ip, PORTS.etcdClient)).join(","),
    "listen-peer-urls": listen.map((ip) => url(ip, PORTS.etcdPeer)).join(","),
    name: config.hostname,
  };
  return renderArguments(ours, extraArgs);
}

const fixedArguments = (): Record<string, string> => ({
  "auto-tls": "false",
  "cert-file": secret("server.crt"),
  "client-cert-auth": "true",
  "data-dir": NODE_PATHS.etcdData,
  "feature-gates": "InitialCorruptCheck=true,CompactHashCheck=true",
  "key-file": secret("server.key"),
  "peer-auto-tls": "false",
  "peer-cert-file": secret("peer.crt"),
  "peer-client-cert-auth": "true",
  "peer-key-file": secret("peer.key"),
  "peer-trusted-ca-file": secret("ca.crt"),
  "tls-min-version": "TLS1.3",
  "trusted-ca-file": secret("ca.crt"),
  "watch-progress-notify-interval": "5s",
});

function initialCluster(name: string, peerUrl: string, start: EtcdStart): Record<string, string> {
  if (start.kind === "resume") return { "initial-cluster-state": "existing" };
  const others = start.kind === "join" ? start.members : [];
  const members = [...others.flatMap((m) => m.peerUrls.map((u) => `${m.name}=${u}`)), `${name}=${peerUrl}`];
  const token: Record<string, string> = start.kind === "bootstrap" ? { "initial-cluster-token": start.token } : {};
  const state = start.kind === "join" ? "existing" : "new";
  return { "initial-cluster": members.join(","), "initial-cluster-state": state, ...token };
}

/** The CA beside the issued certificates. */
export const etcdFiles = ({ etcdCa }: ControlPlane): NodeFile[] => [configFile(secret("ca.crt"), etcdCa.crt)];
