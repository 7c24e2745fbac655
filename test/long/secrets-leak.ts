// Does anything leave what only a cluster's nodes may know? The whole life of a cluster (1 + 1 container nodes, or one
// virtual machine with --vm: power-on, netboot, config, join, restart) is recorded on the wire, and afterwards looked
// through for the bundle's keys and tokens as bytes, base64 and hex: the recording, the appliance's database, logs, events,
// boot scripts and world-readable files, the machine's console and kernel command line, world-readable files of the nodes.
// First one secret is planted in each kind of place, and must be found. Run it as root:
//   node test/long/secrets-leak.ts [--vm]
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openSecrets } from "../../server/secrets/store.ts";
import { type ClusterRack, openClusterRack } from "../e2e/cluster/cluster-rack.ts";
import { chooseAccelerator } from "../lab/accelerator.ts";
import type { Container } from "../lab/container.ts";
import type { LabProcess } from "../lab/namespace-process.ts";
import { findNeedles, type Needle, needlesOf } from "./secret-needles.ts";

const { values } = parseArgs({ options: { vm: { type: "boolean", default: false } } });
const QUIET = { info: () => {}, warn: () => {} };
/** Files above this are images and disks. */
const MOST_BYTES = 64 * 2 ** 20;

const { accelerator } = values.vm ? await chooseAccelerator() : { accelerator: "tcg" as const };
const shape = { controlPlanes: 1, workers: values.vm ? 0 : 1 };
const lab: ClusterRack = await openClusterRack(shape, (rack) => ({
  ...{ isSingle: values.vm, isSlow: values.vm && accelerator === "tcg" },
  makeMachine: () =>
    values.vm ? rack.makeVm({ firmware: "uefi", accelerator, memoryMiB: 3072 }) : rack.makeContainer(),
}));
try {
  process.exitCode = await look(lab);
} finally {
  await lab.close();
}

async function look({ rack, cluster, cli }: ClusterRack): Promise<number> {
  const dataDir = rack.scratchFile("data");
  const pcap = rack.scratchFile("life.pcap");
  const recorder = await record(pcap);
  for (const { machine } of cluster.nodes) await machine.powerOn();
  await cluster.waitUntilGreen(values.vm ? 3_600_000 : 300_000, (summary) => console.log(summary));
  for (const { machine } of cluster.nodes) {
    await machine.kill();
    await machine.powerOn();
  }
  await cluster.waitUntilGreen(values.vm ? 3_600_000 : 300_000);
  await cli(["config", cluster.nodes[0]!.name]);
  const events = await rack.admin.getText("/v1/events", { limit: 1000 });
  const script = await scriptOf("52:54:00:00:77:01");

  const secrets = await openSecrets({ dataDir, identityPath: rack.scratchFile("identity.age"), log: QUIET });
  const needles = needlesOf(await secrets.clusters.open(cluster.name));
  const planted = await plant(needles, dataDir);
  await sleep(1000);
  await recorder.stop();
  const places: [string, Buffer][] = [
    ["the wire", readFileSync(pcap)],
    ["the events", Buffer.from(events)],
    ["the boot script", Buffer.from(script)],
    ["the appliance's log", readFileSync(rack.scratchFile("appliance.log"))],
    ...databases(dataDir),
    ...readable(dataDir, "appliance"),
    ...cluster.nodes.flatMap(({ name, machine }): [string, Buffer][] => [
      [
        `${name}: what it says`,
        Buffer.from(machine.kind === "vm" ? machine.lastWords() : (machine as Container).journal(100_000)),
      ],
      ...(machine.kind === "container"
        ? [
            ...readable((machine as Container).path("/run"), name),
            ...readable((machine as Container).path("/var"), name),
          ]
        : []),
    ]),
  ];
  const found = places.flatMap(([place, bytes]) => findNeedles(bytes, needles).map((what) => ({ place, what })));
  const isPlanted = ({ place }: { place: string }) => planted.some((one) => place.includes(one));
  const missed = planted.filter((one) => !found.some(({ place }) => place.includes(one)));
  // The recording holds the planted datagram once: more of it is a leak.
  const leaks = found.filter((one) => !isPlanted(one) || !/trustd token/.test(one.what));
  const bytes = places.reduce((sum, [, content]) => sum + content.length, 0);
  console.log(
    JSON.stringify({ places: places.length, bytes, needles: needles.length, planted, missed, leaks }, undefined, 1),
  );
  return missed.length === 0 && leaks.length === 0 ? 0 : 1;
}

async function record(file: string): Promise<LabProcess> {
  const { rack } = lab;
  const tcpdump = ["tcpdump", "-i", "any", "-s", "0", "-U", "-w", file, "-Z", "root"];
  const recorder = rack.lab.spawn(rack.bridge.ns, tcpdump);
  await recorder.waitFor(/listening on/, 10_000);
  return recorder;
}

/** As iPXE of a stranger would ask. */
async function scriptOf(mac: string): Promise<string> {
  const url = `http://192.0.2.1:8080/boot/script?mac=${mac}&arch=x86_64&platform=efi`;
  return (await lab.rack.lab.exec(lab.rack.home, ["curl", "-sS", url], { mayFail: true })).stdout;
}

/** One secret where each reader looks: on the wire, in a file of the appliance's. @returns what the places are called by. */
async function plant(needles: readonly Needle[], dataDir: string): Promise<string[]> {
  const secret = needles.find(({ name }) => name === "trustd token (bytes)")!.bytes;
  const file = join(dataDir, "planted");
  writeFileSync(file, `token: ${secret}\n`);
  chmodSync(file, 0o644);
  const { rack } = lab;
  const send = `require("node:dgram").createSocket("udp4").send(${JSON.stringify(secret.toString())}, 9, "192.0.2.128", () => process.exit())`;
  await rack.lab.exec(rack.home, [process.execPath, "-e", send]);
  return ["the wire", "appliance/planted"];
}

function databases(dataDir: string): [string, Buffer][] {
  const names = readdirSync(dataDir).filter((name) => /\.db(-wal)?$/.test(name));
  return names.map((name) => [`the database ${name}`, readFileSync(join(dataDir, name))]);
}

/** Every regular file below that anybody may read, with a name to call it by. */
function readable(dir: string, owner: string, below = ""): [string, Buffer][] {
  const found: [string, Buffer][] = [];
  for (const entry of readdirSync(join(dir, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    try {
      const stat = statSync(join(dir, path));
      // A directory that others cannot pass shuts all that is in it.
      if (entry.isDirectory() && (stat.mode & 0o001) !== 0) found.push(...readable(dir, owner, path));
      const isReadable = entry.isFile() && (stat.mode & 0o004) !== 0 && stat.size > 0 && stat.size < MOST_BYTES;
      if (isReadable) found.push([`${owner}/${path}`, readFileSync(join(dir, path))]);
    } catch {
      // Gone meanwhile, or a socket's place.
    }
  }
  return found;
}
