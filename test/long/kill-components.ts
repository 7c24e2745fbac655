// kill -9 of each part of a running cluster (1 + 1 container nodes), in turn: seconds until the part runs again and `cluster
// status` is green, while a writer checks that nothing acknowledged is lost. Run it as root:
//   node test/long/kill-components.ts [--settle 5]
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type ClusterRack, openClusterRack } from "../e2e/cluster/cluster-rack.ts";
import type { Container } from "../lab/container.ts";
import { type Component, findComponent } from "../lab/node-processes.ts";
import { startWriter } from "./object-writer.ts";

const { values } = parseArgs({ options: { settle: { type: "string", default: "5" } } });
const SETTLE_MS = Number(values.settle) * 1000;
const GREEN_WITHIN_MS = 300_000;

/** On the control plane node; kube-proxy and flannel on the worker too. */
const VICTIMS: readonly Component[] = [
  ...(["agent", "kubelet", "containerd", "etcd", "balancer"] as const),
  ...(["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "flannel"] as const),
];

const lab: ClusterRack = await openClusterRack({ controlPlanes: 1, workers: 1 }, (rack) => ({
  makeMachine: () => rack.makeContainer(),
}));
try {
  const planes = lab.cluster.nodes.map(({ machine }) => machine as Container);
  for (const machine of planes) await machine.powerOn();
  await lab.cluster.waitUntilGreen(GREEN_WITHIN_MS, (summary) => console.log(summary));
  const writer = startWriter(lab);
  let isGood = true;
  for (const component of VICTIMS) {
    const seconds = await killOne(planes[0]!, component);
    isGood &&= seconds !== undefined;
    console.log(JSON.stringify({ component, secondsUntilGreen: seconds ?? "never" }));
    await sleep(SETTLE_MS);
  }
  const { acknowledged, failed, lost } = await writer.finish();
  console.log(JSON.stringify({ acknowledged, failedWrites: failed, lost }));
  process.exitCode = isGood && lost.length === 0 && acknowledged > 0 ? 0 : 1;
} finally {
  await lab.close();
}

/** @returns seconds, with a tenth; undefined when it did not come back. */
async function killOne(machine: Container, component: Component): Promise<number | undefined> {
  const pid = findComponent(machine.leader(), component);
  if (pid === undefined) throw new Error(`${component} does not run on the control plane node`);
  const startedAt = Date.now();
  process.kill(pid, "SIGKILL");
  while (Date.now() - startedAt < GREEN_WITHIN_MS) {
    const now = findComponent(machine.leader(), component);
    const isBack = now !== undefined && now !== pid;
    const status = isBack ? await lab.cluster.status() : undefined;
    if (status?.isGreen && status.nodes.every((node) => node.isHeard))
      return Math.round((Date.now() - startedAt) / 100) / 10;
    await sleep(200);
  }
  return undefined;
}
