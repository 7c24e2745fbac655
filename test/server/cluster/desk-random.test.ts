// Three control plane nodes that do what they are told, come and go, and an appliance that restarts at any moment: whatever the
// order, there is one etcd cluster. The nodes are models; desk, bootstrap and inventory are the real ones.
import { expect, test } from "vitest";
import type { Machine } from "../../../inventory/machine.ts";
import type { Desk } from "../../../server/cluster/desk-service.ts";
import { data, NO_DATA, nodeStatus, testDesk } from "./desk.ts";

/** Park–Miller: the same seed gives the same run. */
function chance(seed: number): () => number {
  let state = (seed % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

type Node = { machine: Machine; installId: string; etcd: string | undefined; isUp: boolean };

/** etcd's own rule: a node that is told begins; one that is not told joins where a cluster answers. */
function live(node: Node, nodes: readonly Node[], desk: Desk, begun: string[]): void {
  const isTold = desk.ordersOf(node.machine)?.bootstrapEtcd === true;
  const other = nodes.find((n) => n !== node && n.isUp && n.etcd !== undefined);
  if (node.etcd !== undefined) return;
  if (isTold) {
    node.etcd = `cluster-${begun.length + 1}`;
    begun.push(node.etcd);
  } else if (other !== undefined) node.etcd = other.etcd;
}

async function run(seed: number, steps: number): Promise<string[]> {
  const random = chance(seed);
  const t = await testDesk();
  const begun: string[] = [];
  await t.admin.create({ name: "rack1", isSingle: false }, "tester");
  const nodes: Node[] = [];
  for (const n of [1, 2, 3]) {
    const machine = await t.machine({ macs: [`52:54:00:00:00:0${n}`], name: `cp${n}`, role: "controlplane" });
    const installId = `i${n}`;
    nodes.push({ machine: await t.installed(machine, installId), installId, etcd: undefined, isUp: false });
  }
  let desk = t.desk;
  const pause = () => new Promise((resolve) => setTimeout(resolve, Math.floor(random() * 6)));
  const report = (n: Node) =>
    desk.noteStatus(n.machine, nodeStatus(n.installId, { etcd: n.etcd === undefined ? NO_DATA : data(n.etcd) }));
  const act = async () => {
    const node = nodes[Math.floor(random() * 3)]!;
    const dice = random();
    if (dice < 0.15) {
      node.isUp = !node.isUp;
      if (!node.isUp) desk.noteGone(node.machine.id);
    } else if (dice < 0.25) {
      desk.close();
      desk = await t.reopen();
    } else if (node.isUp && dice < 0.6) report(node);
    else if (node.isUp) {
      const before = begun.length;
      live(node, nodes, desk, begun);
      // The worst moment: it has begun, and nobody heard of it.
      if (begun.length > before && random() < 0.6) {
        node.isUp = false;
        desk.noteGone(node.machine.id);
      }
    }
    t.time.now += Math.floor(random() * 60_000);
    await pause();
  };
  for (let i = 0; i < steps; i++) await act();
  // At the end all are up and the appliance stays: it must come to one whole cluster.
  for (let i = 0; i < 12; i++) {
    for (const node of nodes) {
      node.isUp = true;
      live(node, nodes, desk, begun);
      report(node);
    }
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  await desk.turns.take(async () => {});
  expect(desk.view.decisionOf("rack1"), `seed ${seed}`).toMatchObject({ kind: "done" });
  expect(new Set(nodes.map((n) => n.etcd)).size, `seed ${seed}`).toBe(1);
  desk.close();
  return begun;
}

test("there is one etcd cluster, whatever restarts and whenever", async () => {
  const first = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
  console.log(`seeds from ${first}`);
  for (let seed = first; seed < first + 8; seed++) expect(await run(seed, 60), `seed ${seed}`).toHaveLength(1);
}, 60_000);
