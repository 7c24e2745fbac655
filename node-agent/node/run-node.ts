// A node's life, from its machine config on STATE: its name, network, kernel settings and time, then Kubernetes, then the
// endpoint. Edge: joins the loops of this room. It asks nobody and waits for nobody; the appliance's orders come when they come.
// Nothing here throws: a part that fails is told in the node's status and tried again.
import type { ClusterOrders, NodeStatus } from "../../server/contract/generated/agent.ts";
import type { KubernetesDeps, KubernetesNode, RunCommand } from "../kubernetes/port.ts";
import type { AgentLog } from "../log.ts";
import type { Libc } from "../open-libc.ts";
import { type Root, readText } from "../read-sysfs.ts";
import type { NodeLife, NodeParts } from "../world.ts";
import { type AddressKeeper, keepAddresses } from "./run-addresses.ts";
import type { ClockKeeper } from "./run-clock.ts";
import { Settings } from "./run-settings.ts";
import { holdVip, type Vip } from "./run-vip.ts";

/** A part that failed is tried again after this. */
const RETRY_MS = 5000;

export type NodeDeps = NodeParts & {
  machine: Root;
  isContainer: boolean;
  libc: Libc | undefined;
  clock: ClockKeeper;
  uptimeMs(): number;
  /** From 0 to 1. */
  chance(): number;
  log: AgentLog;
  wait(ms: number, signal: AbortSignal): Promise<void>;
  run: RunCommand;
  /** `/dev/disk/by-partuuid/…` of EPHEMERAL; undefined where /var is there already. */
  ephemeralDevice: string | undefined;
  openKubernetes(deps: KubernetesDeps): Promise<KubernetesNode>;
};

/** Starts the node's life and returns at once. */
export const openNode = (deps: NodeDeps): NodeLife => new RunningNode(deps);

class RunningNode implements NodeLife {
  readonly install;
  readonly role;
  readonly endpoint;
  readonly #deps: NodeDeps;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();
  readonly #settings: Settings;
  readonly #addresses: AddressKeeper;
  readonly #ready: Promise<void>;
  #kubernetes: KubernetesNode | undefined;
  #vip: Vip | undefined;
  #orders: ClusterOrders | undefined;
  /** What keeps Kubernetes from being started at all. */
  #fault = "";

  constructor(deps: NodeDeps) {
    this.#deps = deps;
    const { config, install, store } = deps;
    const { cluster, controlPlane } = config.config;
    this.install = install;
    this.role = controlPlane === undefined ? ("worker" as const) : ("controlplane" as const);
    this.endpoint = cluster.endpoint.url;
    deps.clock.configure(config.config.time);
    const peers = store.readPeers();
    if (peers.length > 0) this.#orders = { bootstrapEtcd: false, peers: [...peers] };
    this.#settings = new Settings(deps);
    this.#addresses = keepAddresses(
      { ...deps, isOther: (ip) => ip === cluster.endpoint.host, changed: () => this.#networkChanged() },
      this.#stop.signal,
    );
    this.#settings.follow(this.#addresses);
    this.#ready = this.#start();
  }

  setOrders(orders: ClusterOrders | undefined): void {
    if (orders === undefined) return;
    this.#orders = orders;
    if (this.role === "controlplane") this.#keepPeers(orders);
    this.#kubernetes?.setOrders(orders);
  }

  status(): NodeStatus {
    const { install } = this.#deps;
    const status = this.#kubernetes?.status() ?? EMPTY_STATUS;
    const obstacles = [this.#fault, this.#settings.fault(), this.#addresses.obstacle(), this.#vip?.obstacle() ?? ""];
    const told = obstacles.filter((text) => text !== "");
    const reason = [...told, ...(status.reason === "" ? [] : [status.reason])].join("; ");
    return {
      ...status,
      installId: install.installId,
      // What is only told (a card that is missing) does not make a node that its cluster calls Ready less so.
      reason: status.ready ? "" : reason || "the node is being set up",
      holdsEndpoint: this.#vip?.isHeld() ?? false,
      configNotes: this.#notes(),
      memoryAvailableBytes: BigInt(memoryAvailable(this.#deps.machine)),
    };
  }

  watch(listener: () => void): void {
    this.#listeners.add(listener);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ready;
    await Promise.all([this.#kubernetes?.stop(), this.#vip?.ended, this.#addresses.ended]);
    this.#deps.clock.save();
  }

  async end(): Promise<void> {
    const kubernetes = this.#kubernetes;
    await this.stop();
    await kubernetes?.stopServices();
  }

  async #start(): Promise<void> {
    const { signal } = this.#stop;
    await this.#settings.apply();
    void this.#settings.retry(signal);
    while (!signal.aborted && this.#kubernetes === undefined) {
      try {
        await this.#startKubernetes();
        this.#fault = "";
      } catch (error) {
        this.#fault = `Kubernetes cannot be started: ${(error as Error).message}`;
        this.#deps.log.warn(this.#fault);
        this.#changed();
        await this.#deps.wait(RETRY_MS, signal);
      }
    }
  }

  async #startKubernetes(): Promise<void> {
    const { config, install, store, isContainer, ephemeralDevice, log, run } = this.#deps;
    const kubernetes = await this.#deps.openKubernetes({
      config: config.config,
      configNotes: this.#notes(),
      platform: isContainer ? "container" : "metal",
      installId: install.installId,
      ephemeralDevice,
      stateDir: store.dir,
      surroundings: () => this.#surroundings(),
      log,
      run,
    });
    this.#kubernetes = kubernetes;
    kubernetes.watch(() => this.#changed());
    if (this.#orders !== undefined) kubernetes.setOrders(this.#orders);
    const vip = this.#settings.networks().vip;
    if (this.role === "controlplane" && vip !== undefined) this.#hold(vip.ip, kubernetes);
  }

  #hold(ip: string, kubernetes: KubernetesNode): void {
    const { libc, log, uptimeMs, wait, chance } = this.#deps;
    // As they are now: a driver may come late, and udev names a card anew.
    const isMeant = (name: string) => this.#settings.networks().vip?.cards.includes(name) === true;
    const card = () => this.#addresses.cards().find(({ name, hasCarrier }) => isMeant(name) && hasCarrier);
    const isReady = () => kubernetes.probeApiServer();
    const changed = () => this.#changed();
    this.#vip = holdVip({ ip, card, isReady, libc, log, uptimeMs, wait, chance, changed }, this.#stop.signal);
  }

  #surroundings(): ReturnType<KubernetesDeps["surroundings"]> {
    const cards = this.#addresses.cards();
    const carrier = cards.find(({ hasCarrier, addresses }) => hasCarrier && addresses.length > 0) ?? cards[0];
    return {
      addresses: cards.flatMap(({ addresses }) => addresses.map((cidr) => cidr.split("/")[0]!)),
      resolvers: this.#settings.resolvers(),
      mtuBytes: carrier?.mtuBytes ?? 1500,
      isClockSet: this.#deps.clock.isSet(),
      holdsEndpoint: this.#vip?.isHeld() ?? false,
      memoryAvailableBytes: memoryAvailable(this.#deps.machine),
    };
  }

  #notes(): string[] {
    const notes = this.#deps.config.notes.map(({ path, message }) => `${path} ${message}`);
    return [...notes, ...this.#settings.notes()];
  }

  #networkChanged(): void {
    this.#settings?.networkChanged();
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #keepPeers({ peers }: ClusterOrders): void {
    try {
      this.#deps.store.savePeers(peers);
    } catch (error) {
      this.#deps.log.warn(`The list of nodes could not be kept on STATE: ${(error as Error).message}`);
    }
  }
}

const EMPTY_STATUS: NodeStatus = {
  installId: "",
  ready: false,
  reason: "",
  components: [],
  etcd: undefined,
  bootstrapObstacle: "the node is being set up",
  holdsEndpoint: false,
  nodes: [],
  pendingPods: [],
  configNotes: [],
  memoryAvailableBytes: 0n,
};

const memoryAvailable = (from: Root): number =>
  Number(/^MemAvailable:\s+(\d+) kB/m.exec(readText(from, "proc/meminfo"))?.[1] ?? 0) * 1024;
