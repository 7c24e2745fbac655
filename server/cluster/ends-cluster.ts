// Whether a reset, reinstall or removal of a machine would end its cluster: the verbs that do it ask for the cluster's name
// then. Pure.
import type { Machine } from "../../inventory/machine.ts";
import { bootstrapOf, type Site } from "./site.ts";

/**
 * Name of the cluster whose last data this machine holds, as far as is written down; undefined when others hold it too.
 *
 * @param going machines that go at the same time: their copies of the data do not count as kept.
 */
export function endsCluster(machine: Machine, site: Site, going: readonly Machine[] = []): string | undefined {
  const holds = (m: Machine, members: readonly { nodeId: string; installId: string }[]) =>
    m.lifecycle !== "retired" &&
    members.some((member) => member.nodeId === m.id && member.installId === m.installation?.installId);
  return site.clusters.find((cluster) => {
    const record = bootstrapOf(cluster);
    // A chosen node may have begun already.
    const members = record.kind === "confirmed" ? record.members : record.kind === "intended" ? [record] : [];
    const holders = site.machines.filter((m) => holds(m, members));
    const gone = new Set([machine.id, ...going.map((m) => m.id)]);
    return holders.some((m) => m.id === machine.id) && holders.every((m) => gone.has(m.id) || isOrderedAway(m));
  })?.name;
}

/** A reset or a new install of it stands, and only waits for its agent: its copy is as good as gone. */
const isOrderedAway = ({ verb, lifecycle, install }: Machine): boolean =>
  verb?.verb === "reset" || (lifecycle === "approved" && install !== undefined);
