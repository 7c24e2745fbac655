// Why a machine cannot be given a config, in words, and the command that mends it; undefined when it can. The agent shows it
// on the machine's screen, `slipway machines` beside the machine. Pure.
import type { Cidr } from "../../inventory/address.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { ClusterWait } from "../grpc/cluster-port.ts";
import { overlapReason } from "./endpoint.ts";
import { BUILT_IN_ROLES, type Cluster, GRADES, type Membership, type Role } from "./topology.ts";

/** What the last attempt to render this machine's config said. */
export type Refusal = { reason: string; remedy: string };

/** @param refusal undefined when the last config went well, or was not made for this state of things. */
export function waitOfMachine(
  machine: Machine,
  membership: Membership,
  known: { clusters: readonly Cluster[]; roles: readonly Role[] },
  siteNetworks: readonly Cidr[],
  refusal?: Refusal,
): ClusterWait | undefined {
  // The reason ends with a remedy in words; `next` is that as one command.
  if (membership.kind === "none") return { waits: membership.reason.split(";")[0]!, next: nextFor(machine, known) };
  const { cluster, role } = membership;
  if (cluster.endpoint === undefined)
    return {
      waits: `cluster ${cluster.name} has no endpoint yet`,
      next: `slipway cluster create ${cluster.name} --endpoint IP`,
    };
  // The cluster may be older than the network: an interface came, or its address changed.
  const overlap = overlapReason(cluster, siteNetworks);
  if (overlap !== undefined)
    return {
      waits: `cluster ${cluster.name}: ${overlap}`,
      next: `give the Cluster document of ${cluster.name} other networks, then slipway apply -f FILE`,
    };
  // Nothing records a better proof than an enrolment yet: who asks for more must not be given less.
  if (GRADES.indexOf(role.leastGrade) > 0)
    return {
      waits: `role ${role.name} takes machines of grade ${role.leastGrade} or better; every machine is open so far`,
      next: `set leastGrade: open in the Role document of ${role.name}, then slipway apply -f FILE`,
    };
  return refusal === undefined ? undefined : { waits: refusal.reason, next: refusal.remedy };
}

function nextFor(
  machine: Machine,
  { clusters, roles }: { clusters: readonly Cluster[]; roles: readonly Role[] },
): string {
  const who = machine.name ?? machine.macs[0] ?? machine.id;
  const isKnownRole = [...BUILT_IN_ROLES, ...roles].some((role) => role.name === machine.role);
  if (!isKnownRole) return `slipway set ${who} --role controlplane|worker`;
  return clusters.length === 0 ? "slipway cluster create NAME" : `slipway set ${who} --cluster NAME`;
}
