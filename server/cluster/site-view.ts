// The site in memory: clusters, roles, machines and leases as the inventory has them, so that a question about one machine
// costs no look at the disk. desk-service.ts keeps it up to date. Pure: it only holds.
import type { ClusterRecord, RoleRecord } from "../../inventory/cluster.ts";
import type { Lease } from "../../inventory/lease.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Peer } from "../contract/generated/agent.ts";
import { peerOf } from "./node-peers.ts";
import { clusterOf, machineOf, membersOf, roleOf, type Site } from "./site.ts";
import { type Cluster, findMembership, type Membership, type Role } from "./topology.ts";

export class SiteView {
  #records: Pick<Site, "clusters" | "roles"> = { clusters: [], roles: [] };
  /** The same in this room's words: they are asked for with every machine. */
  #known: { clusters: readonly Cluster[]; roles: readonly Role[] } = { clusters: [], roles: [] };
  /** Made anew when something changed. */
  #site: Site | undefined;
  readonly #machines = new Map<string, Machine>();
  /** Bound leases by MAC; `nowSeconds` when they were read. */
  #leases = new Map<string, string[]>();

  get site(): Site {
    this.#site ??= { ...this.#records, machines: [...this.#machines.values()] };
    return this.#site;
  }

  get known(): { clusters: readonly Cluster[]; roles: readonly Role[] } {
    return this.#known;
  }

  setRecords(clusters: readonly ClusterRecord[], roles: readonly RoleRecord[]): void {
    this.#records = { clusters, roles };
    this.#known = { clusters: clusters.map(clusterOf), roles: roles.map(roleOf) };
    this.#site = undefined;
  }

  membership(machine: Machine): Membership {
    return findMembership(machineOf(machine), this.#known.clusters, this.#known.roles);
  }

  machine(id: string): Machine | undefined {
    return this.#machines.get(id);
  }

  setMachines(changed: readonly Machine[], deletedIds: readonly string[] = []): void {
    for (const id of deletedIds) this.#machines.delete(id);
    for (const machine of changed) this.#machines.set(machine.id, machine);
    this.#site = undefined;
  }

  /** @param nowSeconds since 1970: expired ones are nobody's. */
  setLeases(leases: readonly Lease[], nowSeconds: number): void {
    this.#leases = new Map();
    for (const { mac, address, state, expiresAt } of leases) {
      if (state !== "bound" || expiresAt <= nowSeconds) continue;
      this.#leases.set(mac, [...(this.#leases.get(mac) ?? []), address]);
    }
  }

  leasedTo(machine: Pick<Machine, "macs">): string[] {
    return machine.macs.flatMap((mac) => this.#leases.get(mac) ?? []);
  }

  /** The nodes of a cluster that have a name, in the order of their names. @param own the appliance's addresses. */
  peersOf(cluster: string, own: readonly string[]): Peer[] {
    const site = this.site;
    const members = membersOf(cluster, site).filter(({ machine }) => machine.name !== undefined);
    const holders = this.#holders(site);
    const never = new Set([...own, ...this.#known.clusters.flatMap((c) => c.endpoint ?? [])]);
    return members
      .map(({ machine, role }) => {
        const isForeign = (ip: string) => never.has(ip) || (holders.get(ip) ?? machine.id) !== machine.id;
        return peerOf({ machine, role, leased: this.leasedTo(machine), isForeign });
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Address → the machine that it was given to. */
  #holders({ machines }: Site): Map<string, string> {
    const given = (m: Machine) => [...(m.address === undefined ? [] : [m.address]), ...this.leasedTo(m)];
    return new Map(machines.flatMap((m) => given(m).map((ip): [string, string] => [ip, m.id])));
  }
}
