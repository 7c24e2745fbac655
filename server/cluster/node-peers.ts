// What a control plane node is told about the nodes of its cluster: names, addresses, labels and taints. It approves serving
// certificates and labels nodes by it (node-agent/kubernetes). Labels come from the same patches as the node's config; the
// rest of the config is not needed for them, so that no secret is opened here. Pure.
import { isInNetwork, parseCidr, parseIpv4 } from "../../inventory/address.ts";
import type { Machine as InventoryMachine } from "../../inventory/machine.ts";
import type { Peer } from "../contract/generated/agent.ts";
import { mergeDocuments } from "./merge-patch.ts";
import { callMachine, machineOf } from "./site.ts";
import type { Role } from "./topology.ts";

type Texts = Record<string, string>;
type Parts = { nodeLabels?: Texts; nodeAnnotations?: Texts; nodeTaints?: Texts; network?: { interfaces?: unknown } };

export type PeerFacts = {
  machine: InventoryMachine;
  role: Role;
  /** Its bound leases. */
  leased: readonly string[];
  /** Addresses that are another machine's, a cluster's endpoint or the appliance's: nobody may claim them. */
  isForeign: (ip: string) => boolean;
};

export function peerOf(facts: PeerFacts): Peer {
  const { machine, role } = facts;
  const parts = patchedParts(machine, role);
  return {
    name: callMachine(machine),
    type: role.type,
    addresses: addressesOf(facts, parts),
    labels: parts.nodeLabels ?? {},
    annotations: parts.nodeAnnotations ?? {},
    taints: Object.entries(parts.nodeTaints ?? {}).map(([key, text]) => taintText(key, text)),
  };
}

/** The base that config-document.ts renders, as far as it is told here. */
function patchedParts(machine: InventoryMachine, role: Role): Parts {
  const nodeLabels =
    role.type === "controlplane" ? { "node.kubernetes.io/exclude-from-external-load-balancers": "" } : {};
  const base = [{ version: "v1alpha1", machine: { nodeLabels } }];
  const documents = [...role.patches, ...machineOf(machine).patches].reduce<Record<string, unknown>[]>(
    mergeDocuments,
    base,
  );
  return (documents.find((d) => d.kind === undefined)?.machine ?? {}) as Parts;
}

/** The machine config writes `value:Effect` or `Effect` under the key; the contract `key=value:Effect`. */
function taintText(key: string, text: string): string {
  const [first = "", second] = String(text).split(":");
  return second === undefined ? `${key}=:${first}` : `${key}=${first}:${second}`;
}

/**
 * Addresses that a person, the DHCP server or the config gave. Only where nobody gave any (another server's network) the
 * machine's own word counts, and never for an address that is somebody else's.
 */
function addressesOf({ machine, leased, isForeign }: PeerFacts, parts: Parts): string[] {
  const given = [machine.address, ...leased, ...staticAddresses(parts)].filter((ip) => ip !== undefined);
  const all = given.length > 0 ? given : claimed(machine.facts);
  return [...new Set(all)].filter((ip) => !isForeign(ip));
}

function staticAddresses({ network }: Parts): string[] {
  const interfaces = Array.isArray(network?.interfaces) ? network.interfaces : [];
  return interfaces.flatMap((one: { addresses?: unknown }) =>
    Array.isArray(one.addresses) ? plain(one.addresses) : [],
  );
}

const LOOPBACK = parseCidr("127.0.0.0/8")!;
const LINK_LOCAL = parseCidr("169.254.0.0/16")!;

/** `nics` of the agent's facts (agent.proto Facts). */
function claimed(facts: unknown): string[] {
  const nics = (facts as { nics?: { addresses?: unknown }[] } | undefined)?.nics;
  const all = (Array.isArray(nics) ? nics : []).flatMap((nic) => (Array.isArray(nic.addresses) ? nic.addresses : []));
  return plain(all).filter((ip) => !isInNetwork(ip, LOOPBACK) && !isInNetwork(ip, LINK_LOCAL));
}

/** IPv4 addresses without their prefix length. */
const plain = (list: readonly unknown[]): string[] =>
  list.flatMap((text) => parseIpv4(String(text).split("/")[0] ?? "") ?? []);
