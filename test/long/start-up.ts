// How long a warm start takes until HTTP, TFTP and the CLI answer, and what the idle appliance costs. Real process, real
// namespace, an asset directory with an image of real size. Run it as root:
//   node test/long/start-up.ts [--starts 10] [--megabytes 90] [--idle 30]
// Each figure is milliseconds from the spawn of `./slipway serve`. The three clients ask again every few milliseconds, each by
// itself; the CLI is a process of its own, whose whole run counts.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openSecrets } from "../../server/secrets/store.ts";
import { writeImage, writeLoaders } from "../boot-assets/asset-folder.ts";
import { type ApplianceRig, openApplianceRig, SLIPWAY } from "../server/appliance/rig.ts";

/** Runs inside the namespace: prints `NAME MILLISECONDS-SINCE-1970` at each service's first answer. */
const CLIENT = `
const http = require("node:http"), dgram = require("node:dgram");
const say = (name) => process.stdout.write(name + " " + Date.now() + "\\n");
const askHttp = () => http.get({ host: "192.0.2.1", port: 8080, path: "/boot/entry.ipxe", agent: false, timeout: 1000 }, (r) => {
  r.resume();
  if (r.statusCode === 200) say("http"); else setTimeout(askHttp, 5);
}).on("error", () => setTimeout(askHttp, 5));
askHttp();
const socket = dgram.createSocket("udp4");
const request = Buffer.from("\\0\\1ipxe/x86_64/snponly.efi\\0octet\\0tsize\\0" + "0\\0", "latin1");
const timer = setInterval(() => socket.send(request, 69, "192.0.2.1", () => {}), 20);
socket.on("error", () => {});
socket.on("message", (bytes, from) => {
  if (bytes[1] !== 6) return;
  clearInterval(timer);
  say("tftp");
  socket.send(Buffer.from("\\0\\5\\0\\0end\\0", "latin1"), from.port, from.address, () => socket.close());
});
process.stdout.write("open\\n");`;

/** `cpu`: what the start took of a processor, which does not hang on what else the machine does. */
type Start = { http: number; tftp: number; cli: number; serves: number; cpu: number };

/** One start, measured, and the appliance left running. */
async function startOnce(rig: ApplianceRig) {
  const client = rig.lab.spawn(rig.serverNs, [process.execPath, "-e", CLIENT]);
  await client.waitFor(/^open$/m, 30_000);
  const startedAt = Date.now();
  const running = rig.spawn();
  const cli = (async () => {
    while (
      (await rig.lab.exec(rig.serverNs, [SLIPWAY, "machines", "--socket", rig.socket], { mayFail: true })).code !== 0
    );
    return Date.now() - startedAt;
  })();
  const at = async (name: string) =>
    Number((await client.waitFor(new RegExp(`^${name} (\\d+)$`, "m"), 60_000))[1]) - startedAt;
  const serves = running.waitFor(/Slipway [\d.]+ serves/, 60_000).then(() => Date.now() - startedAt);
  const measured = { http: await at("http"), tftp: await at("tftp"), cli: await cli, serves: await serves };
  const start: Start = { ...measured, cpu: Math.round(usageOf(running.pid).cpuS * 1000) };
  await client.stop();
  return { running, start };
}

/** Resident bytes and CPU seconds of a process so far. */
function usageOf(pid: number): { rssMb: number; cpuS: number } {
  const rssKb = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return { rssMb: rssKb / 1024, cpuS: (Number(fields[11]) + Number(fields[12])) / 100 };
}

async function prepare(rig: ApplianceRig, megabytes: number): Promise<void> {
  const quiet = { info() {}, warn() {} };
  const secrets = await openSecrets({ dataDir: rig.dataDir, identityPath: rig.identity, log: quiet });
  const assets = join(rig.dataDir, "assets");
  mkdirSync(assets);
  writeLoaders(assets);
  const { folder } = writeImage(assets, { bytes: megabytes * 1_000_000 });
  writeFileSync(join(folder, "manifest.sig"), secrets.signManifest(readFileSync(join(folder, "manifest.json"))));
  // The cold start hashes the image and fills Node's code cache; warm starts are what is measured.
  const { running, start } = await startOnce(rig);
  await running.waitFor(/slipway\.uki\.efi is whole/, 120_000);
  console.log(`cold start: ${JSON.stringify(start)}`);
  await running.stop();
}

const row = (name: string, values: number[]) => {
  const sorted = values.toSorted((a, b) => a - b);
  console.log(`${name.padEnd(8)} min ${sorted[0]}  median ${sorted[sorted.length >> 1]}  max ${sorted.at(-1)} ms`);
};

const { values } = parseArgs({
  options: {
    starts: { type: "string", default: "10" },
    megabytes: { type: "string", default: "90" },
    idle: { type: "string", default: "30" },
  },
});
const rig = await openApplianceRig();
try {
  await prepare(rig, Number(values.megabytes));
  console.log(`${availableParallelism()} cores, load ${loadavg()[0]!.toFixed(1)} before`);
  const starts: Start[] = [];
  for (let n = 1; n <= Number(values.starts); n++) {
    const { running, start } = await startOnce(rig);
    starts.push(start);
    console.log(`start ${n}: ${JSON.stringify(start)}`);
    await running.stop();
  }
  for (const name of ["http", "tftp", "cli", "serves", "cpu"] as const)
    row(
      name,
      starts.map((start) => start[name]),
    );
  const { running } = await startOnce(rig);
  await wait(Number(values.idle) * 1000);
  const before = usageOf(running.pid);
  await wait(Number(values.idle) * 1000);
  const after = usageOf(running.pid);
  const percent = ((after.cpuS - before.cpuS) / Number(values.idle)) * 100;
  console.log(`idle after ${values.idle} s: RSS ${before.rssMb.toFixed(0)} MB; CPU ${percent.toFixed(2)} % of a core`);
  await running.stop();
  console.log(`load ${loadavg()[0]!.toFixed(1)} after`);
} finally {
  await rig.close();
}
