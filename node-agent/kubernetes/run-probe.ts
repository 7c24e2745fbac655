// Whether the cluster's endpoint may be at this node: asked every 1.5 s, so it must cost little. Edge: the network. Used by
// run-node.ts, which tells it what each look found.
import { type Clients, doesApiAnswer } from "./run-observe.ts";

export type ApiProbe = {
  /** A look is over. @param isReady whether the own API server's whole check, etcd included, went through. */
  see(isReady: boolean): void;
  /** What the last looks found, and that the server still answers at all: the whole check asks etcd, too much for this often. */
  isReady(): Promise<boolean>;
};

/** A slow machine's check misses once in a while, and its next look comes 15 s later: longer than the endpoint waits. */
const MOST_MISSES = 1;

export function openApiProbe(clients: Pick<Clients, "admin">): ApiProbe {
  let misses = Number.POSITIVE_INFINITY;
  return {
    see: (isReady) => {
      misses = isReady ? 0 : misses + 1;
    },
    isReady: async () => misses <= MOST_MISSES && (await doesApiAnswer(clients)),
  };
}
