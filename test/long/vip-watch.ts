// The agent is killed for good, and the cluster's endpoint must leave the wire within its address's lifetime and two
// seconds: nobody renews it. Watched by ARP from the appliance's place. Then the agent is let go, and the endpoint comes
// back. Also: the endpoint is never a Node's address, nor in an etcd member's URLs. Run it as root:
//   node test/long/vip-watch.ts [--runs 5]
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { NODE_PATHS, PORTS } from "../../server/contract/kubernetes/node-paths.ts";
import { type ClusterRack, openClusterRack } from "../e2e/cluster/cluster-rack.ts";
import type { Container } from "../lab/container.ts";
import { findComponent } from "../lab/node-processes.ts";
import { type RunResult, repeatRuns } from "./repeat-runs.ts";

/** valid_lft of the address, as the agent sets it (node-agent/node/vip.ts). */
const LIFETIME_MS = 5000;
const GREEN_WITHIN_MS = 300_000;

const lab: ClusterRack = await openClusterRack({ controlPlanes: 1, workers: 0 }, (rack) => ({
  ...{ isSingle: true, makeMachine: () => rack.makeContainer() },
}));
const { rack, cluster, kubectl } = lab;
const machine = cluster.nodes[0]!.machine as Container;

/** One ARP request, a fifth of a second for the answer; the sender asks as itself. */
async function answersArp(): Promise<boolean> {
  const command = ["arping", "-q", "-c", "1", "-w", "1", "-I", "eth0", cluster.endpoint];
  const { code } = await rack.lab.exec(rack.home, ["busybox", ...command], { mayFail: true, timeoutMs: 5000 });
  return code === 0;
}

/** What etcd tells its members of each other, from its own gateway in the node's network, with the node's own certificate. */
async function peerUrls(): Promise<string[]> {
  const leader = machine.leader();
  const at = (file: string) => `/proc/${leader}/root${NODE_PATHS.etcdSecrets}/${file}`;
  const tls = ["--cacert", at("ca.crt"), "--cert", at("admin.crt"), "--key", at("admin.key")];
  const url = `https://127.0.0.1:${PORTS.etcdHttp}/v3/cluster/member/list`;
  const asked = ["-t", String(leader), "-n", "curl", "-sS", "--fail", ...tls, "-d", "{}", url];
  const { stdout } = await promisify(execFile)("nsenter", asked);
  const { members } = JSON.parse(stdout) as { members: { peerURLs: string[]; clientURLs: string[] }[] };
  return members.flatMap((member) => [...member.peerURLs, ...member.clientURLs]);
}

async function once(): Promise<RunResult> {
  await cluster.waitUntilGreen(GREEN_WITHIN_MS);
  const wasThere = await answersArp();
  const pid = findComponent(machine.leader(), "agent");
  // A masked unit is not started again: killed for good.
  await machine.exec(["/usr/bin/systemctl", "mask", "--runtime", "slipway-agent.service"]);
  const killedAt = Date.now();
  process.kill(pid!, "SIGKILL");
  let lastAnswerMs = 0;
  while (Date.now() - killedAt < LIFETIME_MS + 10_000) {
    const askedAt = Date.now();
    if (await answersArp()) lastAnswerMs = Date.now() - killedAt;
    else if (askedAt - killedAt > LIFETIME_MS + 4000) break;
    await sleep(100);
  }
  const addresses = await machine.exec(["/usr/bin/systemctl", "is-active", "etcd.service"], { mayFail: true });
  await machine.exec(["/usr/bin/systemctl", "unmask", "--runtime", "slipway-agent.service"]);
  await machine.exec(["/usr/bin/systemctl", "start", "slipway-agent.service"]);
  const backAt = Date.now();
  while (!(await answersArp())) {
    if (Date.now() - backAt > 60_000) return { isGood: false, fault: "the endpoint did not come back within a minute" };
    await sleep(200);
  }
  const nodes = await kubectl(["get", "nodes", "-o", "jsonpath={.items[*].status.addresses[*].address}"]);
  const isNodeAddress = nodes.stdout.split(" ").includes(cluster.endpoint);
  const urls = await peerUrls();
  const isInEtcd = urls.length === 0 || urls.some((url) => new URL(url).hostname === cluster.endpoint);
  const isGood = wasThere && lastAnswerMs <= LIFETIME_MS + 2000 && !isNodeAddress && !isInEtcd;
  return {
    ...{ isGood, lastAnswerMs, backMs: Date.now() - backAt, isNodeAddress, isInEtcd, urls },
    etcdWithoutAgent: addresses.stdout.trim(),
  };
}

try {
  await machine.powerOn();
  await repeatRuns({ name: "vip-watch", runs: 5, once });
} finally {
  await lab.close();
}
