// How fast the inventory is on this disk: `node test/bench/inventory.ts [dir]`. Figures to compare with: reference peers
// write 3,500 leases/s one by one with synchronous=FULL, and 15k/37k/47k in groups of 8/32/128. Nothing is asserted.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { openInventory } from "../../inventory/store.ts";

const SECONDS = 2;
const MACHINES = 2000;
const dataDir = mkdtempSync(join(process.argv[2] ?? tmpdir(), "slipway-bench-"));
const log = { info: () => {}, warn: console.warn, error: console.error };
const options = { dataDir, retention: { eventsMs: 86_400_000, logBytes: 64 * 1024 * 1024 }, log };
const say = (what: string, figure: string) => console.log(`${what.padEnd(64)} ${figure}`);
const quantile = (sorted: number[], q: number) => sorted[Math.floor((sorted.length - 1) * q)] ?? 0;
const hex = (n: number) => n.toString(16).padStart(2, "0");
const macOf = (n: number) => `52:54:00:${hex((n >> 16) & 255)}:${hex((n >> 8) & 255)}:${hex(n & 255)}`;

let inventory = await openInventory(options);

/** Keeps `width` calls in the air for a while. */
async function measure(what: string, width: number, call: (n: number) => Promise<unknown>): Promise<void> {
  const tookMs: number[] = [];
  const end = performance.now() + SECONDS * 1000;
  let n = 0;
  const worker = async () => {
    while (performance.now() < end) {
      const start = performance.now();
      await call(n++);
      tookMs.push(performance.now() - start);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: width }, worker));
  const rate = tookMs.length / ((performance.now() - start) / 1000);
  tookMs.sort((a, b) => a - b);
  const [p50, p99] = [quantile(tookMs, 0.5), quantile(tookMs, 0.99)].map((ms) => `${ms.toFixed(2)} ms`);
  say(`${what}, ${width} at once`, `${Math.round(rate).toLocaleString("en")}/s  p50 ${p50}  p99 ${p99}`);
}

const lease = (n: number) => ({
  subnet: "10.0.0.0/8",
  address: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
  mac: macOf(n),
  state: "bound" as const,
  startedAt: 1,
  expiresAt: 3600,
});

try {
  for (const width of [1, 8, 32, 128]) {
    await measure("durable leases", width, (n) => inventory.saveLeases([lease(n % 50_000)]));
  }
  await measure("durable lease + 2 events, as one DORA writes", 32, (n) =>
    Promise.all([
      inventory.saveLeases([lease(n % 50_000)]),
      inventory.recordEvents([
        { kind: "dhcp-offer", at: n, mac: macOf(n % MACHINES), detail: { address: "10.0.0.1", file: "ipxe.efi" } },
        { kind: "dhcp-ack", at: n, mac: macOf(n % MACHINES), detail: { address: "10.0.0.1", seconds: 3600 } },
      ]),
    ]),
  );
  const facts = { cpus: 8, text: "x".repeat(8000) };
  await inventory.changeMachines(
    Array.from({ length: MACHINES }, (_, n) => ({ macs: [macOf(n)], name: `n${n}`, facts })),
    [],
    "bench",
  );
  await measure("machine by MAC, with 8 kB of facts", 1, (n) => inventory.findMachineByMac(macOf(n % MACHINES)));
  await measure("unknown MAC", 1, (n) => inventory.findMachineByMac(macOf(MACHINES + n)));
  const at = Date.now();
  await Promise.all(Array.from({ length: MACHINES }, (_, n) => inventory.sightMachine({ mac: macOf(n), at })));
  await measure("sighting with nothing new", 32, (n) => inventory.sightMachine({ mac: macOf(n % MACHINES), at }));
  const lines = Array.from({ length: 100 }, () => ({
    at,
    mac: macOf(1),
    source: "kernel" as const,
    text: "y".repeat(120),
  }));
  const start = performance.now();
  for (let n = 0; n < 500; n++) {
    inventory.appendLogLines(lines);
    if (n % 100 === 99) await inventory.listLogLines({ limit: 1 });
  }
  say(
    "log lines of 120 characters",
    `${Math.round(50_000 / ((performance.now() - start) / 1000)).toLocaleString("en")}/s`,
  );
  await inventory.close();
  const opening = performance.now();
  inventory = await openInventory(options);
  say("opening what this made, with its check", `${(performance.now() - opening).toFixed(0)} ms`);
  say("resident memory", `${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`);
} finally {
  await inventory.close();
  rmSync(dataDir, { recursive: true });
}
