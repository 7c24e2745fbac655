// What a site is made of: clusters, roles and machines, and which of them belong together. topology-document.ts reads them
// from files, the inventory keeps them, render-config.ts makes a machine's config of one of each. Pure.
import type { Ipv4, Mac } from "../../inventory/address.ts";

/** The same as every file of Slipway's (`slipway machines --export`). */
export const API_VERSION = "slipway.dev/v1alpha1";

/** A part of a machine config that is merged over the rendered one. `kind` absent: the v1alpha1 document. */
export type Patch = Readonly<Record<string, unknown>>;

export type Cluster = {
  name: string;
  /** Host name, or the address that the control plane holds; undefined until one is chosen. */
  endpoint?: string;
  port: number;
  dnsDomain: string;
  podSubnet: string;
  serviceSubnet: string;
  cni: "flannel" | "none";
  allowSchedulingOnControlPlanes: boolean;
  /** Further names in the API server's certificate. */
  certSans: readonly string[];
  timeServers: readonly string[];
};

/** How a machine must have proven itself to be given this role's config (design §6.4), weakest first. */
export const GRADES = ["open", "paired", "keyed", "attested"] as const;
export type Grade = (typeof GRADES)[number];

export type Role = {
  name: string;
  type: "controlplane" | "worker";
  /** Undefined: the only cluster there is. */
  cluster?: string;
  leastGrade: Grade;
  patches: readonly Patch[];
};

export type Machine = {
  name: string;
  macs: readonly Mac[];
  role?: string;
  /** Goes before the role's. */
  cluster?: string;
  address?: Ipv4;
  boot?: string;
  uuid?: string;
  serial?: string;
  patches: readonly Patch[];
};

/** What a Cluster document that says nothing else means. */
export const CLUSTER_DEFAULTS = {
  port: 6443,
  dnsDomain: "cluster.local",
  podSubnet: "10.244.0.0/16",
  serviceSubnet: "10.96.0.0/12",
  cni: "flannel",
  allowSchedulingOnControlPlanes: false,
  certSans: [],
  timeServers: [],
} as const satisfies Omit<Cluster, "name">;

/** The roles that exist without a file; one of the same name in a file replaces it. */
export const BUILT_IN_ROLES: readonly Role[] = [
  { name: "controlplane", type: "controlplane", leastGrade: "open", patches: [] },
  { name: "worker", type: "worker", leastGrade: "open", patches: [] },
];

export type Membership = { kind: "member"; cluster: Cluster; role: Role } | { kind: "none"; reason: string };

/** Which cluster and role a machine has: its own word first, then its role's, else the only cluster. */
export function findMembership(
  machine: Pick<Machine, "name" | "role" | "cluster">,
  clusters: readonly Cluster[],
  roles: readonly Role[],
): Membership {
  const none = (reason: string): Membership => ({ kind: "none", reason });
  if (machine.role === undefined) return none(`${machine.name} has no role; give it one with \`slipway set --role\``);
  const role = roles.find((r) => r.name === machine.role) ?? BUILT_IN_ROLES.find((r) => r.name === machine.role);
  if (role === undefined) return none(`there is no role ${machine.role}; apply a Role document, or choose another`);
  const wanted = machine.cluster ?? role.cluster;
  const names = clusters.map((c) => c.name).join(", ");
  if (wanted !== undefined) {
    const cluster = clusters.find((c) => c.name === wanted);
    if (cluster !== undefined) return { kind: "member", cluster, role };
    return none(`there is no cluster ${wanted}; there is: ${names || "none"}`);
  }
  const [only, ...more] = clusters;
  if (only === undefined) return none("there is no cluster yet; make one with `slipway cluster create NAME`");
  if (more.length > 0) return none(`several clusters (${names}); say which with \`slipway set --cluster NAME\``);
  return { kind: "member", cluster: only, role };
}
