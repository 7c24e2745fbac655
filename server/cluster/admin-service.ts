// What people do to clusters: create, apply files, delete, permit a new beginning. server/rest's cluster routes call it. All
// that writes a cluster takes its turn with the bootstrap (turns.ts). Edge: the inventory, the sealed bundles, the wire.
import type { ClusterRecord } from "../../inventory/cluster.ts";
import type { Lease } from "../../inventory/lease.ts";
import type { Actor, Inventory, MachineChange, NewMachine } from "../../inventory/port.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { SecretsBundle } from "../contract/machine-config/secrets-bundle.ts";
import type { Desk } from "./desk-service.ts";
import { overlapReason, type UsedAddress } from "./endpoint.ts";
import { type Applied, appliedOf, clusterFaults, keepEndpoint, machineFaults, roleFaults } from "./plan-apply.ts";
import { findEndpoint, type Wire } from "./run-endpoint.ts";
import { callMachine, clusterOf, membersOf, roleOf, type Site, specOfCluster, specOfRole } from "./site.ts";
import { CLUSTER_DEFAULTS, type Cluster } from "./topology.ts";
import { type FaultAt, type Topology, type TopologyFault, topologyError } from "./topology-document.ts";

export type ClusterBundles = {
  create(cluster: string, now: number): Promise<SecretsBundle>;
  open(cluster: string): Promise<SecretsBundle>;
  retire(cluster: string, now: number): string | undefined;
};
export type AdminDeps = {
  inventory: Inventory;
  desk: Desk;
  bundles: ClusterBundles;
  wire: Wire;
  record: (event: { kind: "bootstrap-permitted"; detail: { cluster: string; actor: string } }) => void;
  now: () => number;
};
export type Creation = { name: string; endpoint?: string; isSingle: boolean };
export type ApplyRequest = {
  topology: Topology;
  faultAt: FaultAt;
  /** The machines' part, judged already; `index` is that of the document. */
  machines: { creations: readonly NewMachine[]; changes: readonly MachineChange[]; applied: readonly Applied[] };
  isDryRun: boolean;
};
export type ApplyResult = { applied: Applied[]; endpoints: { cluster: string; endpoint: string; reason: string }[] };

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export class ClusterAdmin {
  readonly #deps: AdminDeps;

  constructor(deps: AdminDeps) {
    this.#deps = deps;
  }

  /**
   * Makes a cluster with its secrets and an endpoint.
   * @throws BAD_REQUEST, CONFLICT for a name in use or an endpoint that cannot be; DISK_FULL and the like.
   */
  async create(
    { name, endpoint, isSingle }: Creation,
    actor: Actor,
  ): Promise<{ record: ClusterRecord; reason: string }> {
    if (!NAME.test(name))
      throw new SlipwayError(
        "BAD_REQUEST",
        `the name of a cluster must be of lower-case letters, digits and hyphens such as rack1, at most 63, found ${JSON.stringify(name)}`,
      );
    return this.#deps.desk.turns.take(async () => {
      const site = await this.#readSite();
      if (site.clusters.some((c) => c.name === name))
        throw new SlipwayError("CONFLICT", `there is a cluster ${name} already`, {
          remedy: `Choose another name; \`slipway cluster status ${name}\` shows the one there is.`,
        });
      const cluster: Cluster = { ...CLUSTER_DEFAULTS, name, allowSchedulingOnControlPlanes: isSingle };
      const overlap = overlapReason(cluster, this.#deps.wire.siteNetworks());
      if (overlap !== undefined)
        throw new SlipwayError("CONFLICT", `cluster ${name}: ${overlap}`, {
          remedy:
            "Write a Cluster document with networks of its own and `slipway apply -f FILE`; docs/clusters.md has one.",
        });
      const choice = await findEndpoint(this.#deps.wire, await this.#usedAddresses(site), endpoint);
      if (choice.kind === "refused")
        throw new SlipwayError("CONFLICT", `cluster ${name} has no endpoint: ${choice.reason}`, {
          remedy: sentence(choice.remedy),
        });
      const made = await this.#write([{ ...cluster, endpoint: choice.ip }], site, actor);
      return { record: made[0]!, reason: choice.reason };
    });
  }

  /** All or none. @throws BAD_IMPORT with every fault as `FILE:line:column: path: words`. */
  async apply(request: ApplyRequest, actor: Actor): Promise<ApplyResult> {
    return this.#deps.desk.turns.take(async () => {
      const site = await this.#readSite();
      const { topology, faultAt, machines, isDryRun } = request;
      const { clusters, faults, endpoints } = await this.#settleClusters(topology.clusters, site, faultAt);
      const roles = topology.roles;
      faults.push(
        ...roles.flatMap((r) =>
          roleFaults(
            r,
            site.roles.find((x) => x.name === r.name),
            site,
            faultAt,
          ),
        ),
      );
      for (const wanted of topology.machines) {
        const before = site.machines.find((m) => m.macs.some((mac) => wanted.macs.includes(mac)));
        faults.push(...machineFaults(wanted, before, faultAt));
      }
      if (faults.length > 0) throw topologyError(faults);
      const applied = [
        ...clusters.map((c) => appliedOf("Cluster", c.name, siteCluster(site, c.name), c)),
        ...roles.map((r) => appliedOf("Role", r.name, siteRole(site, r.name), r)),
        ...machines.applied,
      ];
      if (!isDryRun) await this.#write(clusters, site, actor, { roles, ...machines });
      return { applied, endpoints };
    });
  }

  /**
   * Forgets a cluster; its sealed secrets are moved aside.
   * @returns where the secrets lie now. @throws NOT_FOUND, CONFLICT while machines of it are installed.
   */
  async remove(name: string, actor: Actor): Promise<{ secretsPath?: string }> {
    return this.#deps.desk.turns.take(async () => {
      const site = await this.#readSite();
      getCluster(site, name);
      const installed = membersOf(name, site).filter(({ machine }) => machine.installation !== undefined);
      if (installed.length > 0) {
        const names = installed.map(({ machine }) => callMachine(machine)).join(", ");
        throw new SlipwayError(
          "CONFLICT",
          `cluster ${name} cannot be deleted: installed machines belong to it: ${names}`,
          {
            remedy: `Reset them first: \`slipway reset ${installed.map(({ machine }) => callMachine(machine)).join(",")}\`; or retire or remove those that are gone.`,
          },
        );
      }
      await this.#deps.inventory.deleteClusters([name], actor);
      const secretsPath = this.#deps.bundles.retire(name, this.#deps.now());
      return secretsPath === undefined ? {} : { secretsPath };
    });
  }

  /** A person permits a first member for new data, once. @throws NOT_FOUND, BAD_TRANSITION where nothing is lost or in doubt. */
  async permitNewData(name: string, actor: Actor): Promise<void> {
    const { desk, inventory, now, record } = this.#deps;
    await desk.turns.take(async () => {
      const cluster = getCluster(await this.#readSite(), name);
      const decision = desk.view.decisionOf(name);
      if (decision?.kind !== "lost" && decision?.kind !== "uncertain") {
        const state =
          decision === undefined
            ? "not looked at yet"
            : `${decision.kind}: ${"reason" in decision ? decision.reason : ""}`;
        throw new SlipwayError(
          "BAD_TRANSITION",
          `cluster ${name} is neither lost nor in doubt (${state}), so its data is not to be given up`,
          {
            remedy: `\`slipway cluster status ${name}\` says how it is.`,
          },
        );
      }
      const { createdAt: _, ...rest } = cluster;
      // After what was written down, whatever the clock was then: it is that which the word is about.
      const { atMs = 0 } = cluster.bootstrap as { atMs?: number };
      const changed = { ...rest, newDataPermittedAt: Math.max(now(), atMs + 1) };
      await inventory.applyTopology({ clusters: [changed], roles: [], creations: [], changes: [] }, actor);
      record({ kind: "bootstrap-permitted", detail: { cluster: name, actor } });
    });
  }

  async #settleClusters(wanted: readonly Cluster[], site: Site, faultAt: FaultAt) {
    const faults: TopologyFault[] = [];
    const endpoints: ApplyResult["endpoints"] = [];
    const clusters: Cluster[] = [];
    const used = await this.#usedAddresses(
      site,
      wanted.map((c) => c.name),
    );
    for (const one of wanted) {
      const record = site.clusters.find((c) => c.name === one.name);
      const before = record === undefined ? undefined : clusterOf(record);
      const cluster = keepEndpoint(one, before);
      faults.push(...clusterFaults(cluster, record, site, faultAt));
      const overlap = overlapReason(cluster, this.#deps.wire.siteNetworks());
      if (overlap !== undefined) faults.push(faultAt("Cluster", one.name, "spec", overlap));
      if (cluster.endpoint !== undefined && cluster.endpoint === before?.endpoint) {
        clusters.push(cluster);
        used.push({ ip: cluster.endpoint, by: `the endpoint of cluster ${one.name}` });
        continue;
      }
      const choice = await findEndpoint(this.#deps.wire, used, cluster.endpoint);
      if (choice.kind === "refused") {
        faults.push(faultAt("Cluster", one.name, "spec.endpoint", `${choice.reason}; ${choice.remedy}`));
        continue;
      }
      used.push({ ip: choice.ip, by: `the endpoint of cluster ${one.name}` });
      clusters.push({ ...cluster, endpoint: choice.ip });
      endpoints.push({ cluster: one.name, endpoint: choice.ip, reason: choice.reason });
    }
    return { clusters, faults, endpoints };
  }

  /** Secrets first: a cluster without them would be worth nothing, secrets without a cluster are moved aside by the next. */
  async #write(
    clusters: readonly Cluster[],
    site: Site,
    actor: Actor,
    more: { roles: Topology["roles"]; creations: readonly NewMachine[]; changes: readonly MachineChange[] } = {
      ...{ roles: [], creations: [], changes: [] },
    },
  ): Promise<ClusterRecord[]> {
    const { inventory, bundles, now } = this.#deps;
    const records = clusters.map((cluster) => {
      const before = site.clusters.find((c) => c.name === cluster.name);
      const { createdAt: _, ...rest } = before ?? { createdAt: "", bootstrap: { kind: "never" } };
      return { ...rest, name: cluster.name, spec: specOfCluster(cluster) };
    });
    for (const { name } of clusters) if (siteCluster(site, name) === undefined) await bundles.create(name, now());
    const roles = more.roles.map((role) => ({ name: role.name, spec: specOfRole(role) }));
    const { creations, changes } = more;
    await inventory.applyTopology({ clusters: records, roles, creations, changes }, actor);
    const stored = await inventory.listClusters();
    return records.flatMap((r) => stored.find((c) => c.name === r.name) ?? []);
  }

  async #readSite(): Promise<Site> {
    const { inventory } = this.#deps;
    const [clusters, roles, machines] = await Promise.all([
      inventory.listClusters(),
      inventory.listRoles(),
      inventory.listMachines(),
    ]);
    return { clusters, roles, machines };
  }

  /** @param except clusters whose endpoints are judged one by one. */
  async #usedAddresses({ clusters, machines }: Site, except: readonly string[] = []): Promise<UsedAddress[]> {
    const now = this.#deps.now() / 1000;
    const isHeld = (l: Lease) => (l.state === "bound" || l.state === "declined") && l.expiresAt > now;
    const leases = (await this.#deps.inventory.listLeases()).filter(isHeld);
    return [
      ...clusters
        .filter((c) => !except.includes(c.name))
        .map(clusterOf)
        .flatMap(endpointUse),
      ...machines.flatMap((m) =>
        m.address === undefined ? [] : [{ ip: m.address, by: `${callMachine(m)} (reservation)` }],
      ),
      ...leases.map((l) => ({ ip: l.address, by: `${l.mac} (lease)` })),
    ];
  }
}

const endpointUse = (c: Cluster): UsedAddress[] =>
  c.endpoint === undefined ? [] : [{ ip: c.endpoint, by: `the endpoint of cluster ${c.name}` }];
const siteCluster = (site: Site, name: string) => site.clusters.filter((c) => c.name === name).map(clusterOf)[0];
const siteRole = (site: Site, name: string) => site.roles.filter((r) => r.name === name).map(roleOf)[0];

/** @throws NOT_FOUND, which names those that exist. */
export function getCluster(site: Pick<Site, "clusters">, name: string): ClusterRecord {
  const found = site.clusters.find((c) => c.name === name);
  if (found !== undefined) return found;
  const names = site.clusters.map((c) => c.name).join(", ") || "none";
  throw new SlipwayError("NOT_FOUND", `there is no cluster ${name}; there is: ${names}`, {
    remedy: "`slipway cluster list` shows them; `slipway cluster create NAME` makes one.",
  });
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
