// A node's Kubernetes as one loop: settle what differs, look, do what a control plane owes its cluster, say how it is. Each
// turn starts from what is true, so a cut, a restart or a new order needs no case of its own. Edge. Called by the agent's
// life (node-agent/node/); port.ts is the contract.
import type { ClusterOrders, NodeStatus } from "../../server/contract/generated/agent.ts";
import { makeTell, type NodeContext, type Tell } from "./context.ts";
import { KEPT_FILE, parseKept } from "./kept.ts";
import { isSameStatus, nodeStatus, type Observation, runsControllers } from "./node-status.ts";
import type { KubernetesDeps, KubernetesNode } from "./port.ts";
import {
  applyObjects,
  approveServing,
  type DutyState,
  keep,
  labelNodes,
  learnServers,
  newDutyState,
  SERVING_REQUESTS,
} from "./run-duties.ts";
import { readText } from "./run-files.ts";
import { type Clients, observe, openClients } from "./run-observe.ts";
import { type ApiProbe, openApiProbe } from "./run-probe.ts";
import { settle } from "./run-settle.ts";
import { stopServices } from "./run-stop.ts";
import { type StaticPodService, serveStaticPods } from "./static-pod-service.ts";

/** While something is missing, and when nothing is. What the API shows is followed, and needs no look: it ends a rest early. */
const EAGER_MS = 1000;
const CALM_MS = 5000;
/** A look must not take the processor from what it looks at: under emulation one takes seconds. */
const RESTS_PER_TURN = 5;
const LONGEST_REST_MS = 15_000;

/** Starts the work and returns at once. @throws when the static pods' port is taken. */
export async function openKubernetesNode(deps: KubernetesDeps): Promise<KubernetesNode> {
  const pods = deps.config.controlPlane === undefined ? undefined : await serveStaticPods();
  return new RunningNode(deps, pods);
}

const newContext = (deps: KubernetesDeps, tell: Tell): NodeContext => ({
  deps,
  orders: undefined,
  kubernetesVersion: undefined,
  settled: undefined,
  setup: "the node is being set up",
  bootstrapObstacle: undefined,
  units: undefined,
  unitsSeenMs: undefined,
  hasImages: false,
  hasApiAnswered: false,
  apiAnsweredMs: undefined,
  runsControllers: false,
  ownWorkloads: undefined,
  inputs: "",
  lookedAtMs: undefined,
  unknownSinceMs: undefined,
  isReady: false,
  kept: parseKept(readText(`${deps.stateDir}/${KEPT_FILE}`)),
  tell,
});

class RunningNode implements KubernetesNode {
  readonly #context: NodeContext;
  readonly #pods: StaticPodService | undefined;
  readonly #clients: Clients;
  readonly #probe: ApiProbe;
  readonly #duties: DutyState = newDutyState();
  readonly #listeners = new Set<(status: NodeStatus) => void>();
  readonly #done: Promise<void>;
  #status: NodeStatus;
  #isStopped = false;
  #wake: () => void = () => {};
  /** Something new since the last look began. */
  #hasNews = false;
  /** A rest that news of the API may end; the least one between two looks it may not. */
  #isCalm = false;

  constructor(deps: KubernetesDeps, pods: StaticPodService | undefined) {
    // What a stop cuts off is no fault to tell.
    const tell = makeTell((text) => this.#isStopped || deps.log.info(text));
    const context = newContext(deps, tell);
    this.#context = context;
    this.#pods = pods;
    this.#clients = openClients(context, () => this.#seeChange());
    this.#probe = openApiProbe(this.#clients);
    this.#status = nodeStatus(nothingSeen(context));
    this.#done = this.#work();
  }

  setOrders(orders: ClusterOrders | undefined): void {
    this.#context.orders = orders;
    this.#hasNews = true;
    this.#wake();
  }
  status(): NodeStatus {
    return this.#status;
  }
  watch(listener: (status: NodeStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  probeApiServer(): Promise<boolean> {
    return this.#probe.isReady();
  }
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#clients.close();
    this.#wake();
    await this.#done;
    await this.#pods?.close();
  }
  async stopServices(): Promise<void> {
    await this.stop();
    await stopServices(this.#context.deps);
  }

  async #work(): Promise<void> {
    while (!this.#isStopped) {
      const startedMs = performance.now();
      this.#hasNews = false;
      const hadAnswered = this.#context.hasApiAnswered;
      try {
        await this.#turn();
        this.#context.tell.over("fault");
      } catch (error) {
        this.#tellFault((error as Error).message);
      }
      // The API's first answer lets the next things begin: no rest before them.
      if (hadAnswered !== this.#context.hasApiAnswered) continue;
      const turnMs = performance.now() - startedMs;
      const leastMs = Math.max(EAGER_MS, Math.min(LONGEST_REST_MS, RESTS_PER_TURN * turnMs));
      await this.#rest(leastMs);
      if (!this.#status.ready || this.#hasNews) continue;
      this.#isCalm = true;
      await this.#rest(CALM_MS - leastMs);
      this.#isCalm = false;
    }
  }

  /** Many changes at once are one look, and it comes after the least rest. */
  #seeChange(): void {
    this.#hasNews = true;
    if (this.#isCalm) this.#wake();
  }

  /** A full disk, a file system that became read-only: the node is not what its last status says, and goes on by itself. */
  #tellFault(message: string): void {
    const context = this.#context;
    context.isReady = false;
    context.tell.once("fault", `Kubernetes: ${message}; tried again.`);
    this.#publish({ ...this.#status, ready: false, reason: `the agent cannot go on: ${message}` });
  }

  async #turn(): Promise<void> {
    const context = this.#context;
    await settle(context, this.#pods);
    if (this.#isStopped) return;
    const seen = await observe(context, this.#clients);
    if (this.#isStopped) return;
    const status = nodeStatus(seen);
    this.#probe.see(seen.isApiServerReady);
    context.isReady = status.ready;
    if (context.hasApiAnswered) context.apiAnsweredMs ??= performance.now();
    // For good: an API that is out of sight for a while is no reason for a pass over the whole node.
    context.runsControllers ||= runsControllers(seen);
    context.unknownSinceMs = seen.isNodeUnknown ? (context.unknownSinceMs ?? performance.now()) : undefined;
    const podCidr = seen.node?.spec?.podCIDR;
    if (podCidr !== undefined) keep(context, { ...context.kept, podCidr });
    this.#publish(status);
    await this.#serveCluster(seen);
  }

  async #serveCluster(seen: Observation): Promise<void> {
    const context = this.#context;
    const self = seen.node === undefined ? undefined : this.#clients.kubelet();
    if (self !== undefined) await learnServers(context, self, this.#duties);
    const admin = seen.isApiServerReady ? this.#clients.admin() : undefined;
    const { settled } = context;
    if (admin === undefined || settled === undefined) return;
    await applyObjects(context, settled, admin, this.#duties);
    // Whatever of it was refused: the rest of the control plane may begin.
    context.hasApiAnswered = true;
    const requests = await this.#clients.watch("requests", admin, SERVING_REQUESTS);
    if (requests.kind === "ok") await approveServing(context, settled, admin, requests.value);
    await labelNodes(context, admin, seen.nodes);
  }

  #publish(status: NodeStatus): void {
    if (this.#isStopped) return;
    const isNew = !isSameStatus(status, this.#status);
    this.#status = status;
    if (isNew) for (const listener of [...this.#listeners]) listener(status);
  }

  /** Until the time is over, or somebody has something new. */
  #rest(ms: number): Promise<void> {
    if (this.#isStopped || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const nothingSeen = ({ deps, setup }: NodeContext): Observation => ({
  installId: deps.installId,
  isControlPlane: deps.config.controlPlane !== undefined,
  setup,
  bootstrapObstacle: undefined,
  units: {},
  etcd:
    deps.config.controlPlane === undefined
      ? undefined
      : { data: { $case: "unknown", value: "the node is being set up" }, healthy: false, memberId: "", members: [] },
  isApiServerReady: false,
  node: undefined,
  nodeFault: "",
  isNodeUnknown: false,
  pods: [],
  nodes: [],
  pending: [],
  unfinished: [],
  holdsEndpoint: false,
  configNotes: deps.configNotes,
  memoryAvailableBytes: 0,
});
