// A cluster on the terminal: made, switched on, followed until it is Ready, with the line that a person's own kubectl needs.
// Called by run-lab.ts for `npm run lab -- --cluster 1+2` and for `npm start`.
import { chmodSync, chownSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EventView } from "../../server/rest/schema.ts";
import { describeSplit, splitBoot, type TimedEvent } from "./boot-split.ts";
import { type LabCluster, type LabNode, makeCluster } from "./cluster.ts";
import type { ClusterShape, PlannedNode } from "./cluster-shape.ts";
import { forwardPort } from "./forward.ts";
import type { LabMachine } from "./machine.ts";
import type { Rack } from "./rack.ts";

export type ClusterRun = {
  shape: ClusterShape;
  isSingle: boolean;
  isSlow: boolean;
  /** Switched on in this order. */
  order: "planes-first" | "workers-first" | "random";
  dataDir: string;
  makeMachine: (node: PlannedNode, index: number) => LabMachine;
  timeoutMs: number;
  /** Nobody's test: a cluster that is Ready is left to its user, whatever is still missing when the time is over. */
  staysUp: boolean;
  print: (text: string) => void;
};

export const CLUSTER = "lab";
/** The API server's own number, where nobody else has it. */
const WISHED_PORT = 6443;

/**
 * Runs to Ready, prints how to use it, and goes on until it is green.
 * @throws COMMAND_FAILED with all that is known when it does not get there.
 */
export async function runCluster(rack: Rack, run: ClusterRun): Promise<LabCluster> {
  const { admin } = rack;
  const { shape, isSingle, isSlow, makeMachine, print } = run;
  const cluster = await makeCluster(admin, { name: CLUSTER, shape, isSingle, isSlow, makeMachine });
  print(`Cluster ${CLUSTER} is made; its endpoint is ${cluster.endpoint}, which no node has as its own address.`);
  // All figures count from the first power-on: a first start's machine is on already.
  const startedAt = Math.min(Date.now(), ...cluster.nodes.flatMap(({ machine }) => machine.poweredOnAt || []));
  const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(1)} s`.padStart(9);
  const newest = await admin.get<{ events: EventView[] }>("/v1/events", { limit: 1 });
  const stop = follow(rack, cluster.nodes, newest.events.at(-1)?.seq ?? 0, run);
  for (const { name, role, machine } of inOrder(cluster.nodes, run.order)) {
    if (machine.isOn()) continue;
    print(`${seconds()}  ${name}  ${machine.mac}  is powered on (${role}, ${machine.kind})`);
    await machine.powerOn();
  }
  const tell = withoutProgress((summary) => print(`${seconds()}  cluster ${CLUSTER}: ${summary}`));
  await cluster.waitUntilReady(run.timeoutMs, tell);
  print(`\n  Ready ${sincePowerOn(cluster.nodes)} after the first power-on.`);
  for (const node of cluster.nodes) print(`  ${node.name}: ${await splitOf(rack, node)}`);
  await sayHowToUse(rack, cluster, run);
  // It can be used from here on; DNS and the pods' network of a new cluster are started by it, too.
  const since = () => `${sincePowerOn(cluster.nodes)} after the first power-on`;
  try {
    await cluster.waitUntilGreen(run.timeoutMs, tell);
    print(`\n  Green ${since()}.\n`);
  } catch (error) {
    if (!run.staysUp) throw error;
    const { summary, remedy = "" } = await cluster.status();
    print(`\n  ! Not green ${since()}: ${summary}${remedy === "" ? "" : `\n    ${remedy}`}\n`);
  }
  await stop();
  return cluster;
}

/** A summary that differs from the last one in its numbers only is progress: the events tell each step with its bytes. */
function withoutProgress(tell: (summary: string) => void): (summary: string) => void {
  let last = "";
  return (summary) => {
    const shape = summary.replace(/\d[\d.]*/g, "#").replace(/, # of # [kMG]?B.*\)/, ")");
    if (shape !== last) tell(summary);
    last = shape;
  };
}

function sincePowerOn(nodes: readonly LabNode[]): string {
  const seconds = (Date.now() - Math.min(...nodes.map(({ machine }) => machine.poweredOnAt))) / 1000;
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} minutes`;
}

function inOrder(nodes: readonly LabNode[], order: ClusterRun["order"]): LabNode[] {
  if (order === "workers-first") return nodes.toReversed();
  if (order === "planes-first") return [...nodes];
  return nodes
    .map((node) => ({ node, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ node }) => node);
}

/** Events in plain words as they come, each with the seconds since its machine's power-on. @returns what ends it. */
function follow(rack: Rack, nodes: readonly LabNode[], afterSeq: number, { print }: ClusterRun): () => Promise<void> {
  let isOver = false;
  const done = (async () => {
    const events = rack.admin.follow<EventView>("/v1/events/follow", { afterSeq });
    for await (const event of events) {
      if (isOver) return;
      const node = nodes.find(({ machine }) => machine.mac === event.mac);
      const at = node === undefined ? "" : `${((event.at - node.machine.poweredOnAt) / 1000).toFixed(1)} s`;
      const mark = event.level === "alarm" || event.level === "warning" ? "! " : "";
      if (node !== undefined) print(`${at.padStart(9)}  ${node.name}  ${mark}${event.text}`);
    }
  })().catch(() => {});
  return async () => {
    isOver = true;
    await Promise.race([done, sleep(500)]);
  };
}

async function splitOf(rack: Rack, { machine }: LabNode): Promise<string> {
  const { events } = await rack.admin.get<{ events: TimedEvent[] }>("/v1/events", {
    machine: machine.mac,
    limit: 1000,
  });
  return describeSplit(splitBoot(machine.poweredOnAt, events));
}

/** A kubeconfig that only the person who started this can read, by a port that they can reach without root. */
async function sayHowToUse(rack: Rack, cluster: LabCluster, { dataDir, print }: ClusterRun): Promise<void> {
  const to = { host: cluster.endpoint, port: 6443 };
  const { port } = await forwardPort(rack.lab, rack.home, to, WISHED_PORT);
  const file = join(dataDir, "kubeconfig");
  writeForUser(file, await cluster.kubeconfig(`https://127.0.0.1:${port}`));
  print(`
  KUBECONFIG=${file} ./slipway kubectl get nodes
`);
}

/** Under sudo the file is its caller's: their shell is to use it. */
function writeForUser(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  chmodSync(`${file}.new`, 0o600);
  const { SUDO_UID, SUDO_GID } = process.env;
  if (SUDO_UID !== undefined && SUDO_GID !== undefined) chownSync(`${file}.new`, Number(SUDO_UID), Number(SUDO_GID));
  renameSync(`${file}.new`, file);
}
