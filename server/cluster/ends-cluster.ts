// Whether a reset, reinstall or removal of a machine would end its cluster: the verbs that do it ask for the cluster's name
// then. Pure.
import type { Machine } from "../../inventory/machine.ts";
import { bootstrapOf, type Site } from "./site.ts";

/** Name of the cluster whose last data this machine holds, as far as is written down; undefined when others hold it too. */
export function endsCluster(machine: Machine, site: Site): string | undefined {
  const holds = (m: Machine, members: readonly { nodeId: string; installId: string }[]) =>
    m.lifecycle !== "retired" &&
    members.some((member) => member.nodeId === m.id && member.installId === m.installation?.installId);
  return site.clusters.find((cluster) => {
    const record = bootstrapOf(cluster);
    // A chosen node may have begun already.
    const members = record.kind === "confirmed" ? record.members : record.kind === "intended" ? [record] : [];
    const holders = site.machines.filter((m) => holds(m, members));
    return holders.length === 1 && holders[0]!.id === machine.id;
  })?.name;
}
