// Two clusters on one appliance, and a worker that is given what belongs to the other: by a person at the appliance, and by hand
// on its disk. Each is told with its remedy, and a new install mends it. Container nodes.
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Container } from "../../lab/container.ts";
import { type ClusterRack, openClusterRack } from "../cluster/cluster-rack.ts";

const WITHIN_MS = 300_000;
const CONFIG = "/var/lib/slipway/state/config.yaml";
const OTHER = "other-w1";

let lab: ClusterRack;
let worker: Container;
/** As it was given out. */
let own: string;
let others: string;

beforeAll(async () => {
  lab = await openClusterRack({ controlPlanes: 1, workers: 1 }, (rack) => ({
    makeMachine: () => rack.makeContainer(),
  }));
  worker = lab.cluster.nodes[1]!.machine as Container;
});
afterAll(() => lab?.close());

async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  for (const end = Date.now() + WITHIN_MS; Date.now() < end; await sleep(500)) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
  }
  throw new Error(`no ${what} within ${WITHIN_MS / 1000} s; ${worker.journal()}`);
}

async function configOf(node: Container): Promise<string> {
  if (!node.isOn()) await node.powerOn();
  return until("config on its STATE", async () => {
    try {
      return readFileSync(node.path(CONFIG), "utf8");
    } catch {
      return undefined;
    }
  });
}

/** Starts the worker with another text in the place of its config, as somebody with its disk in hand could. */
async function startWith(config: string): Promise<void> {
  if (!worker.isOn()) await worker.powerOn();
  writeFileSync(worker.path(CONFIG), config, { mode: 0o600 });
  await worker.kill();
  await worker.powerOn();
}

/** In the table, on the machine's page and in the cluster's status. */
async function isTold(words: RegExp): Promise<void> {
  const startedAt = Date.now();
  const page = () => lab.cli(["machines", "test-w1"]).then(({ stdout }) => stdout.replace(/\s+/g, " "));
  await until(`"${words}" on the page of the machine`, async () => words.test(await page()));
  const status = (await lab.cli(["cluster", "status", "test"], { mayFail: true })).stdout;
  console.log(
    `told after ${((Date.now() - startedAt) / 1000).toFixed(0)} s:\n${status}\n${(await lab.cli(["machines"])).stdout}`,
  );
  expect(status.replace(/\s+/g, " ")).toMatch(words);
}

const field = (config: string, pattern: RegExp): string => pattern.exec(config)![1]!;
const TOKEN = /^cluster:[\s\S]*?^ {4}token: (\S+)$/m;
const CA = /^cluster:[\s\S]*?^ {4}ca:\n {8}crt: (\S+)$/m;

test("with two clusters a role alone is not enough: the machine waits, and says for what", async () => {
  await lab.cli(["cluster", "create", "other"]);
  await worker.powerOn();
  const words = /several clusters \(other, test\)/;
  await until("words", async () => words.test((await lab.cli(["machines", "test-w1"])).stdout));
  console.log((await lab.cli(["machines", "test-w1"])).stdout);
  await lab.cli(["set", "test-w1,test-cp1", "--cluster", "test"]);
  own = await configOf(worker);
});

test("one that has its config stays in its cluster", async () => {
  const { code, stderr } = await lab.cli(["set", "test-w1", "--cluster", "other"], { mayFail: true });
  console.log(stderr);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/cannot change from test to other: .*slipway reset test-w1/);
});

test("another cluster's token by a patch is refused", async () => {
  const node = lab.rack.makeContainer();
  await lab.cli(["set", node.mac, "--name", OTHER, "--role", "worker", "--cluster", "other", "--approve"]);
  others = await configOf(node);
  await node.close();
  const file = lab.rack.scratchFile("patch.yaml");
  const patch = `- cluster: { token: ${field(own, TOKEN)} }`;
  writeFileSync(
    file,
    `apiVersion: slipway.dev/v1alpha1\nkind: Machine\nmetadata: { name: third }\nspec:\n  macs: ["52:54:00:00:90:01"]\n  role: worker\n  cluster: other\n  patches:\n  ${patch}\n`,
  );
  const { code, stderr } = await lab.cli(["apply", "-f", file], { mayFail: true });
  console.log(stderr);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/:9:\d+: spec\.patches\[0\]\.cluster\.token: must not be in a patch/);
});

test("a worker with another cluster's token", { timeout: 2 * WITHIN_MS }, async () => {
  await startWith(own.replace(field(own, TOKEN), field(others, TOKEN)));
  await lab.cluster.nodes[0]!.machine.powerOn();
  await until("control plane", async () => (await lab.cluster.status()).nodes.some(({ isReady }) => isReady));
  await isTold(/the cluster does not know this node's token.*slipway install MAC/);
});

test("a worker with another cluster's CA", { timeout: 2 * WITHIN_MS }, async () => {
  await startWith(own.replace(field(own, CA), field(others, CA)));
  await isTold(/another cluster answers at the endpoint.*slipway install MAC/);
});

test("a worker with another cluster's whole config knocks at that cluster's endpoint", {
  timeout: 2 * WITHIN_MS,
}, async () => {
  await startWith(others);
  await isTold(/the cluster's API does not answer yet: ./);
});

test("an install mends it", { timeout: 2 * WITHIN_MS }, async () => {
  await lab.cli(["install", "test-w1", "--yes"]);
  const orderedAt = Date.now();
  await lab.cluster.waitUntilGreen(WITHIN_MS);
  console.log(`green ${((Date.now() - orderedAt) / 1000).toFixed(0)} s after the order`);
});
