// What the parts of a running node share: what it was given, what it decided, what it saw. Made by run-node.ts, filled by
// run-settle.ts (decisions) and run-observe.ts (sights). Pure: types, and the message that is told once.
import type { ClusterOrders } from "../../server/contract/generated/agent.ts";
import type { CertificatePlan } from "../../server/contract/kubernetes/certificates.ts";
import type { NodeFacts } from "../../server/contract/kubernetes/node-facts.ts";
import type { Issued } from "./issue-certificates.ts";
import type { Kept } from "./kept.ts";
import type { UnitState } from "./node-status.ts";
import type { KubernetesDeps } from "./port.ts";
import type { ServiceName } from "./services.ts";
import type { WorkloadName } from "./workloads.ts";

/** What a node has settled: it stays in force while nothing better is known. */
export type Settled = {
  facts: NodeFacts;
  nodeIp: string;
  plans: readonly CertificatePlan[];
  issued: Issued;
  /** Services that were told to run. */
  services: readonly ServiceName[];
};

export type NodeContext = {
  deps: KubernetesDeps;
  orders: ClusterOrders | undefined;
  /** `1.37.2`, read from the image once. */
  kubernetesVersion: string | undefined;
  settled: Settled | undefined;
  /** What keeps it from settling, in words. */
  setup: string | undefined;
  bootstrapObstacle: string | undefined;
  /**
   * How the services were at the last look, and what was started since; undefined before the first answer. One question a
   * turn: each is a program to start.
   */
  units: Readonly<Record<string, UnitState>> | undefined;
  /** When they were looked at, by the process's own clock; undefined where the next turn must look. */
  unitsSeenMs: number | undefined;
  hasImages: boolean;
  /** The API has answered since the machine started: on a control plane node the own server, which has been given its objects. */
  hasApiAnswered: boolean;
  /** When this process first knew that, by its own clock. */
  apiAnsweredMs: number | undefined;
  /** A control plane node's controller manager was seen to run. */
  runsControllers: boolean;
  /** What of the cluster's own objects runs pods; undefined before it was asked. */
  ownWorkloads: readonly WorkloadName[] | undefined;
  /** What the last pass was made from, and when it went through; milliseconds of the process's own clock. */
  inputs: string;
  lookedAtMs: number | undefined;
  /** Since when the API has said that it knows no such node, by the same clock. */
  unknownSinceMs: number | undefined;
  /** Nothing was missing at the last look. */
  isReady: boolean;
  /** What the cluster said last of things that change rarely. */
  kept: Kept;
  tell: Tell;
};

export type Tell = {
  /** Says a sentence once, until another is said under this key. */
  once(key: string, text: string): void;
  /** It is over: the same sentence may be said again. */
  over(key: string): void;
};

export function makeTell(say: (text: string) => void): Tell {
  const told = new Map<string, string>();
  return {
    once: (key, text) => {
      if (told.get(key) === text) return;
      told.set(key, text);
      say(text);
    },
    over: (key) => void told.delete(key),
  };
}
