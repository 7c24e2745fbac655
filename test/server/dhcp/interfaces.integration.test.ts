// The interface itself as the fault: without address, without carrier, gone, taken, forbidden; and sockets that systemd opened.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { DISCOVER, lease, OFFER, OUR_IP, openRig, type Rig, settingsFor } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.close());
const MAC = "52:54:00:00:00:01";

test("an interface without address opens nothing, says what to do, and comes up by itself", async () => {
  rig = await openRig({ address: null });
  const server = await rig.serve();
  expect(await server.event("interface-lost")).toMatchObject({ interface: "eth0", what: "has no IPv4 address" });
  await server.process.waitFor(/ip address add 192\.0\.2\.1\/24 dev eth0/);
  expect((await rig.lab.exec(rig.serverNs, ["cat", "/proc/net/udp"])).stdout).not.toContain(":0043");
  rig.lab.address(rig.serverNs, "eth0", `${OUR_IP}/24`);
  await server.event("interface-back");
  await server.mode("server");
  const client = await rig.client();
  expect((await lease(client, MAC)).serverId).toBe(OUR_IP);
});

test("a pulled cable is an alarm, the cable back is service again; so is another address", async () => {
  rig = await openRig();
  const server = await rig.serve();
  await server.mode("server");
  const client = await rig.client();
  await lease(client, MAC);
  rig.lab.setLink(rig.lan.ns, "port0", "down");
  expect(await server.event("interface-lost")).toMatchObject({ what: "has no carrier" });
  rig.lab.setLink(rig.lan.ns, "port0", "up");
  await server.event("interface-back");
  await server.process.waitFor(/"mode":"server".*"mode":"server"/s);
  expect((await lease(client, MAC)).yourIp).toBe("192.0.2.128");
  await rig.lab.exec(rig.serverNs, ["ip", "address", "del", `${OUR_IP}/24`, "dev", "eth0"]);
  rig.lab.address(rig.serverNs, "eth0", "198.51.100.1/24");
  await server.process.waitFor(/("mode":"server".*){3}/s);
  expect(await lease(client, MAC)).toMatchObject({ yourIp: "198.51.100.128", serverId: "198.51.100.1" });
});

test("an adapter that is taken out and plugged in again is served again", async () => {
  rig = await openRig();
  const server = await rig.serve();
  await server.mode("server");
  await rig.lab.exec(rig.serverNs, ["ip", "link", "del", "eth0"]);
  expect(await server.event("interface-lost")).toMatchObject({ what: "is gone from this machine" });
  rig.lab.link(rig.serverNs, "eth0", rig.lan);
  rig.lab.address(rig.serverNs, "eth0", `${OUR_IP}/24`);
  await server.event("interface-back");
  await server.process.waitFor(/"mode":"server".*"mode":"server"/s);
  expect((await lease(await rig.client(), MAC)).yourIp).toBe("192.0.2.128");
});

test("a missing interface is a fault that names those that exist", async () => {
  rig = await openRig();
  const server = await rig.serve([{ name: "eth7" }]);
  const fault = server.lines().find((line) => line.fault);
  expect(fault).toMatchObject({ fault: "NO_INTERFACE", message: expect.stringContaining(`eth0 (${OUR_IP})`) });
  expect(await server.process.ended(5000)).toBe(3);
});

test("a port in use is a fault that says who has it, even when that program would share it", async () => {
  rig = await openRig();
  const other = await rig.dnsmasq({ ns: rig.serverNs, address: OUR_IP });
  const server = await rig.serve();
  const fault = server.lines().find((line) => line.fault);
  expect(fault).toMatchObject({
    fault: "PORT_IN_USE",
    message: expect.stringMatching(new RegExp(`UDP port 67 on eth0 is held by dnsmasq \\(pid ${other.process.pid}\\)`)),
  });
});

test("while we serve, no other program gets port 67 on the interface", async () => {
  rig = await openRig();
  await rig.serve();
  const tryIt =
    "const s=require('dgram').createSocket({type:'udp4',reuseAddr:true});s.on('error',e=>{console.log(e.code);process.exit(1)});s.bind(67,()=>process.exit(0))";
  const result = await rig.lab.exec(rig.serverNs, [process.execPath, "-e", tryIt], { mayFail: true });
  expect(result).toMatchObject({ code: 1, stdout: "EADDRINUSE\n" });
});

test("without the rights it is NO_PERMISSION, and the capability has a name", async () => {
  rig = await openRig();
  await rig.lab.exec(rig.serverNs, ["chown", "65534:65534", rig.dataDir]);
  const server = await rig.serve([{}], { wrap: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] });
  const fault = server.lines().find((line) => line.fault);
  expect(fault).toMatchObject({ fault: "NO_PERMISSION", message: expect.stringContaining("CAP_NET_BIND_SERVICE") });
});

/** Does what systemd's socket units do, then becomes our server without any right: descriptors from 3 on, LISTEN_*. */
const ACTIVATE = `
import { spawn } from "node:child_process";
import { koffiProvider } from "${join(import.meta.dirname, "../../../server/dhcp/socket.ts")}";
const fds = [67, 4011, 68].map((port) => koffiProvider({ interfaceName: "eth0", port, isShared: port === 68 }));
const drop = "setpriv --reuid=65534 --regid=65534 --clear-groups";
const child = spawn("sh", ["-c", 'export LISTEN_PID=$$ LISTEN_FDS=3; exec ' + drop + ' "$@"', "sh", ...process.argv.slice(2)], {
  stdio: ["ignore", "inherit", "inherit", ...fds],
});
process.on("SIGTERM", () => child.kill());
child.on("exit", (code) => process.exit(code ?? 1));
`;

test("systemd's sockets are enough: the server runs without any right, and unicasts become broadcasts", async () => {
  rig = await openRig();
  await rig.lab.exec(rig.serverNs, ["chown", "65534:65534", rig.dataDir]);
  const script = join(rig.dataDir, "activate.ts");
  writeFileSync(script, ACTIVATE);
  const server = await rig.serve([settingsFor({ probe: true })], { wrap: [process.execPath, script] });
  await server.mode("server");
  await server.process.waitFor(/CAP_NET_RAW/);
  const client = await rig.client();
  const [offer] = await client.ask({ mac: MAC, type: DISCOVER, flags: 0 });
  expect(offer).toMatchObject({ type: OFFER, fromPort: 67, from: OUR_IP });
});

test("leases that cannot be written are not promised: one alarm, and service again when there is room", async () => {
  rig = await openRig();
  const small = join(rig.dataDir, "small");
  await rig.lab.exec(rig.serverNs, ["mkdir", small]);
  // The mount lives in the mount namespace of the server's own shell and goes with it.
  const mount = `mount -t tmpfs -o size=2M,mode=700 none ${small} && exec "$@"`;
  const wrap = ["unshare", "-m", "sh", "-c", mount, "sh"];
  const server = await rig.serve([{}], { dataDir: small, wrap });
  await server.mode("server");
  const client = await rig.client();
  await lease(client, MAC);
  const inside = (command: string) =>
    rig.lab.exec(rig.serverNs, ["nsenter", "-m", "-t", String(server.process.pid), "sh", "-c", command], {
      mayFail: true,
    });
  await inside(`dd if=/dev/zero of=${small}/ballast bs=4k 2>/dev/null`);
  const silent = [];
  for (let i = 10; i < 60 && silent.length < 3; i++) {
    const mac = `52:54:00:00:00:${i}`;
    const [offer] = await client.ask({ mac, type: DISCOVER });
    const options = { requestedIp: offer!.yourIp, serverId: OUR_IP };
    const replies = await client.ask({ mac, type: 3, options, waitMs: 500 });
    if (replies.length === 0) silent.push(mac);
  }
  expect(silent).toHaveLength(3);
  expect(server.lines().filter((line) => String(line.text).startsWith("Leases cannot be written"))).toHaveLength(1);
  await inside(`rm ${small}/ballast`);
  expect((await lease(client, silent[0]!)).type).toBe(5);
  await server.process.waitFor(/Leases can be written again/);
});
