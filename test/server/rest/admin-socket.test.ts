// The socket itself: its mode and group, who is at its other end, and what stands in its way.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import fastify from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listenAdmin, startersGroup } from "../../../server/rest/admin-socket.ts";
import { actorOfPeer, findPeer } from "../../../server/rest/peer-socket.ts";

let dir = "";
let path = "";
const opened: { close: () => unknown }[] = [];
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "slipway-sock-")));
  path = join(dir, "admin.sock");
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  rmSync(dir, { recursive: true, force: true });
});

function open() {
  const app = fastify();
  app.get("/who", (request) => ({ actor: actorOfPeer(request) }));
  opened.push(app);
  return app;
}
const ask = (): Promise<string> =>
  new Promise((resolve, reject) => {
    get({ socketPath: path, path: "/who" }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
const faultOf = async (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error) => error,
  );

test("listenAdmin opens a socket of mode 0660 in the starter's group, and takes it away at the end", async () => {
  const app = open();
  await listenAdmin(app, { path });
  const stat = statSync(path);
  expect([stat.isSocket(), stat.mode & 0o777, stat.gid]).toEqual([true, 0o660, startersGroup(process.env)]);
  await app.close();
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
});

test("listenAdmin gives the socket to the group that is named", async () => {
  const [name, , gid] = execFileSync("getent", ["group", String(userInfo().gid)], { encoding: "utf8" }).split(":");
  await listenAdmin(open(), { path, group: name });
  expect(statSync(path).gid).toBe(Number(gid));
});

test("listenAdmin names a group that does not exist", async () => {
  const fault = await faultOf(listenAdmin(open(), { path, group: "no-such-group" }));
  expect(fault).toMatchObject({
    code: "BAD_CONFIG",
    message: 'adminGroup: there is no group "no-such-group" in /etc/group',
  });
});

test("startersGroup is the group of who called sudo, but only when it is root that runs", () => {
  const own = process.getgid!();
  expect(startersGroup({})).toBe(own);
  expect(startersGroup({ SUDO_GID: "1234" })).toBe(process.getuid!() === 0 ? 1234 : own);
  expect(startersGroup({ SUDO_GID: "12; rm" })).toBe(own);
});

test("actorOfPeer is the kernel's word for who is at the other end", async () => {
  await listenAdmin(open(), { path });
  const { uid, username } = userInfo();
  expect(JSON.parse(await ask())).toEqual({ actor: `uid ${uid} (${username})` });
});

test("findPeer knows this process on a Unix socket, and nobody on TCP or on a closed socket", async () => {
  const accept = (server: Server) => new Promise<Socket>((resolve) => server.once("connection", resolve));
  const unix = createServer().listen(path);
  const tcp = createServer().listen(0, "127.0.0.1");
  opened.push(unix, tcp);
  if (!tcp.listening || tcp.address() === null) await once(tcp, "listening");
  const [a, b] = [accept(unix), accept(tcp)];
  const clients = [connect(path), connect((tcp.address() as { port: number }).port, "127.0.0.1")];
  const [onUnix, onTcp] = [await a, await b];
  expect(findPeer(onUnix)).toEqual({ pid: process.pid, uid: process.getuid!(), gid: process.getgid!() });
  expect(findPeer(onTcp)).toBeUndefined();
  onUnix.destroy();
  expect(findPeer(onUnix)).toBeUndefined();
  expect(() => actorOfPeer({ raw: { socket: onUnix } } as never)).toThrow(/does not say which user/);
  for (const client of clients) client.destroy();
  onTcp.destroy();
});

test("listenAdmin replaces the socket of a process that died", async () => {
  // A killed process cannot clean up: its socket stays.
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await faultOf(Promise.try(() => execFileSync(process.execPath, ["-e", script])));
  expect(statSync(path).isSocket()).toBe(true);
  await listenAdmin(open(), { path });
  expect(await ask()).toContain("uid");
});

test("listenAdmin refuses beside a living appliance, and leaves its socket alone", async () => {
  await listenAdmin(open(), { path });
  const fault = await faultOf(listenAdmin(open(), { path }));
  expect(fault).toMatchObject({ code: "PORT_IN_USE", message: `another Slipway answers on ${path}` });
  expect(await ask()).toContain("uid");
});

test("listenAdmin does not remove the socket of the appliance that came after it", async () => {
  const first = open();
  await listenAdmin(first, { path });
  rmSync(path);
  await listenAdmin(open(), { path });
  await first.close();
  expect(await ask()).toContain("uid");
});

test("listenAdmin leaves a file alone that is no socket", async () => {
  writeFileSync(path, "precious");
  expect(await faultOf(listenAdmin(open(), { path }))).toMatchObject({
    code: "PORT_IN_USE",
    message: `${path} exists and is no socket`,
  });
});

test("listenAdmin opens the longest path that the system allows", async () => {
  const deep = join(dir, "d".repeat(107 - dir.length - "/".length - "/admin.sock".length));
  mkdirSync(deep);
  path = join(deep, "admin.sock");
  expect(Buffer.byteLength(path)).toBe(107);
  await listenAdmin(open(), { path });
  expect(await ask()).toContain("uid");
});

test("listenAdmin names the path when its directory is not there or not ours", async () => {
  const fault = await faultOf(listenAdmin(open(), { path: join(dir, "missing", "admin.sock") }));
  expect(fault).toMatchObject({
    code: "NO_PERMISSION",
    message: expect.stringContaining(`${join(dir, "missing", "admin.sock")} cannot be made`),
  });
});
