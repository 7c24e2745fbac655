// The real appliance for tests: `./slipway serve --config FILE` as a process in a namespace of the lab, its settings file,
// dataDir and identity in a directory of their own, and its own CLI beside it. Used by *.integration.test.ts here and by
// test/long/start-up.ts.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { EventKind } from "../../../inventory/event.ts";
import type { ExecResult, Namespace } from "../../lab/namespace.ts";
import type { LabProcess } from "../../lab/namespace-process.ts";
import { openRig } from "../dhcp/rig.ts";

export const SLIPWAY = resolve(import.meta.dirname, "../../../slipway");
/** Runs a command without any right, as a user that owns nothing. */
export const UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
/** The machine that runs the tests is busy: a start of two seconds may take twenty. */
export const START_MS = 45_000;

export type Event = { kind: EventKind; mac?: string; text: string; level: string };
export type Status = {
  alarms: { text: string; remedy?: string }[];
  interfaces: { name: string; addresses: string[]; hasCarrier: boolean; dhcp: { mode: string; reason: string } }[];
  assets: { name: string; state: string; reason?: string }[];
};
export type StartOptions = {
  ns?: Namespace;
  config?: string;
  args?: string[];
  /** What the program is started by: `setpriv …`, `sh -c …`. */
  wrap?: string[];
  env?: NodeJS.ProcessEnv;
};
export type ApplianceRig = Awaited<ReturnType<typeof openApplianceRig>>;

/** `server` at once, without the ten seconds of looking: most tests are about something else. */
export const ETH0 = "  eth0: { dhcp: server, force: true, probe: false }";

/** Opens a network with `eth0` (192.0.2.1/24 unless told otherwise), and a home for one appliance. */
export async function openApplianceRig(options: { address?: string | null } = {}) {
  const rig = await openRig(options);
  const home = mkdtempSync(join(tmpdir(), "slipway-appliance-"));
  const dataDir = join(home, "data");
  const identity = join(home, "id", "identity.age");
  const configFile = join(home, "slipway.yaml");
  const socket = join(dataDir, "admin.sock");

  /** Writes the settings file. `text` stands beside dataDir and identity. */
  const configure = (text = `interfaces:\n${ETH0}`): string => {
    writeFileSync(configFile, `dataDir: ${dataDir}\nidentity: ${identity}\n${text}\n`);
    return configFile;
  };
  configure();

  /** Starts the appliance and does not wait. */
  const spawn = (more: StartOptions = {}): LabProcess =>
    rig.lab.spawn(
      more.ns ?? rig.serverNs,
      [...(more.wrap ?? []), SLIPWAY, "serve", "--config", more.config ?? configFile, ...(more.args ?? [])],
      { env: { SLIPWAY_SOCKET: "", ...more.env } },
    );
  /** Starts it and waits until it says what it serves. */
  const start = async (more: StartOptions = {}): Promise<LabProcess> => {
    const running = spawn(more);
    await running.waitFor(/Slipway [\d.]+ serves|No interface is served/, START_MS);
    return running;
  };
  /** Starts what cannot start, and gives its end. */
  const fail = async (more: StartOptions = {}): Promise<{ code: number; out: string; err: string }> => {
    const running = spawn(more);
    const code = await running.ended(START_MS);
    return { code, out: running.stdout(), err: running.stderr() };
  };
  const cli = (args: string[], at = socket): Promise<ExecResult> =>
    rig.lab.exec(rig.serverNs, [SLIPWAY, ...args, "--socket", at], { mayFail: true, timeoutMs: START_MS });
  const ask = async <T>(args: string[], at?: string): Promise<T> => {
    const { code, stdout, stderr } = await cli([...args, "-o", "json"], at);
    if (code !== 0) throw new Error(`slipway ${args.join(" ")} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  };
  return {
    ...rig,
    ...{ home, dataDir, identity, configFile, socket, configure, spawn, start, fail, cli },
    events: (at?: string) => ask<Event[]>(["events", "--limit", "500"], at),
    status: (at?: string) => ask<Status>(["status"], at),
    /** Makes another settings file with its own dataDir, for a second appliance. */
    second(name: string, text: string): { config: string; socket: string } {
      const dir = join(home, name);
      mkdirSync(dir);
      const config = join(dir, "slipway.yaml");
      writeFileSync(config, `dataDir: ${dir}/data\nidentity: ${dir}/id/identity.age\n${text}\n`);
      return { config, socket: join(dir, "data", "admin.sock") };
    },
    async close() {
      await rig.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Waits until `look` gives what `isWanted`; the last answer is in the fault. Each look is a process of its own. */
export async function until<T>(
  look: () => Promise<T>,
  isWanted: (value: T) => boolean,
  timeoutMs = START_MS,
): Promise<T> {
  const endsAt = performance.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (isWanted(value)) return value;
    if (performance.now() > endsAt) throw new Error(`not in ${timeoutMs} ms; the last was ${JSON.stringify(value)}`);
    await new Promise((wake) => setTimeout(wake, 200));
  }
}
