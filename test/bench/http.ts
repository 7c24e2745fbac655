// HTTP of a 100 MiB image by curl: from RAM, from disk, and from nginx where it is installed.
//   node test/bench/http.ts [--rounds 3]
// Rounds are interleaved; medians are printed. On loopback the clients' copies cost as much as the server's: the server's
// CPU is the fair figure.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pattern } from "../boot-assets/asset-folder.ts";
import { printRow, rssMiB, runClient, type Sample, sample } from "./measure.ts";

const { values } = parseArgs({ options: { rounds: { type: "string" } } });
const ROUNDS = Number(values.rounds ?? 3);
const IMAGE = 100 * 1024 * 1024;
const dir = mkdtempSync(join(tmpdir(), "slipway-bench-"));
const children: ChildProcess[] = [];
type Peer = { name: string; url: string; pid: number };

async function slipway(name: string, cacheBytes: number): Promise<Peer> {
  const script = new URL("serve-image.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, String(IMAGE), String(cacheBytes)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const url = await new Promise<string>((resolve) => {
    child.stdout.on("data", (text: Buffer) => {
      const found = /ready (\S+)/.exec(text.toString())?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  return { name, url, pid: child.pid! };
}

async function nginx(): Promise<Peer[]> {
  try {
    execFileSync("sh", ["-c", "command -v nginx"], { stdio: "pipe" });
  } catch {
    return [];
  }
  writeFileSync(join(dir, "image"), pattern(IMAGE));
  execFileSync("chmod", ["-R", "a+rX", dir]);
  const conf = `daemon off; master_process off; pid ${dir}/pid; error_log stderr; events {} http { access_log off; sendfile on; server { listen 127.0.0.1:18080; root ${dir}; } }`;
  writeFileSync(join(dir, "nginx.conf"), conf);
  const child = spawn("nginx", ["-c", join(dir, "nginx.conf")], { stdio: "inherit" });
  children.push(child);
  await new Promise((resolve) => setTimeout(resolve, 500));
  return [{ name: "nginx, sendfile", url: "http://127.0.0.1:18080/image", pid: child.pid! }];
}

try {
  const peers = [
    await slipway("slipway, RAM", 512 * 1024 * 1024),
    await slipway("slipway, disk", 1024 * 1024),
    ...(await nginx()),
  ];
  for (const peer of peers) await runClient(["curl", "-sS", "-o", "/dev/null", peer.url]);
  for (const clients of [1, 8]) {
    const samples = new Map<string, Sample[]>(peers.map((peer) => [peer.name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const peer of peers) {
        // Four downloads per client on one connection.
        const command = ["curl", "-sS", ...Array.from({ length: 4 }, () => ["-o", "/dev/null", peer.url]).flat()];
        const commands = Array.from({ length: clients }, () => command);
        samples.get(peer.name)!.push(await sample(peer.pid, commands, clients * 4 * IMAGE));
      }
    }
    for (const peer of peers) printRow(`${clients} clients, 100 MiB: ${peer.name}`, samples.get(peer.name)!);
  }
  for (const peer of peers) console.log(`RSS ${peer.name}: ${rssMiB(peer.pid)} MiB`);
} finally {
  for (const child of children) child.kill("SIGTERM");
  rmSync(dir, { recursive: true, force: true });
}
