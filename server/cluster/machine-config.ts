// cluster + role + machine + secrets → the machine's config, as text of the 1.13 contract. The same input gives the same
// bytes. What comes out has been read back by the decoder that the node has, so a patch that no node would take is a fault
// here. Called before a config is given out and for `slipway config MAC`. Source: talos reference §4.3, §4.5. Pure.
import { stringify } from "yaml";
import { type ConfigFault, type ConfigNote, decodeMachineConfig } from "../contract/machine-config/decode.ts";
import type { MachineConfig } from "../contract/machine-config/fields.ts";
import { nodeConfigOf } from "../contract/machine-config/node-config.ts";
import { type ConfigParts, hostnameDocument, v1alpha1Document } from "./config-document.ts";
import { mergeDocuments } from "./merge-patch.ts";
import type { Cluster } from "./topology.ts";

export type RenderedConfig =
  | { kind: "config"; text: string; config: MachineConfig; notes: ConfigNote[] }
  /** Places are those in `text`; nothing of it may be given out. */
  | { kind: "faults"; faults: ConfigFault[]; text: string };

/** What a patch may not change: it comes from the inventory or the secrets bundle, and all nodes must agree on it. */
const FIXED: Record<string, (config: MachineConfig) => unknown> = {
  "machine.type": (c) => c.machine?.type,
  "machine.token": (c) => c.machine?.token,
  "machine.ca": (c) => c.machine?.ca?.crt,
  hostname: (c) => nodeConfigOf(c).hostname,
  "cluster.id": (c) => c.cluster?.id,
  "cluster.secret": (c) => c.cluster?.secret,
  "cluster.controlPlane.endpoint": (c) => c.cluster?.controlPlane?.endpoint?.url,
  "cluster.clusterName": (c) => c.cluster?.clusterName,
  "cluster.network.dnsDomain": (c) => c.cluster?.network?.dnsDomain,
  "cluster.network.podSubnets": (c) => c.cluster?.network?.podSubnets?.join(),
  "cluster.network.serviceSubnets": (c) => c.cluster?.network?.serviceSubnets?.join(),
  "cluster.network.cni": (c) => c.cluster?.network?.cni?.name,
  "cluster.token": (c) => c.cluster?.token,
  "cluster.secretboxEncryptionSecret": (c) => c.cluster?.secretboxEncryptionSecret,
  "cluster.ca": (c) => c.cluster?.ca?.crt,
  "cluster.aggregatorCA": (c) => c.cluster?.aggregatorCA?.crt,
  "cluster.serviceAccount": (c) => c.cluster?.serviceAccount?.key,
  "cluster.etcd.ca": (c) => c.cluster?.etcd?.ca?.crt,
};
const WHERE = "it is the inventory's or the Cluster document's; change it there";

/** Renders with the role's patches merged first, then the machine's. */
export function renderMachineConfig(parts: Omit<ConfigParts, "cluster"> & { cluster: Cluster }): RenderedConfig {
  const { endpoint, name } = parts.cluster;
  if (endpoint === undefined) {
    const message = `cluster ${name} has no endpoint yet; it is chosen when the cluster is created, or set with --endpoint`;
    return {
      kind: "faults",
      text: "",
      faults: [{ line: 1, column: 1, path: "cluster.controlPlane.endpoint", message }],
    };
  }
  const whole: ConfigParts = { ...parts, cluster: { ...parts.cluster, endpoint } };
  const base = [v1alpha1Document(whole), hostnameDocument(whole)];
  const patches = [...parts.role.patches, ...parts.machine.patches];
  const text = formatDocuments(patches.reduce<Plain[]>(mergeDocuments, base).map(settleDisk));
  const decoded = decodeMachineConfig(text);
  if (decoded.kind === "faults") return { ...decoded, text };
  const unpatched = patches.length === 0 ? decoded : decodeMachineConfig(formatDocuments(base));
  const faults = unpatched.kind === "config" ? changed(unpatched.config, decoded.config) : unpatched.faults;
  if (faults.length > 0) return { kind: "faults", faults, text };
  return { kind: "config", text, config: decoded.config, notes: decoded.notes };
}

type Plain = Record<string, unknown>;

/** Four spaces, as talosctl writes; nothing is folded, so that a base64 text stays one line; what YAML 1.1 would
 * read as something else (a MAC as a number of base 60) is quoted. */
const formatDocuments = (documents: readonly Plain[]): string =>
  documents
    .map((d) => stringify(d, { indent: 4, lineWidth: 0, aliasDuplicateObjects: false, compat: "yaml-1.1" }))
    .join("---\n");

function changed(before: MachineConfig, after: MachineConfig): ConfigFault[] {
  return Object.entries(FIXED)
    .filter(([, get]) => get(before) !== get(after))
    .map(([path]) => ({ line: 1, column: 1, path, message: `a patch must not change it: ${WHERE}` }));
}

/** A disk named by a patch goes before the selector without conditions that stands in every rendered config. */
function settleDisk(document: Plain): Plain {
  const machine = document.machine as Plain | undefined;
  const install = machine?.install as Plain | undefined;
  if (install?.disk === undefined || Object.keys((install.diskSelector as object) ?? {}).length > 0) return document;
  const { diskSelector: _, ...rest } = install;
  return { ...document, machine: { ...machine, install: rest } };
}
