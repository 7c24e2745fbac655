// Other people's TFTP clients against the server, on port 69, over a wire between two namespaces: curl, tftp-hpa, atftp.
// Each gets the same bytes for sizes around a block and for more than 65535 blocks.
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pattern, sha256 } from "../../boot-assets/asset-folder.ts";

const SERVER = "tfti-server";
const CLIENT = "tfti-client";
const run = promisify(execFile);
const ip = (...args: string[]) => execFileSync("ip", args, { stdio: "pipe" });
const inClient = (...command: string[]) =>
  run("ip", ["netns", "exec", CLIENT, ...command], { cwd: dir, timeout: 60_000 });
const dir = mkdtempSync(join(tmpdir(), "slipway-tftp-"));
const processes: ChildProcess[] = [];

async function serve(addresses: string, ...more: string[]): Promise<void> {
  const script = new URL("serve-files.ts", import.meta.url).pathname;
  const child = spawn("ip", ["netns", "exec", SERVER, process.execPath, script, addresses, ...more], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  processes.push(child);
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on("data", (text: Buffer) => text.includes("listening") && resolve());
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

function removeNamespaces(): void {
  for (const name of [SERVER, CLIENT]) {
    try {
      ip("netns", "del", name);
    } catch {
      // It was not there.
    }
  }
}

beforeAll(async () => {
  removeNamespaces();
  ip("netns", "add", SERVER);
  ip("netns", "add", CLIENT);
  ip("-n", SERVER, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", CLIENT);
  for (const address of ["192.0.2.1/24", "192.0.2.2/24"]) ip("-n", SERVER, "addr", "add", address, "dev", "wire");
  ip("-n", CLIENT, "addr", "add", "192.0.2.100/24", "dev", "wire");
  for (const name of [SERVER, CLIENT]) for (const link of ["lo", "wire"]) ip("-n", name, "link", "set", link, "up");
  await serve("192.0.2.1");
  await serve("192.0.2.2", "69", "single-port");
});
afterAll(() => {
  for (const child of processes) child.kill("SIGTERM");
  removeNamespaces();
  rmSync(dir, { recursive: true, force: true });
});

/** 40 MB is more than 65535 blocks of 512 bytes. */
const SIZES = [0, 1, 511, 512, 513, 1468, 100_000, 40_000_000];
/** curl takes an OACK with tsize 0 for a fault of the server (its tftp.c: "invalid tsize"). */
type Tool = { name: string; get: (host: string, file: string) => string[]; refusesEmpty?: boolean };
const TOOLS: Tool[] = [
  {
    refusesEmpty: true,
    name: "curl, 512",
    get: (host, file) => ["curl", "-sS", "-o", "got", `tftp://${host}/${file}`],
  },
  {
    refusesEmpty: true,
    name: "curl, 1428",
    get: (host, file) => ["curl", "-sS", "--tftp-blksize", "1428", "-o", "got", `tftp://${host}/${file}`],
  },
  {
    refusesEmpty: true,
    name: "curl, 8192 asked",
    get: (host, file) => ["curl", "-sS", "--tftp-blksize", "8192", "-o", "got", `tftp://${host}/${file}`],
  },
  {
    name: "curl without options",
    get: (host, file) => ["curl", "-sS", "--tftp-no-options", "-o", "got", `tftp://${host}/${file}`],
  },
  { name: "tftp-hpa", get: (host, file) => ["tftp", host, "-m", "binary", "-c", "get", file, "got"] },
  {
    name: "atftp, 1428",
    get: (host, file) => ["atftp", "--option", "blksize 1428", "-g", "-r", file, "-l", "got", host],
  },
  {
    name: "atftp, window 16",
    get: (host, file) => [
      "atftp",
      "--option",
      "blksize 1428",
      "--option",
      "windowsize 16",
      "-g",
      "-r",
      file,
      "-l",
      "got",
      host,
    ],
  },
];

for (const { where, host } of [
  { where: "own port per transfer", host: "192.0.2.1" },
  { where: "single-port", host: "192.0.2.2" },
]) {
  describe(where, () => {
    for (const { name, get, refusesEmpty } of TOOLS) {
      test(`${name} gets files of ${SIZES.join(", ")} bytes`, async () => {
        for (const bytes of SIZES) {
          if (bytes === 0 && refusesEmpty) continue;
          rmSync(join(dir, "got"), { force: true });
          await inClient(...get(host, `${bytes}.bin`));
          // curl writes no file when there is nothing in it.
          const got = bytes === 0 && name.startsWith("curl") ? Buffer.alloc(0) : readFileSync(join(dir, "got"));
          expect(sha256(got), `${name}, ${bytes} bytes`).toBe(sha256(pattern(bytes)));
        }
      });
    }
    test("a missing file is told at once", async () => {
      const began = performance.now();
      await expect(inClient("curl", "-sS", "-o", "got", `tftp://${host}/nothing`)).rejects.toMatchObject({ code: 68 });
      const { stdout } = await inClient("tftp", host, "-m", "binary", "-c", "get", "nothing", "got");
      expect(stdout).toContain("File not found");
      expect(performance.now() - began).toBeLessThan(2000);
    });
  });
}

test("nobody can write", async () => {
  const { stdout } = await inClient("tftp", "192.0.2.1", "-m", "binary", "-c", "put", "/etc/hostname", "hostname");
  expect(stdout).toContain("read-only");
});
