// The desk behind the gRPC service (server/grpc/cluster-port.ts): what each machine waits for, its config, its orders, what
// its node says; and whoever begins a cluster's etcd. It keeps the site in memory and follows the inventory. Edge: the
// inventory, a timer. server/appliance opens it.
import type { EventKind, NewEvent } from "../../inventory/event.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory } from "../../inventory/port.ts";
import type { ClusterOrders, NodeStatus, Peer } from "../contract/generated/agent.ts";
import type { ClusterDesk, ClusterWait, ConfigAnswer } from "../grpc/cluster-port.ts";
import type { BootstrapDecision } from "./bootstrap.ts";
import { bootstrapFacts } from "./bootstrap-facts.ts";
import { type ConfigDeps, ConfigMaker, type Preview } from "./config-service.ts";
import { endsCluster } from "./ends-cluster.ts";
import { HeardNodes } from "./heard-nodes.ts";
import { type Bootstraps, runBootstraps } from "./run-bootstrap.ts";
import type { Site } from "./site.ts";
import { SiteView } from "./site-view.ts";
import { Turns } from "./turns.ts";

export type DeskDeps = ConfigDeps & {
  inventory: Inventory;
  /** The appliance's own addresses: no node may have one. */
  ownAddresses: () => readonly string[];
  record: (event: Omit<NewEvent, "at">) => void;
  now: () => number;
  /** How often silence is judged and leases are read again. */
  everyMs?: number;
  /** Changes are gathered for so long. */
  settleMs?: number;
};

/** What `cluster status` and the other routes ask beside the port. */
export type DeskView = {
  site: Site;
  statusOf(machineId: string): NodeStatus | undefined;
  lastHeardMs(machineId: string): number | undefined;
  /** When its `ready` changed last, as far as this process saw. */
  sinceOf(machineId: string): number | undefined;
  decisionOf(cluster: string): BootstrapDecision | undefined;
  leasedTo(machine: Machine): string[];
};
export type Desk = ClusterDesk & {
  view: DeskView;
  /** For all who write clusters: a record read before another's write would undo it. */
  turns: Turns;
  /** The config as it would be given out now, for `slipway config`; names nobody. */
  previewConfig(machine: Machine): Promise<Preview>;
  close(): void;
};

const EVERY_MS = 5000;
/** Peers are made anew after this: a rack that is switched on changes a hundred machines in a second. */
const SETTLE_MS = 100;
/** With thousands of machines that takes tens of milliseconds: DHCP must be answered in nine tenths of the time. */
const REST_FACTOR = 9;

/** @returns when the inventory has been read: it answers from the first call on. */
export async function openDesk(deps: DeskDeps): Promise<Desk> {
  const desk = new DeskService(deps);
  await desk.start();
  return desk;
}

class DeskService implements Desk {
  readonly turns = new Turns();
  readonly view: DeskView;
  readonly #deps: DeskDeps;
  readonly #site = new SiteView();
  readonly #heard: HeardNodes;
  readonly #configs: ConfigMaker;
  readonly #listeners = new Set<(machineIds: readonly string[]) => void>();
  readonly #peers = new Map<string, readonly Peer[]>();
  /** Orders as they were when the streams were last told. */
  readonly #told = new Map<string, string>();
  readonly #bootstraps: Bootstraps;
  readonly #stops: (() => void)[] = [];
  #settling: NodeJS.Timeout | undefined;
  #settleCostMs = 0;
  #isClosed = false;

  constructor(deps: DeskDeps) {
    this.#deps = deps;
    this.#heard = new HeardNodes(deps.now());
    this.#configs = new ConfigMaker(deps, this.#site, this.turns);
    this.#bootstraps = runBootstraps({
      inventory: deps.inventory,
      now: deps.now,
      turns: this.turns,
      tell: (kind, detail, machineId) => this.#tell(kind, detail, machineId),
      warn: deps.log.warn,
      look: (name) => this.#lookAt(name),
      onDecision: () => this.#tellOrders(),
    });
    const at = this.#site;
    this.view = {
      get site() {
        return at.site;
      },
      statusOf: (id) => this.statusOf(id),
      lastHeardMs: (id) => this.#heard.lastMs.get(id),
      sinceOf: (id) => this.#heard.sinceMs.get(id),
      decisionOf: (cluster) => this.#bootstraps.decisionOf(cluster),
      leasedTo: (machine) => at.leasedTo(machine),
    };
  }

  async start(): Promise<void> {
    const { inventory, everyMs = EVERY_MS } = this.#deps;
    // Watch first, so that no change falls between the two.
    this.#stops.push(
      inventory.watchMachines((changed, deletedIds) => {
        this.#site.setMachines(changed, deletedIds);
        for (const id of deletedIds) this.noteGone(id);
        this.#changed();
      }),
      inventory.watchClusters(() => void this.#readClusters().then(() => this.#changed())),
    );
    const machines = await inventory.listMachines();
    this.#site.setMachines(machines.filter((m) => this.#site.machine(m.id) === undefined));
    await this.#readClusters();
    await this.#readLeases();
    this.#settle();
    const timer = setInterval(() => void this.#readLeases().then(() => this.#changed()), everyMs);
    this.#stops.push(() => clearInterval(timer));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#settling);
    for (const stop of this.#stops) stop();
  }

  waitOf(machine: Machine): ClusterWait | undefined {
    return this.#configs.waitOf(machine);
  }

  renderConfig(machine: Machine): Promise<ConfigAnswer> {
    return this.#configs.render(machine);
  }

  previewConfig(machine: Machine): Promise<Preview> {
    return this.#configs.preview(machine);
  }

  ordersOf(machine: Machine): ClusterOrders | undefined {
    const found = this.#site.membership(machine);
    if (found.kind === "none") return undefined;
    const { name } = found.cluster;
    const decision = this.#bootstraps.decisionOf(name);
    const bootstrapEtcd = decision?.kind === "tell" && decision.nodeId === machine.id;
    // A worker approves and labels nobody: it is not told who else there is.
    const peers = found.role.type === "controlplane" ? [...(this.#peers.get(name) ?? [])] : [];
    return { bootstrapEtcd, peers };
  }

  noteStatus(machine: Machine, status: NodeStatus): void {
    this.#heard.note(machine.id, status, this.#deps.now());
    const found = this.#site.membership(machine);
    if (status.etcd !== undefined && found.kind === "member") void this.#bootstraps.step(found.cluster.name);
  }

  noteGone(machineId: string): void {
    this.#heard.gone(machineId, this.#deps.now());
  }

  statusOf(machineId: string): NodeStatus | undefined {
    return this.#heard.statuses.get(machineId);
  }

  endsCluster(machine: Machine, going?: readonly Machine[]): string | undefined {
    return endsCluster(machine, this.#site.site, going);
  }

  watchOrders(listener: (machineIds: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #readClusters(): Promise<void> {
    const { inventory, log } = this.#deps;
    try {
      const [clusters, roles] = await Promise.all([inventory.listClusters(), inventory.listRoles()]);
      this.#site.setRecords(clusters, roles);
    } catch (err) {
      log.warn("Clusters and roles could not be read anew.", { err });
    }
  }

  /** Leases are thousands, and nobody needs them while there is no cluster. */
  async #readLeases(): Promise<void> {
    if (this.#site.known.clusters.length === 0) return;
    const { inventory, now, log } = this.#deps;
    try {
      this.#site.setLeases(await inventory.listLeases(), now() / 1000);
    } catch (err) {
      log.warn("Leases could not be read for the clusters' nodes.", { err });
    }
  }

  async #lookAt(name: string) {
    const clusters = await this.#deps.inventory.listClusters();
    const cluster = clusters.find((c) => c.name === name);
    if (cluster === undefined) return undefined;
    const facts = bootstrapFacts(cluster, { ...this.#site.site, clusters }, this.#heard, this.#deps.now());
    return { cluster, facts };
  }

  #changed(): void {
    if (this.#isClosed) return;
    const { settleMs = SETTLE_MS } = this.#deps;
    this.#settling ??= setTimeout(() => this.#settle(), Math.max(settleMs, REST_FACTOR * this.#settleCostMs));
  }

  #settle(): void {
    const beganMs = performance.now();
    clearTimeout(this.#settling);
    this.#settling = undefined;
    const names = this.#site.known.clusters.map((c) => c.name);
    for (const name of this.#peers.keys()) if (!names.includes(name)) this.#forget(name);
    for (const name of names) {
      this.#peers.set(name, this.#site.peersOf(name, this.#deps.ownAddresses()));
      void this.#bootstraps.step(name);
    }
    this.#tellOrders();
    this.#settleCostMs = performance.now() - beganMs;
  }

  #forget(cluster: string): void {
    this.#peers.delete(cluster);
    this.#bootstraps.forget(cluster);
  }

  /** Tells the streams of those machines whose orders are others than before. */
  #tellOrders(): void {
    const changed = this.#site.site.machines.filter((machine) => {
      const orders = JSON.stringify([this.ordersOf(machine), this.waitOf(machine)]);
      if (this.#told.get(machine.id) === orders) return false;
      this.#told.set(machine.id, orders);
      return true;
    });
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed.map((m) => m.id));
  }

  #tell(kind: EventKind, detail: NonNullable<NewEvent["detail"]>, machineId: string | undefined): void {
    const mac = machineId === undefined ? undefined : this.#site.machine(machineId)?.macs[0];
    this.#deps.record({ kind, detail, ...(mac === undefined ? {} : { mac }) });
  }
}
