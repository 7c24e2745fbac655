// containerd's configuration, the mirrors of its registries, and the CNI configuration that its pods start with. Sources:
// containerd 2's config (version 3) and hosts.toml, talos reference §4.4 (machine.registries), kubernetes reference §2. Pure.
import type { NodeConfig, Registries } from "../machine-config/node-config.ts";
import { type NodeFacts, PLATFORMS } from "./node-facts.ts";
import { configFile, NODE_PATHS, type NodeFile, SANDBOX_IMAGE } from "./node-paths.ts";

/** A TOML basic string; JSON's escapes are all TOML's. */
const quoted = (text: string): string => JSON.stringify(text);
const list = (texts: readonly string[]): string => `[${texts.map(quoted).join(", ")}]`;

/** Who brings an own CNI brings its plugins too, into the places that every CNI's manifest knows. */
const CNI_DIRECTORIES = {
  flannel: { config: NODE_PATHS.cniConfig, plugins: [NODE_PATHS.cniPlugins] },
  none: { config: "/etc/cni/net.d", plugins: ["/opt/cni/bin", NODE_PATHS.cniPlugins] },
} as const;

export function renderContainerdConfig({ cluster }: NodeConfig, { platform }: NodeFacts): string {
  const { cgroupDriver, restrictOomScoreAdj } = PLATFORMS[platform];
  const cni = CNI_DIRECTORIES[cluster.cni];
  const images = "plugins.'io.containerd.cri.v1.images'";
  const runtime = "plugins.'io.containerd.cri.v1.runtime'";
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
  address = ${quoted(NODE_PATHS.containerdSocket)}

[${images}.pinned_images]
  sandbox = ${quoted(SANDBOX_IMAGE)}

[${images}.registry]
  config_path = ${quoted(NODE_PATHS.registryHosts)}

[${runtime}]
  restrict_oom_score_adj = ${restrictOomScoreAdj}
  # The default of one second costs a node with ten pods more than all else that containerd does; who reads them asks every ten.
  stats_collect_period = "10s"

[${runtime}.cni]
  bin_dirs = ${list(cni.plugins)}
  conf_dir = ${quoted(cni.config)}

[${runtime}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[${runtime}.containerd.runtimes.runc.options]
  SystemdCgroup = ${cgroupDriver === "systemd"}
`;
}

/** containerd's configuration, and one hosts.toml (with the CAs that it names) for each registry of the config. */
export function containerdFiles(config: NodeConfig, facts: NodeFacts): NodeFile[] {
  const { registries } = config;
  const names = [
    ...new Set([...Object.keys(registries.mirrors ?? {}), ...Object.keys(registries.config ?? {})]),
  ].sort();
  return [
    configFile(NODE_PATHS.containerdConfig, renderContainerdConfig(config, facts)),
    ...names.flatMap((name) => registryFiles(name, registries)),
  ];
}

/** `*` is Talos's word for all registries without an entry of their own; containerd's is `_default`. */
const directoryOf = (name: string): string => `${NODE_PATHS.registryHosts}/${name === "*" ? "_default" : name}`;

function registryFiles(name: string, registries: Registries): NodeFile[] {
  const { endpoints = [], skipFallback = false, overridePath = false } = registries.mirrors?.[name] ?? {};
  // The server is what containerd asks last. Without fallback that must be a mirror, too.
  const server = skipFallback ? endpoints.at(-1) : undefined;
  const hosts = server === undefined ? endpoints : endpoints.slice(0, -1);
  const own = endpoints.length === 0 && name !== "*" ? [`https://${name}`] : [];
  const tables = [...hosts, ...own].map((endpoint) => hostTable(endpoint, overridePath, registries));
  const first =
    server === undefined ? "" : `server = ${quoted(server)}\n${settings(server, overridePath, registries, "")}`;
  const cas = [...endpoints, ...own].flatMap((endpoint) => caFile(endpoint, registries));
  return [configFile(`${directoryOf(name)}/hosts.toml`, [first, ...tables].filter((t) => t !== "").join("\n")), ...cas];
}

const hostTable = (endpoint: string, overridePath: boolean, registries: Registries): string =>
  `[host.${quoted(endpoint)}]\n  capabilities = ["pull", "resolve"]\n${settings(endpoint, overridePath, registries, "  ")}`;

/** `https://mirror.example.org:5000/v2/x` → `mirror.example.org:5000`. */
const hostOf = (endpoint: string): string => endpoint.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
const caPath = (host: string): string => `${NODE_PATHS.registryHosts}/${host}.crt`;

function settings(endpoint: string, overridePath: boolean, registries: Registries, indent: string): string {
  const tls = registries.config?.[hostOf(endpoint)]?.tls ?? {};
  const lines = [
    ...(overridePath ? ["override_path = true"] : []),
    ...(tls.ca === undefined ? [] : [`ca = ${quoted(caPath(hostOf(endpoint)))}`]),
    ...(tls.insecureSkipVerify === true ? ["skip_verify = true"] : []),
  ];
  return lines.map((line) => `${indent}${line}\n`).join("");
}

function caFile(endpoint: string, registries: Registries): NodeFile[] {
  const host = hostOf(endpoint);
  const ca = registries.config?.[host]?.tls?.ca;
  return ca === undefined ? [] : [configFile(caPath(host), ca)];
}

/** VXLAN puts 50 bytes before each frame. */
export const VXLAN_OVERHEAD_BYTES = 50;

/**
 * The pods' network on this node: a bridge, addresses from the node's part of the pod network, ports by nftables.
 * @param podCidr `spec.podCIDR` of this node.
 * @param mtuBytes of the interface that carries the nodes' traffic.
 */
export function renderCniConfig(podCidr: string, mtuBytes: number): string {
  const bridge = {
    type: "bridge",
    bridge: "cni0",
    isDefaultGateway: true,
    hairpinMode: true,
    ipMasq: false,
    mtu: mtuBytes - VXLAN_OVERHEAD_BYTES,
    // In /run: addresses that a power cut left behind must not be kept for pods that are gone.
    ipam: { type: "host-local", dataDir: "/run/cni/networks", ranges: [[{ subnet: podCidr }]] },
  };
  const portmap = { type: "portmap", backend: "nftables", capabilities: { portMappings: true } };
  return `${JSON.stringify({ cniVersion: "1.0.0", name: "slipway", plugins: [bridge, portmap] }, undefined, 2)}\n`;
}
