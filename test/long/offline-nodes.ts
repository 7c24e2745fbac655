// The appliance is stopped for longer than a lease: running nodes keep their address, restart, and become Ready without it;
// when it is back they restart again without a reinstall. 1 + 1 container nodes, or with --vm one virtual machine that also
// comes up with its clock at 1970. Run it as root:
//   node test/long/offline-nodes.ts [--vm] [--lease 120]
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { EventView } from "../../server/rest/schema.ts";
import { type ClusterRack, openClusterRack } from "../e2e/cluster/cluster-rack.ts";
import { chooseAccelerator } from "../lab/accelerator.ts";
import type { KeptVm } from "../lab/kept-vm.ts";

const { values } = parseArgs({
  options: { vm: { type: "boolean", default: false }, lease: { type: "string", default: "120" } },
});
const LEASE_SECONDS = Number(values.lease);
const READY_WITHIN_MS = values.vm ? 3_600_000 : 300_000;

const { accelerator } = values.vm ? await chooseAccelerator() : { accelerator: "tcg" as const };
const shape = { controlPlanes: 1, workers: values.vm ? 0 : 1 };
const lab: ClusterRack = await openClusterRack(
  shape,
  (rack) => ({
    ...{ isSingle: values.vm, isSlow: values.vm && accelerator === "tcg" },
    makeMachine: () =>
      values.vm ? rack.makeVm({ firmware: "uefi", accelerator, memoryMiB: 3072 }) : rack.makeContainer(),
  }),
  // Before the appliance's first start: a lease that a test can wait out.
  (rack) => appendFileSync(rack.configFile, `    leaseTime: ${LEASE_SECONDS}s\n`),
);
const faults: string[] = [];
const say = (text: string) => console.log(`${new Date().toISOString().slice(11, 19)}  ${text}`);

try {
  await run(lab);
} finally {
  await lab.close();
}
console.log(JSON.stringify({ lease: LEASE_SECONDS, faults }));
process.exitCode = faults.length === 0 ? 0 : 1;

async function run({ cluster, stopAppliance, startAppliance }: ClusterRack): Promise<void> {
  for (const { machine } of cluster.nodes) await machine.powerOn();
  await cluster.waitUntilGreen(READY_WITHIN_MS, say);
  const before = await addresses();
  say(`addresses: ${before}`);
  const stoppedAt = Date.now();
  await stopAppliance();
  say(`the appliance is stopped; waiting out a lease of ${LEASE_SECONDS} s, and half of one`);
  await sleep(LEASE_SECONDS * 1500);
  const after = await addresses();
  if (after !== before) faults.push(`addresses changed while the appliance was away: ${before}, then ${after}`);
  say(`after ${Math.round((Date.now() - stoppedAt) / 1000)} s without it: ${after}; nodes restart now`);
  const old = await nodesNow();
  await restartAll("1970-01-01T00:00:10");
  const ready = await untilReady(old);
  say(`Ready ${ready} s after the restart, without the appliance`);
  const restarted = await addresses();
  if (restarted !== before) faults.push(`another address after the restart: ${before}, then ${restarted}`);
  await startAppliance();
  say("the appliance is back; nodes restart again");
  await restartAll();
  await cluster.waitUntilGreen(READY_WITHIN_MS, say);
  for (const { name, machine } of cluster.nodes) {
    const query = { machine: machine.mac, limit: 1000 };
    const { events } = await lab.rack.admin.get<{ events: EventView[] }>("/v1/events", query);
    const installs = events.filter((event) => event.kind === "installed").length;
    if (installs !== 1) faults.push(`${name} was installed ${installs} times`);
  }
}

async function restartAll(clock?: string): Promise<void> {
  for (const { machine } of lab.cluster.nodes) {
    await machine.kill();
    if (machine.kind === "vm" && clock !== undefined) (machine as KeptVm).change({ clock });
    await machine.powerOn();
  }
}

/** `test-cp1 192.0.2.128, …` as the cluster's API has it. */
async function addresses(): Promise<string> {
  const path = '{range .items[*]}{.metadata.name} {.status.addresses[?(@.type=="InternalIP")].address},{end}';
  return (await lab.kubectl(["get", "nodes", "-o", `jsonpath=${path}`])).stdout;
}

type NodeView = { name: string; bootId: string; isReady: boolean };

/** Asked of the cluster itself: nobody else is there. Empty while it does not answer. */
async function nodesNow(): Promise<NodeView[]> {
  const options = { mayFail: true, timeoutMs: 15_000 };
  const { code, stdout } = await lab.kubectl(["get", "nodes", "-o", "json", "--request-timeout=5s"], options);
  if (code !== 0) return [];
  type Item = {
    metadata: { name: string };
    status: { nodeInfo: { bootID: string }; conditions: { type: string; status: string }[] };
  };
  return (JSON.parse(stdout) as { items: Item[] }).items.map(({ metadata, status }) => ({
    ...{ name: metadata.name, bootId: status.nodeInfo.bootID },
    isReady: status.conditions.some(({ type, status: is }) => type === "Ready" && is === "True"),
  }));
}

/** Until each node is Ready in another boot than `before`: what was true before the restart does not count. @returns seconds. */
async function untilReady(before: readonly NodeView[]): Promise<number> {
  const startedAt = Date.now();
  const isNew = ({ name, bootId, isReady }: NodeView) =>
    isReady && before.every((old) => old.name !== name || old.bootId !== bootId);
  while (Date.now() - startedAt < READY_WITHIN_MS) {
    const nodes = await nodesNow();
    if (nodes.length === before.length && nodes.every(isNew)) return Math.round((Date.now() - startedAt) / 1000);
    await sleep(1000);
  }
  faults.push("not Ready without the appliance");
  return Math.round((Date.now() - startedAt) / 1000);
}
