// The inventory's records as this room's own words: clusters and roles with their defaults, a machine with its patches, and
// which cluster a machine belongs to. The desk and the routes ask here. Pure.
import type { ClusterRecord, RoleRecord } from "../../inventory/cluster.ts";
import type { Machine as InventoryMachine } from "../../inventory/machine.ts";
import type { BootstrapRecord } from "./bootstrap.ts";
import {
  CLUSTER_DEFAULTS,
  type Cluster,
  findMembership,
  type Machine,
  type Membership,
  type Patch,
  type Role,
} from "./topology.ts";

/** All that one look at the inventory gives. */
export type Site = {
  clusters: readonly ClusterRecord[];
  roles: readonly RoleRecord[];
  machines: readonly InventoryMachine[];
};

export const clusterOf = ({ name, spec }: Pick<ClusterRecord, "name" | "spec">): Cluster =>
  ({ ...CLUSTER_DEFAULTS, ...spec, name }) as Cluster;

/** What is stored of a cluster: all its fields, so that a later version's other defaults change no cluster that runs. */
export const specOfCluster = ({ name: _, ...spec }: Cluster): Readonly<Record<string, unknown>> => spec;

export const roleOf = ({ name, spec }: RoleRecord): Role =>
  ({ leastGrade: "open", patches: [], ...spec, name }) as unknown as Role;
export const specOfRole = ({ name: _, ...spec }: Role): Readonly<Record<string, unknown>> => spec;

export const bootstrapOf = ({ bootstrap }: Pick<ClusterRecord, "bootstrap">): BootstrapRecord =>
  (bootstrap.kind === undefined ? { kind: "never" } : bootstrap) as BootstrapRecord;

/** How a machine is called in a sentence: its name, else its first MAC. */
export const callMachine = ({ name, macs }: Pick<InventoryMachine, "name" | "macs">): string => name ?? macs[0] ?? "?";

/**
 * The cluster that a person chose for a machine, else the one whose config it was given. A second cluster would else take
 * the nodes of the first away from it: their role alone means the only cluster.
 */
export const chosenCluster = ({
  cluster,
  installation,
  install,
}: Pick<InventoryMachine, "installation" | "install"> & { cluster?: string | undefined }): string | undefined =>
  cluster ?? installation?.cluster ?? install?.cluster;

/** The topology's machine of an inventory's. */
export function machineOf(machine: InventoryMachine): Machine {
  const { macs, role, address, spec } = machine;
  const cluster = chosenCluster(machine);
  const patches = (spec?.patches ?? []) as readonly Patch[];
  return {
    name: callMachine(machine),
    macs,
    patches,
    ...(role === undefined ? {} : { role }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(address === undefined ? {} : { address }),
  };
}

export const membershipOf = (machine: InventoryMachine, site: Pick<Site, "clusters" | "roles">): Membership =>
  findMembership(machineOf(machine), site.clusters.map(clusterOf), site.roles.map(roleOf));

/** The machines that belong to a cluster now, with their roles. */
export function membersOf(cluster: string, site: Site): { machine: InventoryMachine; role: Role }[] {
  const clusters = site.clusters.map(clusterOf);
  const roles = site.roles.map(roleOf);
  return site.machines.flatMap((machine) => {
    const found = findMembership(machineOf(machine), clusters, roles);
    return found.kind === "member" && found.cluster.name === cluster ? [{ machine, role: found.role }] : [];
  });
}
