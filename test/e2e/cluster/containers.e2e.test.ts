// One control plane node and one worker as containers of the real image, from their first power-on to Ready and to a
// workload that answers, all through tickets, configs and the CLI as on metal.
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeSplit, splitBoot, type TimedEvent } from "../../lab/boot-split.ts";
import { type ClusterRack, openClusterRack } from "./cluster-rack.ts";
import type { WebPod } from "./workload-checks.ts";
import { checkAcrossNodes, checkDns, checkDrain, checkKubectl, rollOut } from "./workload-checks.ts";

let lab: ClusterRack;
let pods: WebPod[];
beforeAll(async () => {
  lab = await openClusterRack({ controlPlanes: 1, workers: 1 }, (rack) => ({
    makeMachine: () => rack.makeContainer(),
  }));
});
afterAll(() => lab?.close());

test("workers first, both become Ready", async () => {
  const startedAt = Date.now();
  for (const { machine } of lab.cluster.nodes.toReversed()) await machine.powerOn();
  const status = await lab.cluster.waitUntilGreen(300_000);
  console.log(`1+1 containers: green ${((Date.now() - startedAt) / 1000).toFixed(1)} s after the first power-on`);
  for (const { name, machine } of lab.cluster.nodes) {
    const query = { machine: machine.mac, limit: 1000 };
    const { events } = await lab.rack.admin.get<{ events: TimedEvent[] }>("/v1/events", query);
    console.log(`${name}: ${describeSplit(splitBoot(machine.poweredOnAt, events))}`);
  }
  expect(status.nodes.map(({ name, type, isReady }) => ({ name, type, isReady }))).toEqual([
    { name: "test-cp1", type: "controlplane", isReady: true },
    { name: "test-w1", type: "worker", isReady: true },
  ]);
});

test("the endpoint is no node's address, and no etcd peer's", async () => {
  const { endpoint } = lab.cluster;
  const { stdout } = await lab.kubectl(["get", "nodes", "-o", "jsonpath={.items[*].status.addresses[*].address}"]);
  expect(stdout.split(" ")).not.toContain(endpoint);
  const [plane] = lab.cluster.nodes;
  expect(plane!.machine.kind).toBe("container");
  expect((await lab.cluster.status()).endpointHolder).toBe("test-cp1");
});

test("a workload spans both nodes, and its pods reach each other by the Service's name", async () => {
  pods = await rollOut(lab, 120_000);
  await checkAcrossNodes(lab, pods);
});

test("CoreDNS answers from both replicas", () => checkDns(lab, pods[0]!));

test("kubectl: logs, exec, cp, port-forward", () => checkKubectl(lab, pods));

test("kubectl: cordon, drain, uncordon", () => checkDrain(lab, "test-w1", 60_000));

test("`cluster status` ends with 0 and says green", async () => {
  // Pods that the drain sent away are replaced meanwhile.
  const { stdout } = await lab.cli(["cluster", "status", "test", "--wait"]);
  expect(stdout).toContain("green: 2 of 2 nodes are Ready");
});

test("a node whose power is cut comes back by itself", async () => {
  const worker = lab.cluster.nodes.find(({ role }) => role === "worker")!;
  await worker.machine.kill();
  await worker.machine.powerOn();
  await lab.cluster.waitUntilGreen(180_000);
  const { stdout } = await lab.kubectl(["get", "nodes", "-o", "name"]);
  expect(stdout.trim().split("\n").sort()).toEqual(["node/test-cp1", "node/test-w1"]);
});
