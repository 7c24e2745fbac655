// How fast DHCP is beside Kea and dnsmasq, rounds interleaved on the same two cores: the server on core 0, the load on core 1.
// Run it as root, on a machine that does little else:
//   node test/bench/dhcp.ts [--rounds 3] [--servers slipway,kea,dnsmasq] [--cases new,known,renew,storm,perfdhcp,leases,script] [--profile DIR]
// One line per measurement, then the medians and each server's ratio to Kea. Nothing is asserted: read ratios, not rates.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Lab, type Namespace, openLab } from "../lab/namespace.ts";
import { CLIENT_IP, planServer, SERVER_CIDR, SERVER_IP, type ServerKind } from "./dhcp-servers.ts";
import type { LoadOrder, LoadResult } from "./pxe-load.ts";

type Figures = Record<string, number>;
type Rig = { lab: Lab; server: Namespace; client: Namespace; dir: string };
type Running = { pid: number; stop(): Promise<unknown> };

const [SERVER_CORE, LOAD_CORE] = ["0", "1"];
const RUN_SECONDS = 5;
const PERFDHCP_SECONDS = 4;
/** New PXE machines a second, from a quiet rack to far more than any server here can answer. */
const PERFDHCP_RATES = [400, 1500, 3000, 5000, 8000];
const TICKS_PER_SECOND = 100;

const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
};
const rssMiB = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

let runs = 0;
async function start({ lab, server, client, dir }: Rig, kind: ServerKind, profile?: string): Promise<Running> {
  const node = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const plan = planServer(kind, join(dir, `${kind}-${runs++}`), node);
  const running = lab.spawn(server, ["taskset", "-c", SERVER_CORE, ...plan.command], {
    ...(plan.env && { env: plan.env }),
  });
  // The first machine waits until the server is up; the others warm it up, which compiled code needs more than C++ does.
  const rig = { lab, server, client, dir };
  const first = await load(rig, { ...ORDERS.storm, machines: 1, seconds: 20, first: 1 });
  if (first.done !== 1) throw new Error(`${kind} answers nobody: ${running.stderr()}${running.stdout()}`);
  await load(rig, { ...ORDERS.known, machines: 500, seconds: 2, first: 2 });
  return running;
}

async function load({ lab, client }: Rig, order: LoadOrder, begun = () => {}): Promise<LoadResult> {
  const program = [process.execPath, join(import.meta.dirname, "pxe-load.ts"), "eth0", JSON.stringify(order)];
  const running = lab.spawn(client, ["taskset", "-c", LOAD_CORE, ...program]);
  await running.waitFor(/^begin$/m, 60_000);
  begun();
  await running.waitFor(/^\{.*\}$/m, 60_000);
  await running.ended();
  return JSON.parse(
    running
      .stdout()
      .split("\n")
      .find((line) => line.startsWith("{"))!,
  ) as LoadResult;
}

const RELAY = { relay: CLIENT_IP, server: SERVER_IP };
const MANY = { seconds: RUN_SECONDS, outstanding: 32, machines: 2000 };
const ORDERS = {
  new: { kind: "new", ...MANY, outstanding: 16, first: 0x100000 },
  known: { kind: "known", ...MANY, machines: 8000, pauseMs: 10_000, first: 0x200000 },
  renew: { kind: "renew", ...MANY, ...RELAY, first: 0x300000 },
  storm: { kind: "storm", ...MANY, seconds: 20, machines: 5000, overMs: 1000, first: 0x400000 },
  /** For the memory that 10,000 leases take. */
  leases: { kind: "storm", ...MANY, seconds: 20, machines: 10_000, overMs: 10_000, first: 0x500000 },
  /** Fewer than the kernel has room for neighbours (net.ipv4.neigh.default.gc_thresh3: 1,024). */
  script: { kind: "script", ...MANY, outstanding: 16, machines: 900, server: SERVER_IP, first: 0x600000 },
} as const satisfies Record<string, LoadOrder>;

async function measureLoad(rig: Rig, { pid }: Running, name: keyof typeof ORDERS): Promise<Figures> {
  let before = 0;
  const idleMiB = rssMiB(pid);
  const result = await load(rig, ORDERS[name], () => {
    before = cpuSeconds(pid);
  });
  const cpu = cpuSeconds(pid) - before;
  const { done, seconds, ...rest } = result;
  return { perSecond: done / seconds, cpuUs: (cpu * 1e6) / done, ...rest, idleMiB, rssMiB: rssMiB(pid) };
}

/** Every exchange is a new machine behind a relay; answers that come after a second are lost to it. */
async function measurePerfdhcp({ lab, client }: Rig, { pid }: Running, rate: number): Promise<Figures> {
  const before = cpuSeconds(pid);
  const seed = ["-s", String(rate), "-R", "1000000", "-b", "mac=02:50:58:00:00:00"];
  const pxe = ["-o", "93,0007", "-o", "60,505845436c69656e743a417263683a30303030373a554e44493a303033303136"];
  const time = ["-r", String(rate), "-p", String(PERFDHCP_SECONDS), "-W", "1000000"];
  const command = ["taskset", "-c", LOAD_CORE, "perfdhcp", "-4", "-l", CLIENT_IP, ...time, ...seed, ...pxe, SERVER_IP];
  const { stdout } = await lab.exec(client, command, { mayFail: true });
  const all = (label: string) =>
    [...stdout.matchAll(new RegExp(`^${label}: ([\\d.]+)`, "gm"))].map((m) => Number(m[1]));
  const [sent, received, delays] = [all("sent packets"), all("received packets"), all("avg delay")];
  const acks = received[1] ?? 0;
  return {
    perSecond: acks / PERFDHCP_SECONDS,
    cpuUs: ((cpuSeconds(pid) - before) * 1e6) / acks,
    offersLost: 1 - received[0]! / sent[0]!,
    acksLost: 1 - acks / sent[1]!,
    offerMs: delays[0]!,
    ackMs: delays[1]!,
    rssMiB: rssMiB(pid),
  };
}

async function round(rig: Rig, kind: ServerKind, cases: readonly string[], profile: string | undefined) {
  const figures = new Map<string, Figures>();
  const tell = (name: string, measured: Figures) => {
    figures.set(name, measured);
    const words = Object.entries(measured).map(([key, value]) => `${key} ${format(value)}`);
    console.log(`${kind.padEnd(13)} ${name.padEnd(14)} ${words.join("  ")}`);
  };
  // A fresh server per case: the leases of one must not slow down the next.
  for (const name of cases) {
    const running = await start(rig, kind, profile);
    if (name !== "perfdhcp") tell(name, await measureLoad(rig, running, name as keyof typeof ORDERS));
    else for (const rate of PERFDHCP_RATES) tell(`perfdhcp ${rate}`, await measurePerfdhcp(rig, running, rate));
    await running.stop();
  }
  return figures;
}

const format = (value: number) =>
  Math.abs(value) < 1 ? value.toFixed(3) : Math.abs(value) < 100 ? value.toFixed(1) : String(Math.round(value));
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "3" },
      servers: { type: "string", default: "slipway,kea,dnsmasq" },
      cases: { type: "string", default: "new,known,renew,storm,perfdhcp" },
      profile: { type: "string" },
      dir: { type: "string", default: tmpdir() },
    },
  });
  const kinds = values.servers.split(",") as ServerKind[];
  const lab = openLab("dhcpbench");
  const dir = mkdtempSync(join(values.dir, "slipway-dhcp-bench-"));
  try {
    const [server, client] = [lab.namespace("server"), lab.namespace("client")];
    lab.link(server, "eth0", client, "eth0");
    lab.address(server, "eth0", SERVER_CIDR);
    lab.address(client, "eth0", `${CLIENT_IP}/12`);
    const all = new Map<string, Map<ServerKind, Figures[]>>();
    for (let n = 0; n < Number(values.rounds); n++) {
      for (const kind of kinds) {
        for (const [name, figures] of await round(
          { lab, server, client, dir },
          kind,
          values.cases.split(","),
          values.profile,
        )) {
          const of = all.get(name) ?? new Map<ServerKind, Figures[]>();
          all.set(name, of.set(kind, [...(of.get(kind) ?? []), figures]));
        }
      }
    }
    for (const [name, of] of all) summarise(name, of);
  } finally {
    await lab.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

function summarise(name: string, of: Map<ServerKind, Figures[]>): void {
  const medianOf = (kind: ServerKind, key: string) => median((of.get(kind) ?? []).map((figures) => figures[key]!));
  console.log(`\n${name}: medians`);
  for (const [kind, list] of of) {
    const words = Object.keys(list[0]!).map((key) => `${key} ${format(medianOf(kind, key))}`);
    const ratio = of.has("kea")
      ? `  ${(medianOf(kind, "perSecond") / medianOf("kea", "perSecond")).toFixed(2)} × Kea`
      : "";
    console.log(`  ${kind.padEnd(13)} ${words.join("  ")}${ratio}`);
  }
}

await main();
