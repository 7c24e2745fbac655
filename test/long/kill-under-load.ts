// kill -9 of the DHCP server at random moments under load: afterwards every acknowledged lease is in the inventory, and no
// address was ever acknowledged to two machines. Run it as root:
//   node test/long/kill-under-load.ts [--kills 50] [--seed 1] [--lie]
// `--lie` answers before the lease is written: the check must then fail, or it would check nothing.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Lease } from "../../inventory/lease.ts";
import { openInventory } from "../../inventory/store.ts";
import { openRig } from "../server/dhcp/rig.ts";
import { randomFrom } from "./seeded-random.ts";

export type Killed = {
  kills: number;
  /** ACKs seen by the machines, and how many machines and addresses they name. */
  acks: number;
  machines: number;
  /** Sentences; empty when all is well. */
  faults: string[];
};

const SERVER = "10.77.0.1";
/** At most this long between "ready" and the kill: early ones hit the start, late ones the steady state. */
const MAX_LIFE_MS = 1500;

export async function killUnderLoad(options: { kills: number; seed: number; isLying?: boolean }): Promise<Killed> {
  const random = randomFrom(options.seed);
  const rig = await openRig({ address: `${SERVER}/16` });
  const dataDir = mkdtempSync(join(tmpdir(), "slipway-kills-"));
  const serve = () =>
    rig.serve([{ authoritative: true }], { dataDir, options: { isQuiet: true, isLying: options.isLying ?? false } });
  try {
    const ns = rig.lab.namespace("load");
    rig.lab.link(ns, "eth0", rig.lan);
    const load = rig.lab.spawn(ns, [
      ...[process.execPath, join(import.meta.dirname, "dhcp-load.ts")],
      ...["eth0", SERVER, String(options.seed), "16"],
    ]);
    await load.waitFor(/^open$/m);
    for (let kill = 1; kill <= options.kills; kill++) {
      const server = await serve();
      await new Promise((resolve) => setTimeout(resolve, random() * MAX_LIFE_MS));
      server.process.signal("SIGKILL");
      await server.process.ended();
      if (kill % 10 === 0) console.log(`${kill} of ${options.kills} kills, ${lines(load.stdout()).length} ACKs so far`);
    }
    // One more life without a kill: those who were acknowledged before ask again.
    const last = await serve();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await load.stop();
    await last.stop();
    return { kills: options.kills, ...judge(lines(load.stdout()), await readLeases(dataDir)) };
  } finally {
    await rig.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const lines = (text: string) => text.split("\n").filter((line) => line.startsWith("52:"));

/** Compares what machines were told with what the inventory has. Leases last an hour here, so none ends meanwhile. */
export function judge(told: readonly string[], leases: readonly Lease[]): Omit<Killed, "kills"> {
  const addressOf = new Map<string, string>();
  const ownerOf = new Map<string, string>();
  const faults: string[] = [];
  let acks = 0;
  for (const line of told) {
    const [mac, ip, old] = line.split(" ") as [string, string, string?];
    if (ip === "refused") {
      faults.push(`${mac} was refused ${old}, which it had been given`);
      continue;
    }
    acks++;
    const [before, owner] = [addressOf.get(mac), ownerOf.get(ip)];
    if (before !== undefined && before !== ip) faults.push(`${mac} was given ${before}, then ${ip}`);
    if (owner !== undefined && owner !== mac) faults.push(`${ip} was given to ${owner} and to ${mac}`);
    addressOf.set(mac, ip);
    ownerOf.set(ip, mac);
  }
  const stored = new Map(leases.map((lease) => [lease.address, lease]));
  for (const [mac, ip] of addressOf) {
    const lease = stored.get(ip);
    if (lease?.mac !== mac || lease.state !== "bound")
      faults.push(`${ip}, acknowledged to ${mac}, is not in the inventory`);
  }
  return { acks, machines: addressOf.size, faults };
}

async function readLeases(dataDir: string): Promise<Lease[]> {
  const quiet = { info() {}, warn() {}, error() {} };
  const inventory = await openInventory({ dataDir, retention: { eventsMs: 1e9, logBytes: 1e6 }, log: quiet });
  const leases = await inventory.listLeases();
  await inventory.close();
  return leases;
}

if (import.meta.filename === process.argv[1]) {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "50" },
      seed: { type: "string", default: String(Date.now() % 100_000) },
      lie: { type: "boolean", default: false },
    },
  });
  console.log(`seed ${values.seed}`);
  const result = await killUnderLoad({ kills: Number(values.kills), seed: Number(values.seed), isLying: values.lie });
  console.log(
    `${result.kills} kills, ${result.acks} ACKs to ${result.machines} machines, ${result.faults.length} faults`,
  );
  for (const fault of result.faults.slice(0, 20)) console.log(`  ${fault}`);
  process.exitCode = result.faults.length === 0 && result.acks > 0 ? 0 : 1;
}
