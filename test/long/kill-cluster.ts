// A cluster of 1 + 2 container nodes, switched on in random order, while nodes and the appliance are killed (kill -9) at
// random moments before and after its bootstrap. Each time exactly one etcd cluster may ever come to be, and all nodes must
// end up Ready by themselves. Run it as root:
//   node test/long/kill-cluster.ts [--runs 20] [--seed 1]
import { setTimeout as sleep } from "node:timers/promises";
import type { AdminClient } from "../../server/cli/admin-client.ts";
import type { EventView } from "../../server/rest/schema.ts";
import { openTestRack } from "../e2e/test-rack.ts";
import { type LabCluster, makeCluster } from "../lab/cluster.ts";
import type { LabProcess } from "../lab/namespace-process.ts";
import { type RunResult, repeatRuns } from "./repeat-runs.ts";

const SHAPE = { controlPlanes: 1, workers: 2 };
/** Kills fall into this time after the first power-on; a bootstrap was seen after 9 to 12 s, Ready after 25 to 40. */
const KILLS_WITHIN_MS = 50_000;
const GREEN_WITHIN_MS = 420_000;

type Kill = { atMs: number; victim: number };
const APPLIANCE = -1;

function planKills(random: () => number): Kill[] {
  const count = 2 + Math.floor(random() * 4);
  const kills = Array.from({ length: count }, () => ({
    atMs: Math.round(random() * KILLS_WITHIN_MS),
    // One of the three nodes, or the appliance.
    victim: Math.floor(random() * 4) - 1,
  }));
  return kills.sort((a, b) => a.atMs - b.atMs);
}

/** A killed one stays off for up to five seconds. */
const restMs = (random: () => number) => Math.round(random() * 5000);

async function once(_run: number, random: () => number): Promise<RunResult> {
  const rack = await openTestRack({ dhcp: "server" });
  try {
    let appliance: LabProcess = await rack.startAppliance();
    const cluster = await makeCluster(rack.admin, {
      ...{ name: "kill", shape: SHAPE, makeMachine: () => rack.makeContainer() },
    });
    const order = cluster.nodes.map((node) => ({ node, at: random() })).sort((a, b) => a.at - b.at);
    const startedAt = Date.now();
    const powerOns = (async () => {
      for (const { node } of order) {
        // A node that needs a ticket waits for an appliance, as a machine that netboots does.
        await untilDone(() => node.machine.powerOn());
        await sleep(random() * 3000);
      }
    })();
    const told: string[] = [];
    for (const { atMs, victim } of planKills(random)) {
      await sleep(Math.max(0, startedAt + atMs - Date.now()));
      const state = await cluster.status().then(
        (s) => s.bootstrap.state,
        () => "appliance away",
      );
      const node = victim === APPLIANCE ? undefined : cluster.nodes[victim];
      told.push(`${node?.name ?? "appliance"} at ${((Date.now() - startedAt) / 1000).toFixed(1)} s (${state})`);
      if (node === undefined) {
        appliance.signal("SIGKILL");
        await appliance.ended();
        await sleep(restMs(random));
        appliance = await rack.startAppliance();
      } else if (node.machine.isOn()) {
        await node.machine.kill();
        await sleep(restMs(random));
        await untilDone(() => node.machine.powerOn());
      }
    }
    await powerOns;
    const status = await cluster.waitUntilGreen(GREEN_WITHIN_MS);
    const ids = await etcdClusterIds(rack.admin, cluster);
    const seconds = Math.round((Date.now() - startedAt) / 100) / 10;
    const isGood = ids.length === 1 && ids[0] === status.etcd.clusterId && status.nodes.every((node) => node.isReady);
    return { isGood, seconds, ids, order: order.map(({ node }) => node.name), kills: told };
  } finally {
    await rack.close();
  }
}

/** Until the appliance is there again. */
async function untilDone(work: () => Promise<void>): Promise<void> {
  const until = Date.now() + 60_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(500);
    }
  }
}

/** Every id that was ever told, in the timeline and by the nodes. */
async function etcdClusterIds(admin: AdminClient, cluster: LabCluster): Promise<string[]> {
  const ids = new Set<string>();
  for (const { machine } of cluster.nodes) {
    const { events } = await admin.get<{ events: EventView[] }>("/v1/events", { machine: machine.mac, limit: 1000 });
    for (const { kind, detail } of events) if (kind === "bootstrap-confirmed") ids.add(String(detail.etcdClusterId));
  }
  const { clusterId } = (await cluster.status()).etcd;
  if (clusterId !== undefined) ids.add(clusterId);
  return [...ids];
}

await repeatRuns({ name: "kill-cluster", runs: 20, once });
