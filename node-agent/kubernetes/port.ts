// What a node's Kubernetes is given and what it answers: the whole interface between this room and the agent's life
// (node-agent/node/). run-node.ts is behind it. Pure: types only.
import type { ClusterOrders, NodeStatus } from "../../server/contract/generated/agent.ts";
import type { Platform } from "../../server/contract/kubernetes/node-facts.ts";
import type { NodeConfig } from "../../server/contract/machine-config/node-config.ts";

/** The node as it is now. Asked every few seconds: answers from memory or from /proc. */
export type Surroundings = {
  /** Own IPv4 addresses, dotted, in the order of the interfaces; the endpoint's and the pods' may be among them. */
  addresses: readonly string[];
  /** Resolvers in force, the config's or DHCP's; may be empty. */
  resolvers: readonly string[];
  /** Of the interface that carries the nodes' traffic. */
  mtuBytes: number;
  /** False while the clock may be years off: certificates are not issued and etcd does not begin. */
  isClockSet: boolean;
  /** This node has the cluster's endpoint on its interface. */
  holdsEndpoint: boolean;
  /** MemAvailable. */
  memoryAvailableBytes: number;
};

export type Ran = { code: number; stdout: string; stderr: string };
/** Runs a program to its end, never throws; 124 when the time was over, 127 when it cannot be started. */
export type RunCommand = (program: string, args: readonly string[], timeoutMs: number) => Promise<Ran>;

export type KubernetesDeps = {
  config: NodeConfig;
  /** Parts of the config that are accepted and not in force as written, one sentence each. */
  configNotes: readonly string[];
  platform: Platform;
  installId: string;
  /** `/dev/disk/by-partuuid/…` of EPHEMERAL; undefined where /var is there already (a container). */
  ephemeralDevice: string | undefined;
  /** STATE: what the cluster said last of API servers and pods' network is kept in `kubernetes.json`. */
  stateDir: string;
  surroundings(): Surroundings;
  log: { info(text: string): void; warn(text: string): void };
  run: RunCommand;
};

/** A node's Kubernetes, running. Nothing here ends what runs: services and pods outlive the agent. */
export interface KubernetesNode {
  /** What the appliance wants, or wanted last; undefined while nobody has ever said. Takes effect within two seconds. */
  setOrders(orders: ClusterOrders | undefined): void;
  /** As of the last look: a few seconds old, on a slow machine up to half a minute. */
  status(): NodeStatus;
  /** Called on each change, no more often than once a second. Returns the way to stop. */
  watch(listener: (status: NodeStatus) => void): () => void;
  /**
   * Whether this node's own API server was ready at one of the last two looks and answers now; false on workers, before the
   * first look and after 4 s of silence.
   */
  probeApiServer(): Promise<boolean>;
  /** Ends the agent's work on it; services, pods and etcd run on. */
  stop(): Promise<void>;
  /** Stops the services and every pod on the node, for a reset or a shutdown: etcd last. */
  stopServices(): Promise<void>;
}
