// What an apply would change about clusters and roles, and what of it must not change under machines that are installed
// already: their certificates, addresses and data hang on it. admin-service.ts calls it. Pure.
import type { ClusterRecord, RoleRecord } from "../../inventory/cluster.ts";
import type { Machine as InventoryMachine } from "../../inventory/machine.ts";
import { fixedFaults, isInstalled } from "./fixed-fields.ts";
import { bootstrapOf, clusterOf, membersOf, roleOf, type Site } from "./site.ts";
import type { Cluster, Role } from "./topology.ts";
import type { FaultAt, TopologyFault } from "./topology-document.ts";

/** What became, or would become, of one document. `what`: keys that differ. */
export type Applied = {
  kind: "Cluster" | "Role" | "Machine";
  name: string;
  change: "created" | "changed" | "unchanged";
  what: readonly string[];
};

/** Every node has these in its config and its certificates, and all nodes must agree on them. */
const FIXED_OF_CLUSTER = ["endpoint", "port", "dnsDomain", "podSubnet", "serviceSubnet", "cni"] as const;
const FIXED_OF_ROLE = ["type", "cluster"] as const;

/** A document that names no endpoint keeps the one that was chosen. */
export const keepEndpoint = (wanted: Cluster, before: Cluster | undefined): Cluster =>
  wanted.endpoint === undefined && before?.endpoint !== undefined ? { ...wanted, endpoint: before.endpoint } : wanted;

export function clusterFaults(
  wanted: Cluster,
  record: ClusterRecord | undefined,
  site: Site,
  faultAt: FaultAt,
): TopologyFault[] {
  if (record === undefined) return [];
  const isBegun =
    bootstrapOf(record).kind !== "never" || membersOf(record.name, site).some(({ machine }) => isInstalled(machine));
  if (!isBegun) return [];
  const before = clusterOf(record);
  return FIXED_OF_CLUSTER.filter((key) => before[key] !== wanted[key]).map((key) =>
    faultAt(
      "Cluster",
      wanted.name,
      `spec.${key}`,
      `cannot change from ${before[key]} to ${wanted[key]}: cluster ${wanted.name} has installed machines; delete it and create it anew, or keep ${before[key]}`,
    ),
  );
}

export function roleFaults(
  wanted: Role,
  record: RoleRecord | undefined,
  site: Site,
  faultAt: FaultAt,
): TopologyFault[] {
  if (record === undefined) return [];
  const holders = site.machines.filter((m) => m.role === wanted.name && isInstalled(m));
  const first = holders[0];
  if (first === undefined) return [];
  const before = roleOf(record);
  return FIXED_OF_ROLE.filter((key) => before[key] !== wanted[key]).map((key) =>
    faultAt(
      "Role",
      wanted.name,
      `spec.${key}`,
      `cannot change from ${before[key] ?? "nothing"} to ${wanted[key] ?? "nothing"}: ${holders.length} installed machines have this role, ${first.name ?? first.macs[0]} for one; reset them first, or write another role`,
    ),
  );
}

export function machineFaults(
  wanted: { name: string; role?: string; cluster?: string },
  before: InventoryMachine | undefined,
  faultAt: FaultAt,
): TopologyFault[] {
  return fixedFaults(before, wanted).map(({ field, message }) =>
    faultAt("Machine", wanted.name, field === "name" ? "metadata.name" : `spec.${field}`, message),
  );
}

/** Keys whose values differ, in the order of the alphabet. */
export function differingKeys(before: object | undefined, after: object): string[] {
  const [a, b] = [plain(before ?? {}), plain(after)];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]))
    .sort();
}
const plain = (value: object) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>;

export const appliedOf = (kind: Applied["kind"], name: string, before: object | undefined, after: object): Applied => {
  const what = before === undefined ? [] : differingKeys(before, after);
  return { kind, name, change: before === undefined ? "created" : what.length > 0 ? "changed" : "unchanged", what };
};
