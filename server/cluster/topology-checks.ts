// What single documents cannot tell: names that come twice, lead nowhere, or collide. topology-document.ts calls it.
// Pure.
import { prefixesOverlap } from "../contract/machine-config/address.ts";
import type { Place } from "../contract/machine-config/yaml-stream.ts";
import { BUILT_IN_ROLES, type Cluster, type Machine, type Role } from "./topology.ts";
import type { TopologyFault } from "./topology-document.ts";
import type { Kind } from "./topology-fields.ts";

/** One document, and where its fields stand. */
export type Entry = { kind: Kind; value: Cluster | Role | Machine; file: string; placeOf: (path: string) => Place };
type Claim = { entry: Entry; path: string; what: string };

const at = (entry: Entry, path: string, message: string): TopologyFault => ({
  file: entry.file,
  path,
  message,
  ...entry.placeOf(path),
});

/** What may be claimed once: names by kind, MACs, addresses and endpoints among all. */
function claims(entry: Entry): Claim[] {
  const { kind, value } = entry;
  const found: Claim[] = [{ entry, path: "metadata.name", what: `${kind} ${value.name}` }];
  if (kind === "Machine") {
    const { macs, address } = value as Machine;
    macs.forEach((mac, i) => void found.push({ entry, path: `spec.macs[${i}]`, what: mac }));
    if (address !== undefined) found.push({ entry, path: "spec.address", what: address });
  }
  const endpoint = kind === "Cluster" ? (value as Cluster).endpoint : undefined;
  if (endpoint !== undefined) found.push({ entry, path: "spec.endpoint", what: endpoint });
  return found;
}

function doubles(entries: readonly Entry[]): TopologyFault[] {
  const seen = new Map<string, Claim>();
  return entries.flatMap(claims).flatMap((claim) => {
    const first = seen.get(claim.what);
    if (first === undefined) {
      seen.set(claim.what, claim);
      return [];
    }
    const { line } = first.entry.placeOf(first.path);
    return [at(claim.entry, claim.path, `${claim.what} stands in ${first.entry.file}:${line} already`)];
  });
}

function missing(entry: Entry): TopologyFault[] {
  if (entry.kind === "Role" && (entry.value as Role).type === undefined) {
    return [at(entry, "spec", "type must be given: controlplane or worker")];
  }
  if (entry.kind === "Machine" && (entry.value as Machine).macs.length === 0) {
    return [at(entry, "spec", "macs must be given: at least one")];
  }
  return [];
}

function loose(entry: Entry, clusters: readonly string[], roles: readonly string[]): TopologyFault[] {
  if (entry.kind === "Cluster") return [];
  const { cluster, role } = entry.value as { cluster?: string; role?: string };
  const faults: TopologyFault[] = [];
  const say = (list: readonly string[]) => list.join(", ") || "none";
  if (cluster !== undefined && !clusters.includes(cluster)) {
    faults.push(at(entry, "spec.cluster", `there is no cluster ${cluster}; there is: ${say(clusters)}`));
  }
  if (role !== undefined && !roles.includes(role)) {
    faults.push(at(entry, "spec.role", `there is no role ${role}; there is: ${say(roles)}`));
  }
  return faults;
}

function subnets(entry: Entry): TopologyFault[] {
  if (entry.kind !== "Cluster") return [];
  const { podSubnet, serviceSubnet } = entry.value as Cluster;
  return prefixesOverlap(podSubnet, serviceSubnet)
    ? [at(entry, "spec", `podSubnet ${podSubnet} and serviceSubnet ${serviceSubnet} overlap; choose networks apart`)]
    : [];
}

export function crossFaults(
  entries: readonly Entry[],
  known: { clusters: readonly string[]; roles: readonly string[] },
): TopologyFault[] {
  const names = (kind: Kind) => entries.filter((e) => e.kind === kind).map((e) => e.value.name);
  const clusters = [...new Set([...known.clusters, ...names("Cluster")])];
  const roles = [...new Set([...BUILT_IN_ROLES.map((r) => r.name), ...known.roles, ...names("Role")])];
  return [...doubles(entries), ...entries.flatMap((e) => [...missing(e), ...loose(e, clusters, roles), ...subnets(e)])];
}
