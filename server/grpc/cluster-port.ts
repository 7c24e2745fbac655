// What the gRPC service asks about clusters, and what it tells: the whole interface between a machine's life and its
// cluster's. server/cluster/desk-service.ts is behind it; server/appliance joins the two. Pure: types only.
import type { Machine } from "../../inventory/machine.ts";
import type { ClusterOrders, NodeStatus } from "../contract/generated/agent.ts";

/** Why a machine cannot be given a config, in words, and what a person does about it (one command where there is one). */
export type ClusterWait = { waits: string; next: string };

export type ConfigAnswer =
  /** Text of a v1alpha1 machine config, which is secret, and the name of the cluster that it is for. */
  { kind: "config"; text: string; cluster?: string } | { kind: "refused"; reason: string; remedy: string };

export interface ClusterDesk {
  /** undefined: this machine has all that a config is rendered from. Answers from memory. */
  waitOf(machine: Machine): ClusterWait | undefined;
  renderConfig(machine: Machine): Promise<ConfigAnswer>;
  /** undefined for a machine of no cluster. Answers from memory. */
  ordersOf(machine: Machine): ClusterOrders | undefined;
  /** What a node said of itself, and that it is heard. */
  noteStatus(machine: Machine, status: NodeStatus): void;
  /** Its connection ended. */
  noteGone(machineId: string): void;
  /** Its last status, for `slipway machines` and `cluster status`; undefined when it is not heard now. */
  statusOf(machineId: string): NodeStatus | undefined;
  /**
   * The name of the cluster whose last control plane with data this machine is: a reset or a new install of it would end
   * the cluster. undefined for every other machine. Answers from memory.
   * @param going machines that go with it.
   */
  endsCluster(machine: Machine, going?: readonly Machine[]): string | undefined;
  /** Called when orders of these machines may have changed: their streams are refreshed. Returns the way to stop. */
  watchOrders(listener: (machineIds: readonly string[]) => void): () => void;
}
