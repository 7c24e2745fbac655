// Writes one object a second into a cluster through the real kubectl and remembers what was acknowledged; at the end each of
// those must be there. Used by the tests that kill parts of a cluster.
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterRack } from "../e2e/cluster/cluster-rack.ts";

export type Writer = {
  /** Ends the writing. @returns how many were acknowledged, how many tries failed, and which are lost. */
  finish(): Promise<{ acknowledged: number; failed: number; lost: string[] }>;
};

/** @param prefix tells the objects of several writers apart. */
export function startWriter({ kubectl }: Pick<ClusterRack, "kubectl">, prefix = "object"): Writer {
  const acknowledged: string[] = [];
  let failed = 0;
  let isOver = false;
  const writing = (async () => {
    for (let number = 1; !isOver; number++) {
      const name = `${prefix}-${String(number).padStart(5, "0")}`;
      const [result] = await Promise.all([
        kubectl(["create", "configmap", name, `--from-literal=number=${number}`, "--request-timeout=5s"], {
          ...{ mayFail: true, timeoutMs: 15_000 },
        }),
        sleep(1000),
      ]);
      if (result.code === 0) acknowledged.push(name);
      else failed += 1;
    }
  })();
  return {
    finish: async () => {
      isOver = true;
      await writing;
      const { stdout } = await kubectl(["get", "configmaps", "-o", "name"]);
      const there = new Set(stdout.split("\n").map((line) => line.replace("configmap/", "")));
      const lost = acknowledged.filter((name) => !there.has(name));
      return { acknowledged: acknowledged.length, failed, lost };
    },
  };
}
