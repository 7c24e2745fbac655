// ./slipway as a program: the launcher, exit codes, closed pipes, Ctrl-C, a socket that is not ours.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listenAdmin } from "../../../server/rest/admin-socket.ts";
import { NOW, openRig, type Rig } from "../rest/open-rig.ts";

const SLIPWAY = resolve(import.meta.dirname, "../../../slipway");
const A = "52:54:00:00:00:0a";

let dir = "";
let rig: Rig | undefined;
const children: ChildProcess[] = [];
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "slipway-cli-")));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rig?.close();
  rig = undefined;
  rmSync(dir, { recursive: true, force: true });
});

async function openAppliance(): Promise<string> {
  rig = await openRig();
  const socket = join(rig.dir, "admin.sock");
  await listenAdmin(rig.app, { path: socket });
  return socket;
}
type End = { code: number | string; out: string; err: string };
/** Without SLIPWAY_SOCKET from outside: the test says what is set. */
const env = (over: NodeJS.ProcessEnv = {}) => ({ PATH: process.env.PATH, HOME: dir, ...over });
const exec = (program: string, args: string[], over?: NodeJS.ProcessEnv, cwd = dir): Promise<End> =>
  new Promise((done) => {
    execFile(program, args, { env: env(over), cwd }, (error, out, err) => done({ code: error?.code ?? 0, out, err }));
  });

test("slipway finds the appliance by --socket, then SLIPWAY_SOCKET, then ./slipway.yaml", async () => {
  const socket = await openAppliance();
  writeFileSync(join(dir, "slipway.yaml"), `dataDir: ${rig!.dir}\n`);
  const elsewhere = { SLIPWAY_SOCKET: join(dir, "no.sock") };
  const ends = await Promise.all([
    exec(SLIPWAY, ["machines", "-o", "json", "--socket", socket], elsewhere),
    exec(SLIPWAY, ["machines", "-o", "json"], { SLIPWAY_SOCKET: socket }),
    exec(SLIPWAY, ["machines", "-o", "json"]),
    exec(SLIPWAY, ["machines", "-o", "json", "--config", "slipway.yaml"], {}, dir),
    exec(SLIPWAY, ["machines", "-o", "json"], elsewhere),
  ]);
  expect(ends.map((e) => e.code)).toEqual([0, 0, 0, 0, 3]);
  expect(ends[4]!.err).toBe(
    `slipway: no appliance listens on ${elsewhere.SLIPWAY_SOCKET}\n  Start the appliance (\`npm start\`), or name its socket with --socket or SLIPWAY_SOCKET.\n`,
  );
});

test("slipway runs through links from anywhere", async () => {
  symlinkSync(SLIPWAY, join(dir, "one"));
  symlinkSync("one", join(dir, "two"));
  expect((await exec(join(dir, "two"), ["--version"], {}, "/")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("slipway says that npm ci was not run", async () => {
  copyFileSync(SLIPWAY, join(dir, "slipway"));
  chmodSync(join(dir, "slipway"), 0o755);
  expect(await exec(join(dir, "slipway"), ["machines"])).toEqual({
    code: 3,
    out: "",
    err: `slipway: the packages that it needs are not installed in ${dir}\n  Run \`npm ci\` there, or \`npm start\`, which does it too.\n`,
  });
});

test("slipway names every fault of a settings file, also before it serves", async () => {
  writeFileSync(join(dir, "slipway.yaml"), "http: { port: 0 }\ninterfaces: { eth1: { dhcp: prxy } }\n");
  const err = [
    "slipway.yaml:1:15: http.port: must be a port from 1 to 65535, found 0",
    'slipway.yaml:2:29: interfaces.eth1.dhcp: must be one of auto, server, proxy, off, found "prxy"',
  ];
  for (const args of [["machines"], ["serve"], ["serve", "--config", "slipway.yaml"]]) {
    const end = await exec(SLIPWAY, args);
    expect(end.code).toBe(2);
    for (const line of err) expect(end.err).toContain(line);
  }
});

test("slipway names a socket path that no system allows", async () => {
  const end = await exec(SLIPWAY, ["machines", "--socket", `/${"x".repeat(107)}`]);
  expect(end).toMatchObject({
    code: 2,
    err: expect.stringContaining("a path of 108 bytes, and the system allows 107"),
  });
});

test("slipway says which group may use a socket that is not for this user", async () => {
  const socket = await openAppliance();
  chmodSync(socket, 0);
  // Root passes every mode; without these capabilities it is judged like anybody.
  const isRoot = process.getuid!() === 0;
  const [program, args] = isRoot
    ? ["setpriv", ["--bounding-set=-dac_override,-dac_read_search", SLIPWAY]]
    : [SLIPWAY, []];
  const end = await exec(program as string, [...(args as string[]), "machines", "--socket", socket]);
  expect(end.code).toBe(5);
  expect(end.err).toMatch(
    /this user may not use \S+\/admin\.sock: it is for the group \S+\n {2}(Join the group: `sudo usermod -aG|Use sudo)/,
  );
});

test("slipway ends quietly when its reader has seen enough", async () => {
  const socket = await openAppliance();
  await rig!.inventory.recordEvents(
    Array.from({ length: 5000 }, (_, n) => ({
      kind: "agent-progress",
      at: NOW + n,
      mac: A,
      detail: { step: "x".repeat(50) },
    })),
  );
  const shell = '{ "$0" events --limit 5000; echo "ended with $?" >&2; } | head -n 1';
  const end = await exec("sh", ["-c", shell, SLIPWAY], { SLIPWAY_SOCKET: socket });
  expect(end.err).toBe("ended with 0\n");
});

test("events --follow goes on through a restart of the appliance, and Ctrl-C ends it without a word", async () => {
  const socket = await openAppliance();
  const record = (n: number) =>
    rig!.inventory.recordEvents([{ kind: "agent-progress", at: NOW + n, mac: A, detail: { step: `step ${n}` } }]);
  await record(1);
  const child = spawn(SLIPWAY, ["events", A, "--follow"], {
    env: env({ SLIPWAY_SOCKET: socket }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (err += chunk));
  const shown = (word: string) => expect.poll(() => out, { timeout: 15_000 }).toContain(word);
  await shown("step 1");
  await record(2);
  await shown("step 2");

  await rig!.app.close();
  await expect.poll(() => err, { timeout: 15_000 }).toContain("The appliance is gone; waiting for it to come back");
  await record(3);
  const { buildAdminApp } = await import("../../../server/rest/app.ts");
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const next = await buildAdminApp({
    inventory: rig!.inventory,
    log,
    now: () => NOW,
    version: "0.1.0",
    status: () => Promise.reject(),
    actorOf: () => "x",
  });
  await listenAdmin(next, { path: socket });
  await shown("step 3");
  await record(4);
  await shown("step 4");
  expect(out.match(/step \d/g)).toEqual(["step 1", "step 2", "step 3", "step 4"]);

  child.kill("SIGINT");
  const [code, signal] = await once(child, "exit");
  expect([code, signal]).toEqual([null, "SIGINT"]);
  expect(err.trim().split("\n")).toHaveLength(1);
  await next.close();
});

test("serve makes its files for itself alone, whatever the umask is: the admin socket is never open to others", async () => {
  writeFileSync(join(dir, "slipway.yaml"), `dataDir: ${dir}/data\nidentity: ${dir}/identity.age\n`);
  const child = spawn("sh", ["-c", `umask 000; exec ${SLIPWAY} serve`], { env: env(), cwd: dir, stdio: "ignore" });
  children.push(child);
  const socket = join(dir, "data/admin.sock");
  await expect.poll(() => existsSync(socket), { timeout: 15_000 }).toBe(true);
  expect(readFileSync(`/proc/${child.pid}/status`, "utf8")).toMatch(/^Umask:\t0077$/m);
  expect((statSync(socket).mode & 0o777).toString(8)).toBe("660");
  child.kill("SIGTERM");
  await once(child, "exit");
});
