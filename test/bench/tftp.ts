// TFTP beside dnsmasq (and atftpd where it is installed), in a network namespace of its own, by curl and atftp as clients.
//   sudo node test/bench/tftp.ts [--rounds 3]
// Rounds are interleaved; medians are printed. Figures are for ratios inside one run, never for tests.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pattern } from "../boot-assets/asset-folder.ts";
import { printRow, rssMiB, type Sample, sample, startServer } from "./measure.ts";

const { values } = parseArgs({ options: { rounds: { type: "string" } } });
const ROUNDS = Number(values.rounds ?? 3);
const NAMESPACE = "tftp-bench";
const inside = (...command: string[]) => ["ip", "netns", "exec", NAMESPACE, ...command];
const dir = mkdtempSync(join(tmpdir(), "slipway-bench-"));
const BIG = 32 * 1024 * 1024;
const SMALL = 300;
for (const bytes of [BIG, SMALL]) writeFileSync(join(dir, `${bytes}.bin`), pattern(bytes), { mode: 0o644 });
execFileSync("chmod", ["755", dir]);

const script = new URL("../server/tftp/serve-files.ts", import.meta.url).pathname;
const isInstalled = (name: string) => {
  try {
    execFileSync("sh", ["-c", `command -v ${name}`], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
};
type Peer = { name: string; ip: string; command: string[]; ready: string; hasWindows: boolean };
const PEERS: Peer[] = [
  {
    name: "slipway",
    ip: "127.0.0.1",
    command: [process.execPath, script, "127.0.0.1"],
    ready: "listening",
    hasWindows: true,
  },
  {
    name: "dnsmasq",
    ip: "127.0.0.2",
    command: [
      "dnsmasq",
      "-k",
      "-C",
      "/dev/null",
      "--port=0",
      "--enable-tftp",
      `--tftp-root=${dir}`,
      "--listen-address=127.0.0.2",
      "--bind-interfaces",
      "--user=root",
      "--pid-file=",
    ],
    ready: "",
    hasWindows: false,
  },
  {
    name: "atftpd",
    ip: "127.0.0.3",
    command: ["atftpd", "--daemon", "--no-fork", "--bind-address", "127.0.0.3", dir],
    ready: "",
    hasWindows: true,
  },
].filter((peer) => peer.name === "slipway" || isInstalled(peer.name));

const curl = (ip: string, bytes: number, block: number) =>
  inside("curl", "-sS", "--tftp-blksize", String(block), "-o", "/dev/null", `tftp://${ip}/${bytes}.bin`);
const windowed = (ip: string, bytes: number) =>
  inside(
    "atftp",
    "--option",
    "blksize 1428",
    "--option",
    "windowsize 16",
    "-g",
    "-r",
    `${bytes}.bin`,
    "-l",
    "/dev/null",
    ip,
  );
type Case = { name: string; bytes: number; commands: (ip: string) => string[][]; needsWindows?: boolean };
const CASES: Case[] = [
  { name: "1 x 32 MiB, 1428", bytes: BIG, commands: (ip) => [curl(ip, BIG, 1428)] },
  { name: "8 x 32 MiB, 1428", bytes: 8 * BIG, commands: (ip) => Array.from({ length: 8 }, () => curl(ip, BIG, 1428)) },
  { name: "1 x 32 MiB, 1428, window 16", bytes: BIG, commands: (ip) => [windowed(ip, BIG)], needsWindows: true },
  {
    name: "8 x 32 MiB, 1428, window 16",
    bytes: 8 * BIG,
    commands: (ip) => Array.from({ length: 8 }, () => windowed(ip, BIG)),
    needsWindows: true,
  },
];

execFileSync("ip", ["netns", "add", NAMESPACE]);
const servers: { kill(): void }[] = [];
try {
  execFileSync("ip", ["-n", NAMESPACE, "link", "set", "lo", "up"]);
  const running = [];
  for (const peer of PEERS) {
    // `ip netns exec` becomes the server itself: the same process id.
    const child = await startServer(inside(...peer.command), peer.ready);
    servers.push({ kill: () => child.kill("SIGTERM") });
    running.push({ ...peer, pid: child.pid });
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const { name, bytes, commands, needsWindows } of CASES) {
    const peers = running.filter((peer) => peer.hasWindows || !needsWindows);
    const samples = new Map<string, Sample[]>(peers.map((peer) => [peer.name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const peer of peers) samples.get(peer.name)!.push(await sample(peer.pid, commands(peer.ip), bytes));
    }
    for (const peer of peers) printRow(`${name}: ${peer.name}`, samples.get(peer.name)!);
  }
  for (const peer of running) console.log(`RSS ${peer.name}: ${rssMiB(peer.pid)} MiB`);
} finally {
  for (const server of servers) server.kill();
  execFileSync("ip", ["netns", "del", NAMESPACE]);
  rmSync(dir, { recursive: true, force: true });
}
