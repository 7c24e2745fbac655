// What keeps the appliance from starting: its settings, interfaces, ports and rights. Each case is the real program, ended by
// itself with a cause, a remedy and an exit code; none may hang with half of its ports open.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lease } from "../dhcp/rig.ts";
import { type ApplianceRig, openApplianceRig, START_MS, UNPRIVILEGED, until } from "./rig.ts";

let rig: ApplianceRig;
beforeEach(async () => {
  rig = await openApplianceRig();
});
afterEach(() => rig.close());

/** Holds ports as other programs do: `tcp 8080 192.0.2.1`. */
async function hold(...ports: [kind: "tcp" | "udp", port: number, address: string][]) {
  const script = `
    const net = require("net"), dgram = require("dgram");
    const opened = ${JSON.stringify(ports)}.map(([kind, port, host]) => new Promise((done) =>
      kind === "tcp" ? net.createServer().listen(port, host, done) : dgram.createSocket("udp4").bind(port, host, done)));
    Promise.all(opened).then(() => console.log("held"));`;
  const holder = rig.lab.spawn(rig.serverNs, [process.execPath, "-e", script]);
  await holder.waitFor(/held/);
  return holder;
}

test("every fault of the settings is told with file, line and column", async () => {
  rig.configure("http: { port: 0, prot: 1 }\nlogg: { level: info }\ninterfaces:\n  eth0: { dhcp: prxy }");
  const end = await rig.fail();
  expect(end.code).toBe(2);
  expect(end.err.replaceAll(`${rig.home}/`, "")).toBe(
    [
      "slipway: 4 faults:",
      "  slipway.yaml:3:15: http.port: must be a port from 1 to 65535, found 0",
      "  slipway.yaml:3:18: http.prot: no such setting; did you mean port?",
      "  slipway.yaml:4:1: logg: no such setting; did you mean log?",
      '  slipway.yaml:6:17: interfaces.eth0.dhcp: must be one of auto, server, proxy, off, found "prxy"',
      "  Correct the named lines of the settings file; docs/configuration.md lists every key.",
      "",
    ].join("\n"),
  );
});

test("a settings file that is not there, and a dataDir too long for its socket, are faults of the settings", async () => {
  const missing = await rig.fail({ config: join(rig.home, "no.yaml") });
  expect(missing).toMatchObject({ code: 2, err: expect.stringMatching(/no\.yaml: there is no such file; create it/) });
  writeFileSync(rig.configFile, `dataDir: ${rig.home}/${"x".repeat(100)}\n`);
  const long = await rig.fail();
  expect(long).toMatchObject({
    code: 2,
    err: expect.stringMatching(/yaml:1:\d+: dataDir: the admin socket .* path of 1\d\d bytes.* allows 107; choose/),
  });
});

test("missing interfaces are all named, beside those that exist, with what else is wrong", async () => {
  rig.configure("interfaces:\n  eth7: {}\n  eth8: {}");
  mkdirSync(join(rig.home, "id"));
  writeFileSync(rig.identity, "nothing\n");
  const end = await rig.fail();
  expect(end.code).toBe(3);
  expect(end.err).toMatch(/there is no interface eth7 here; there is eth0 \(192\.0\.2\.1\)/);
  expect(end.err).toMatch(/there is no interface eth8 here.*\n {2}Name an interface that `ip link` lists/);
  expect(end.err).toMatch(/identity\.age holds no age identity/);
});

test("without an interface it says how to name one, and its CLI works", async () => {
  rig.configure("");
  const running = await rig.start();
  expect(running.stdout()).toMatch(/No interface is served: no DHCP, TFTP or HTTP\. Name one with --interface NAME/);
  const status = await rig.cli(["status"]);
  expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining("Start the appliance with --interface") });
  expect(await running.stop()).toBe(0);
});

test("all ports in use are named at once, each with its holder and what to do", async () => {
  const holder = await hold(
    ["tcp", 8080, "192.0.2.1"],
    ["tcp", 8443, "0.0.0.0"],
    ["udp", 69, "0.0.0.0"],
    ["udp", 67, "0.0.0.0"],
    ["udp", 4011, "0.0.0.0"],
  );
  const end = await rig.fail();
  expect(end.code).toBe(3);
  const who = `is held by \\S+ \\(pid ${holder.pid}\\)`;
  for (const line of ["HTTP, TCP 192\\.0\\.2\\.1:8080", "gRPC, TCP 8443", "TFTP, UDP 192\\.0\\.2\\.1:69"])
    expect(end.err).toMatch(new RegExp(`slipway: ${line} ${who}`));
  for (const port of [67, 4011]) expect(end.err).toMatch(new RegExp(`slipway: UDP port ${port} on eth0 ${who}`));
  expect(end.err).toMatch(/choose another http\.port.*choose another grpc\.port.*set `dhcp: off` for eth0/s);
});

for (const [name, kind, port] of [
  ["HTTP", "tcp", 8080],
  ["gRPC", "tcp", 8443],
  ["TFTP", "udp", 69],
  ["DHCP", "udp", 67],
] as const) {
  test(`${name}'s port in use ends the start, and what was opened already does not keep it alive`, async () => {
    await hold([kind, port, "192.0.2.1"]);
    const end = await rig.fail();
    expect(end.code).toBe(3);
    expect(end.err.match(/^slipway: /gm)).toHaveLength(1);
    expect(end.err).toMatch(new RegExp(`${port}.* is held by`));
  });
}

test("without rights each port names what it needs; another user's dataDir is named", async () => {
  await rig.lab.exec(rig.serverNs, ["chown", "-R", "65534:65534", rig.home]);
  const end = await rig.fail({ wrap: UNPRIVILEGED });
  expect(end.code).toBe(3);
  expect(end.err).toMatch(/TFTP, UDP 192\.0\.2\.1:69: .*\n {2}Run it as root \(sudo\), or give.*CAP_NET_BIND_SERVICE/);
  expect(end.err).toMatch(/UDP port 67 on eth0 may not be opened \(bind: EACCES\); it needs CAP_NET_BIND_SERVICE/);
  await rig.lab.exec(rig.serverNs, ["chown", "-R", "0:0", rig.home]);
  await rig.lab.exec(rig.serverNs, ["chmod", "755", rig.home]);
  const foreign = await rig.fail({ wrap: UNPRIVILEGED });
  expect(foreign.code).toBe(3);
  expect(foreign.err).toMatch(/data\/secrets cannot be read: this user may not/);
  expect(foreign.err).toMatch(/data\/lock cannot be read and written by this user.*\n {2}Run it as root/);
});

test("a port that is taken while its address is away is tried again until it is free", async () => {
  const running = await rig.start();
  const ip = (...args: string[]) => rig.lab.exec(rig.serverNs, ["ip", "address", ...args, "dev", "eth0"]);
  await ip("del", "192.0.2.1/24");
  await running.waitFor(/eth0 has no IPv4 address/, START_MS);
  const holder = await hold(["tcp", 8080, "0.0.0.0"], ["udp", 67, "0.0.0.0"]);
  await ip("add", "192.0.2.1/24");
  await running.waitFor(/error HTTP, TCP 192\.0\.2\.1:8080 is held by .*; tried again every 5 s/, START_MS);
  await running.waitFor(/error eth0: UDP port 67 on eth0 is held by .*; tried again every 5 s/, START_MS);
  await holder.stop();
  await rig.lab.exec(rig.serverNs, [
    "curl",
    "-s",
    "--retry",
    "20",
    "--retry-delay",
    "1",
    "--retry-connrefused",
    "http://192.0.2.1:8080/boot.ipxe",
  ]);
  const client = await rig.client();
  const tryLease = () => lease(client, "52:54:00:00:00:01").catch(() => undefined);
  expect((await until(tryLease, (ack) => ack !== undefined))?.serverId).toBe("192.0.2.1");
  expect(await running.stop()).toBe(0);
});
