// What the agent costs: CPU from its start until it is in touch, and its memory when nothing happens. Beside them a bare Node
// in the same run, because only the difference is ours.
//   node test/bench/agent.ts
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bundleAgent } from "../../node-agent/run-bundle.ts";
import { until } from "../node-agent/machine.ts";
import { MAC, startAppliance } from "../server/grpc/appliance.ts";

const RUNS = 7;
const IDLE_MS = 20_000;
const dir = mkdtempSync(join(tmpdir(), "slipway-bench-agent-"));

/** proc_pid_stat(5): fields 14 and 15, user and system, in hundredths of a second. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
function memory(pid: number): string {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (name: string) => (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1]) / 1024).toFixed(1);
  return `${megabytes("VmRSS")} MB resident, ${megabytes("RssAnon")} MB of them its own`;
}
const median = (list: number[]): number => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]!;

function writeMachine(root: string): void {
  const device = join(root, "sys/devices/pci0000:00/virtio0/net/eth0");
  mkdirSync(join(device, "device"), { recursive: true });
  mkdirSync(join(root, "sys/class/net"), { recursive: true });
  writeFileSync(join(device, "address"), `${MAC}\n`);
  symlinkSync("../../devices/pci0000:00/virtio0/net/eth0", join(root, "sys/class/net/eth0"));
}

const appliance = await startAppliance();
await bundleAgent(join(dir, "agent"), "amd64");
writeMachine(join(dir, "root"));
/** As systemd/image/slipway-agent.service has them. */
const FLAGS = ["--lite-mode", "--max-semi-space-size=1", "--v8-pool-size=1"];

async function runAgent(
  run: number,
  idleMs: number,
): Promise<{ cpu: number; wallMs: number; memory: string; idleCpu: number }> {
  const state = join(dir, `state-${run}`);
  mkdirSync(state);
  const { token } = await appliance.boot();
  const { authority, address: server } = appliance;
  const ticket = { schema: 1, attempt: "a", token, caFingerprint: authority.fingerprint, server, mac: MAC };
  writeFileSync(join(state, "ticket.json"), JSON.stringify(ticket));
  const env = { SLIPWAY_STATE_DIR: state, SLIPWAY_ROOT: join(dir, "root"), SLIPWAY_SCREEN: "off" };
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...FLAGS, join(dir, "agent", "agent.mjs")], { env, stdio: "ignore" });
  await until("the session", () => appliance.server.sessionCount() === 1);
  const result = { cpu: cpuMs(child.pid!), wallMs: performance.now() - startedAt };
  await sleep(idleMs);
  const idle = { memory: memory(child.pid!), idleCpu: cpuMs(child.pid!) - result.cpu };
  child.kill("SIGTERM");
  await until("its end", () => appliance.server.sessionCount() === 0);
  return { ...result, ...idle };
}

const runs = [];
for (let run = 0; run < RUNS; run++) runs.push(await runAgent(run, 0));
const idle = await runAgent(RUNS, IDLE_MS);
const bare = spawn(process.execPath, [...FLAGS, "-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
await sleep(1000);
console.log(
  `agent: start to in touch ${median(runs.map((r) => r.cpu))} ms CPU, ${median(runs.map((r) => r.wallMs)).toFixed(0)} ms, median of ${RUNS}`,
);
console.log(
  `agent: idle for ${IDLE_MS / 1000} s: ${idle.memory}; ${idle.idleCpu} ms CPU meanwhile, its first log lines included`,
);
console.log(`bare Node: start ${cpuMs(bare.pid!)} ms CPU; ${memory(bare.pid!)}`);
bare.kill();
await appliance.close();
rmSync(dir, { recursive: true });
process.exit(0);
