// A machine's side of slipway.v1 for tests, without an agent's life: it enrols, opens its stream, says what a test tells it to
// say, and keeps what it was told. And a cluster desk that renders one config for everybody.
import type { KeyObject } from "node:crypto";
import { type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import type { Machine } from "../../../inventory/machine.ts";
import {
  EnrolmentClient,
  type EnrolResponse,
  type FetchConfigResponse,
  NodeClient,
  type NodeOrder,
  type NodeReport,
  type NodeState,
  type NodeStatus,
} from "../../../server/contract/generated/agent.ts";
import { createCsr } from "../../../server/contract/pki/csr.ts";
import { formatPrivateKey, generateKey } from "../../../server/contract/pki/key.ts";
import type { ClusterDesk, ClusterWait, ConfigAnswer } from "../../../server/grpc/cluster-port.ts";
import { factsOf, until } from "../../node-agent/machine.ts";
import { type Appliance, MAC } from "./appliance.ts";

export const CONFIG = "version: v1alpha1\nmachine: { token: secret }\n";
type Report = NonNullable<NodeReport["report"]>;

export type FakeDesk = ClusterDesk & {
  /** What waitOf says, for all machines. */
  wait: ClusterWait | undefined;
  answer: ConfigAnswer;
  /** Called while a config is rendered. */
  onRender: () => Promise<unknown>;
  /** `id ready`, `id gone`. */
  heard: string[];
  /** Tells the appliance that these machines' orders may have changed. */
  change(ids: readonly string[]): void;
  shouldBootstrap: boolean;
};

export function fakeDesk(): FakeDesk {
  const listeners = new Set<(ids: readonly string[]) => void>();
  const statuses = new Map<string, NodeStatus>();
  const desk: FakeDesk = {
    ...{ wait: undefined, answer: { kind: "config", text: CONFIG }, heard: [], shouldBootstrap: false },
    onRender: async () => {},
    change: (ids) => {
      for (const listener of listeners) listener(ids);
    },
    waitOf: () => desk.wait,
    renderConfig: async () => {
      await desk.onRender();
      return desk.answer;
    },
    ordersOf: () => ({ bootstrapEtcd: desk.shouldBootstrap, peers: [] }),
    noteStatus: (machine, status) => {
      statuses.set(machine.id, status);
      desk.heard.push(`${machine.macs[0]} ${status.ready ? "ready" : status.reason}`);
    },
    noteGone: (id) => {
      statuses.delete(id);
      desk.heard.push(`${id} gone`);
    },
    statusOf: (id) => statuses.get(id),
    endsCluster: () => undefined,
    watchOrders: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return desk;
}

const STATUS: NodeStatus = {
  ...{ installId: "", ready: false, reason: "", components: [], bootstrapObstacle: "", holdsEndpoint: false },
  ...{ etcd: undefined, nodes: [], pendingPods: [], configNotes: [], memoryAvailableBytes: 0n },
};

/** One boot of a machine: a ticket, a key, a certificate. */
export class FakeAgent {
  readonly machine: Machine;
  readonly key: KeyObject;
  readonly #appliance: Appliance;
  readonly #enrolled: EnrolResponse;
  #client: NodeClient;
  #stream: ClientDuplexStream<NodeReport, NodeOrder> | undefined;
  readonly states: NodeState[] = [];
  ended: string | undefined;

  private constructor(appliance: Appliance, machine: Machine, key: KeyObject, enrolled: EnrolResponse) {
    this.machine = machine;
    this.key = key;
    this.#appliance = appliance;
    this.#enrolled = enrolled;
    this.#client = this.#connect();
  }

  #connect(): NodeClient {
    const { caCertificate, certificate } = this.#enrolled;
    const [ca, key, own] = [caCertificate, formatPrivateKey(this.key), certificate].map((text) => Buffer.from(text));
    return new NodeClient(this.#appliance.address, credentials.createSsl(ca!, key!, own!), {
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  static async boot(appliance: Appliance, mac = MAC): Promise<FakeAgent> {
    const { token, machine } = await appliance.boot({ mac });
    const key = generateKey("ed25519");
    const csr = createCsr(key, { commonName: mac });
    const root = credentials.createSsl(Buffer.from(appliance.authority.certificate));
    const client = new EnrolmentClient(appliance.address, root, { "grpc.use_local_subchannel_pool": 1 });
    const enrolled = await new Promise<EnrolResponse>((resolve, reject) => {
      const request = { token, csr, facts: factsOf(mac), contact: undefined };
      client.enrol(request, (error, response) => (error ? reject(error) : resolve(response)));
    });
    client.close();
    return new FakeAgent(appliance, machine, key, enrolled);
  }

  /** Opens the stream and says hello. */
  hello(bootSource = "network", installId = "", agentMs = 900n): this {
    this.ended = undefined;
    // A line of its own, as after a boot: an old one may sit out its backoff.
    this.#client.close();
    this.#client = this.#connect();
    this.#stream = this.#client.report();
    this.#stream.on("data", ({ order }: NodeOrder) => {
      if (order?.$case === "state") this.states.push(order.value);
    });
    this.#stream.on("error", (error: ServiceError) => {
      this.ended = error.details;
    });
    this.#stream.on("end", () => {
      this.ended ??= "";
    });
    const contact = { bootId: "b", kernelMs: 5000n, agentMs, agentVersion: "0.1.0" };
    this.say({ $case: "hello", value: { contact, facts: factsOf(this.machine.macs[0]!), bootSource, installId } });
    return this;
  }

  say(report: Report): void {
    this.#stream!.write({ report });
  }

  status(over: Partial<NodeStatus>): void {
    this.say({ $case: "nodeStatus", value: { ...STATUS, ...over } });
  }

  /** The state that it was told last. */
  get state(): NodeState | undefined {
    return this.states.at(-1);
  }

  async order(): Promise<string> {
    await until(
      "an install order",
      () => this.state?.install !== undefined,
      () => JSON.stringify(this.state),
    );
    return this.state!.install!.order;
  }

  /** @returns the config, or `CODE: reason`. */
  fetch(order: string): Promise<string> {
    return new Promise((resolve) => {
      this.#client.fetchConfig({ order }, (error: ServiceError | null, response: FetchConfigResponse) =>
        resolve(error === null ? response.config : `${error.code}: ${error.details}`),
      );
    });
  }

  /** Fetches, and says that it is installed. */
  async install(installId = "install-1", disk = "/dev/vda"): Promise<string> {
    const order = await this.order();
    await this.fetch(order);
    this.done(order, installId, disk);
    await until(
      "the order's end",
      () => this.state?.install === undefined,
      () => JSON.stringify(this.state),
    );
    return order;
  }

  done(order: string, installId: string, disk = "/dev/vda"): void {
    this.say({ $case: "installDone", value: { order, installId, installNumber: 1, disk } });
  }

  async record(): Promise<Machine> {
    return (await this.#appliance.inventory.findMachineById(this.machine.id))!;
  }

  /** The power is cut; the test keeps its key. */
  cut(): void {
    this.#stream?.cancel();
  }

  close(): void {
    this.#stream?.cancel();
    this.#client.close();
  }
}
