// The agent's Kubernetes alone, as a program inside a container node: no appliance, no enrolment; config and orders are files
// that the test gives, the status is a file that it reads. Bundled and started by node-rig.ts. What runs is the real thing:
// openKubernetesNode with the machine's own systemctl.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { KubernetesDeps, Ran, Surroundings } from "../../../node-agent/kubernetes/port.ts";
import { openKubernetesNode } from "../../../node-agent/kubernetes/run-node.ts";
import type { ClusterOrders } from "../../../server/contract/generated/agent.ts";
import { decodeMachineConfig } from "../../../server/contract/machine-config/decode.ts";
import { nodeConfigOf } from "../../../server/contract/machine-config/node-config.ts";

const GIVEN = "/run/rig";
const STATUS = "/run/slipway/rig-status.json";
const STATE_DIR = "/var/lib/slipway/state";

function run(program: string, args: readonly string[], timeoutMs: number): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const said = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => {
      said.stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      said.stderr += chunk;
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    child.on("error", (error) => resolve({ code: 127, stdout: "", stderr: error.message }));
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 124, ...said });
    });
  });
}

function surroundings(): Surroundings {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((a) => a.family === "IPv4" && !a.internal)
    .map((a) => a.address);
  const available = /MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? "0";
  return {
    addresses,
    resolvers: [],
    mtuBytes: 1500,
    isClockSet: true,
    holdsEndpoint: false,
    memoryAvailableBytes: Number(available) * 1024,
  };
}

const decoded = decodeMachineConfig(readFileSync(`${GIVEN}/config.yaml`, "utf8"));
if (decoded.kind === "faults") throw new Error(JSON.stringify(decoded.faults));
const config = nodeConfigOf(decoded.config);
mkdirSync("/run/slipway/etc/cni", { recursive: true });
writeFileSync("/run/slipway/etc/resolv.conf", "");
writeFileSync("/run/slipway/etc/hosts", `127.0.0.1 localhost\n127.0.1.1 ${config.hostname}\n`);
mkdirSync(STATE_DIR, { recursive: true });
const deps: KubernetesDeps = {
  config,
  configNotes: [],
  platform: "container",
  installId: readFileSync(`${GIVEN}/install-id`, "utf8").trim(),
  ephemeralDevice: undefined,
  stateDir: STATE_DIR,
  surroundings,
  log: { info: (text) => console.log(text), warn: (text) => console.warn(text) },
  run,
};
const node = await openKubernetesNode(deps);
const tell = () => {
  const text = JSON.stringify(node.status(), (_, value) => (typeof value === "bigint" ? Number(value) : value), 2);
  writeFileSync(`${STATUS}.new`, text);
  renameSync(`${STATUS}.new`, STATUS);
};
node.watch(tell);
tell();
let seen = 0;
setInterval(() => {
  const at = statSync(`${GIVEN}/orders.json`).mtimeMs;
  if (at === seen) return;
  seen = at;
  node.setOrders(JSON.parse(readFileSync(`${GIVEN}/orders.json`, "utf8")) as ClusterOrders);
}, 200);
process.on("SIGUSR1", () => void node.stopServices().then(() => console.log("All services have stopped.")));
