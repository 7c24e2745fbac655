// The DHCP server alone on its wire, against real clients (udhcpc, dhclient) and a real relay (dhcrelay), and against a client
// that says exactly what a row of pxe.md asks for.
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  ACK,
  DECLINE,
  DISCOVER,
  INFORM,
  lease,
  NAK,
  OFFER,
  OUR_IP,
  openRig,
  RELEASE,
  REQUEST,
  type Rig,
  UEFI,
} from "./rig.ts";

let rig: Rig;
beforeEach(async () => {
  rig = await openRig();
});
afterEach(() => rig.close());
const MAC = "52:54:00:00:00:01";

/** A script for udhcpc that takes the address, so that renewals go out by unicast. */
function udhcpcScript(): string {
  const path = join(rig.dataDir, "udhcpc.sh");
  const lines = [
    "#!/bin/sh",
    'echo "$1 $ip $serverid"',
    '[ "$1" = bound ] && ip address replace "$ip/$mask" dev "$interface"',
    "exit 0",
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  chmodSync(path, 0o755);
  return path;
}

test("udhcpc gets an address and renews it by unicast", async () => {
  const server = await rig.serve();
  const ns = rig.lab.namespace("udhcpc");
  rig.lab.link(ns, "eth0", rig.lan);
  const client = rig.lab.spawn(ns, ["udhcpc", "-i", "eth0", "-f", "-t", "5", "-s", udhcpcScript()]);
  const [, address] = await client.waitFor(/^bound (\S+) 192\.0\.2\.1$/m);
  expect(address).toBe("192.0.2.128");
  client.signal("SIGUSR1");
  await client.waitFor(/^renew 192\.0\.2\.128/m);
  expect(await server.event("dhcp-renewed")).toMatchObject({ address });
});

test("dhclient gets an address (it clears the broadcast flag: unicast by the neighbour table)", async () => {
  await rig.serve();
  const ns = rig.lab.namespace("dhclient");
  rig.lab.link(ns, "eth0", rig.lan);
  const files = ["-lf", join(rig.dataDir, "dhclient.leases"), "-pf", join(rig.dataDir, "dhclient.pid")];
  const client = rig.lab.spawn(ns, ["dhclient", "-d", "-1", "-v", "-sf", "/bin/true", ...files, "eth0"]);
  await client.waitFor(/DHCPACK of 192\.0\.2\.128 from 192\.0\.2\.1/);
  await client.waitFor(/bound to 192\.0\.2\.128/);
});

test("a reply to a client without broadcast flag leaves as unicast to its MAC", async () => {
  await rig.serve();
  const client = await rig.client();
  const ownMac = (await rig.lab.exec(client.ns, ["cat", "/sys/class/net/eth0/address"])).stdout.trim();
  const dump = rig.lab.spawn(client.ns, ["tcpdump", "-lnei", "eth0", "udp", "src", "port", "67"]);
  await dump.waitFor(/listening on/);
  await client.ask({ mac: ownMac, type: DISCOVER, flags: 0, waitMs: 300 });
  await dump.waitFor(new RegExp(`> ${ownMac}, .*192\\.0\\.2\\.1\\.67 > 192\\.0\\.2\\.128\\.68`));
  await client.ask({ mac: ownMac, type: DISCOVER, waitMs: 300 });
  await dump.waitFor(/> ff:ff:ff:ff:ff:ff, .*192\.0\.2\.1\.67 > 255\.255\.255\.255\.68/);
});

test("RENEWING is told from REBINDING: only the unicast gets a NAK without authority", async () => {
  await rig.serve([{ authoritative: false }]);
  const holder = await rig.client();
  await lease(holder, MAC);
  const other = await rig.client(rig.lan, 68, "192.0.2.128/24");
  const ask = (to: string) => other.ask({ mac: "52:54:00:00:00:77", type: DISCOVER, to, waitMs: 300 });
  await ask("255.255.255.255");
  // It has an offer of .129, and now claims .128, which belongs to MAC.
  const claim = { mac: "52:54:00:00:00:77", type: REQUEST, clientIp: "192.0.2.128", waitMs: 500 };
  expect(await other.ask({ ...claim, to: "255.255.255.255" })).toEqual([]);
  const [nak] = await other.ask({ ...claim, to: OUR_IP });
  expect(nak).toMatchObject({ type: NAK, message: expect.stringContaining("leased to another") });
});

test("leases and their ends survive a restart of the server", async () => {
  const first = await rig.serve();
  const client = await rig.client();
  const { yourIp } = await lease(client, MAC);
  await lease(client, "52:54:00:00:00:02");
  expect(await first.stop()).toBe(0);
  await rig.serve();
  expect((await lease(client, "52:54:00:00:00:03")).yourIp).toBe("192.0.2.130");
  const [again] = await client.ask({ mac: MAC, type: REQUEST, options: { requestedIp: yourIp } });
  expect(again).toMatchObject({ type: ACK, yourIp });
});

test("a released address is kept for its machine, a declined one is nobody's", async () => {
  const server = await rig.serve();
  const client = await rig.client();
  const { yourIp } = await lease(client, MAC);
  const serverId = OUR_IP;
  await client.ask({ mac: MAC, type: DECLINE, options: { requestedIp: yourIp, serverId }, waitMs: 200 });
  await server.event("dhcp-declined");
  const [offer] = await client.ask({ mac: MAC, type: DISCOVER });
  expect(offer).toMatchObject({ type: OFFER, yourIp: "192.0.2.129" });
  const [ack] = await client.ask({ mac: MAC, type: REQUEST, options: { requestedIp: "192.0.2.129", serverId } });
  expect(ack?.type).toBe(ACK);
  const settled = await rig.client(rig.lan, 68, "192.0.2.129/24");
  await settled.ask({
    mac: MAC,
    type: RELEASE,
    clientIp: "192.0.2.129",
    options: { serverId },
    to: OUR_IP,
    waitMs: 200,
  });
  await server.event("dhcp-released");
  expect((await client.ask({ mac: MAC, type: DISCOVER }))[0]?.yourIp).toBe("192.0.2.129");
});

test("INFORM is answered to the client's address", async () => {
  await rig.serve([{ dns: ["192.0.2.53"] }]);
  const client = await rig.client(rig.lan, 68, "192.0.2.9/24");
  const [ack] = await client.ask({ mac: MAC, type: INFORM, clientIp: "192.0.2.9" });
  expect(ack).toMatchObject({ type: ACK, yourIp: "0.0.0.0" });
  expect(ack?.leaseSeconds).toBeUndefined();
});

test("port 4011 answers from 4011, as EDK2 (from 4011) and iPXE (from 68) ask it", async () => {
  await rig.serve();
  for (const port of [4011, 68]) {
    const client = await rig.client(rig.lan, port, `192.0.2.${port === 68 ? 9 : 8}/24`);
    const clientIp = port === 68 ? "192.0.2.9" : "192.0.2.8";
    const [ack] = await client.ask({
      mac: MAC,
      type: REQUEST,
      clientIp,
      to: OUR_IP,
      port: 4011,
      xid: 0,
      options: UEFI,
    });
    expect(ack).toMatchObject({ type: ACK, from: OUR_IP, fromPort: 4011, bootFile: "ipxe/x86_64/snponly.efi" });
  }
});

test("EDK2's GUID in the place of the MAC is answered on 4011: the address tells whose it is", async () => {
  await rig.serve();
  await lease(await rig.client(), MAC, { options: UEFI });
  const client = await rig.client(rig.lan, 4011, "192.0.2.128/24");
  const guid = { mac: MAC, hardwareHex: "00112233445566778899aabbccddeeff" };
  const ask = { type: REQUEST, clientIp: "192.0.2.128", to: OUR_IP, port: 4011, options: UEFI };
  expect((await client.ask({ ...guid, ...ask }))[0]).toMatchObject({ type: ACK, bootFile: "ipxe/x86_64/snponly.efi" });
});

test("two interfaces do not leak: each wire has its own pool and server address", async () => {
  const second = rig.lab.bridge("lan2");
  rig.lab.link(rig.serverNs, "eth1", second);
  rig.lab.address(rig.serverNs, "eth1", "198.51.100.1/24");
  await rig.serve([{}, { name: "eth1" }]);
  const [here, there] = [await rig.client(), await rig.client(second)];
  const [a, b] = await Promise.all([
    here.ask({ mac: MAC, type: DISCOVER, all: true }),
    there.ask({ mac: "52:54:00:00:00:02", type: DISCOVER, all: true }),
  ]);
  expect(a.map((reply) => [reply.from, reply.yourIp, reply.serverId])).toEqual([[OUR_IP, "192.0.2.128", OUR_IP]]);
  const there1 = "198.51.100.1";
  expect(b.map((reply) => [reply.from, reply.yourIp, reply.serverId])).toEqual([[there1, "198.51.100.128", there1]]);
  // The same machine on the other wire is answered there, and its address here refused.
  const [nak] = await there.ask({ mac: MAC, type: REQUEST, options: { requestedIp: "192.0.2.128" } });
  expect(nak?.type).toBe(NAK);
});

test("dhcrelay brings a far wire's clients: their subnet's pool, an answer through the relay", async () => {
  const subnets = [{ subnet: "10.30.1.0/24", gateway: "10.30.1.1", isRelayed: true, exclude: ["10.30.1.128"] }];
  await rig.serve([{ subnets }]);
  const far = rig.lab.bridge("far");
  const relay = rig.lab.namespace("relay");
  rig.lab.link(relay, "near0", rig.lan);
  rig.lab.link(relay, "far0", far);
  rig.lab.address(relay, "near0", "192.0.2.2/24");
  rig.lab.address(relay, "far0", "10.30.1.1/24");
  await rig.lab.exec(rig.serverNs, ["ip", "route", "add", "10.30.1.0/24", "via", "192.0.2.2"]);
  await rig.lab.exec(relay, ["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
  const files = ["-pf", join(rig.dataDir, "dhcrelay.pid")];
  const running = rig.lab.spawn(relay, ["dhcrelay", "-4", "-d", "-a", ...files, "-id", "far0", "-iu", "near0", OUR_IP]);
  await running.waitFor(/Sending on/);
  const client = await rig.client(far);
  const ack = await lease(client, MAC, { waitMs: 4000 });
  expect(ack).toMatchObject({ yourIp: "10.30.1.129", serverId: OUR_IP });
  // And it renews past the relay, by unicast.
  await rig.lab.exec(client.ns, ["ip", "address", "add", "10.30.1.129/24", "dev", "eth0"]);
  await rig.lab.exec(client.ns, ["ip", "route", "add", "default", "via", "10.30.1.1"]);
  const [renewed] = await client.ask({ mac: MAC, type: REQUEST, clientIp: "10.30.1.129", to: OUR_IP });
  expect(renewed).toMatchObject({ type: ACK, yourIp: "10.30.1.129" });
});

test("an address that answers ARP is skipped, set aside and told; a known machine is not asked for again", async () => {
  const server = await rig.serve([{ probe: true }]);
  await rig.client(rig.lan, 68, "192.0.2.128/24");
  const client = await rig.client();
  const started = performance.now();
  const [offer] = await client.ask({ mac: MAC, type: DISCOVER });
  expect(offer).toMatchObject({ type: OFFER, yourIp: "192.0.2.129" });
  expect(performance.now() - started).toBeLessThan(2 * 500 + 1000);
  expect(await server.event("dhcp-address-in-use")).toMatchObject({ address: "192.0.2.128", mac: expect.any(String) });
  await lease(client, MAC);
  const dump = rig.lab.spawn(rig.serverNs, ["tcpdump", "-lni", "eth0", "arp"]);
  await dump.waitFor(/listening on/);
  await lease(client, MAC);
  expect(dump.stdout()).not.toMatch(/who-has 192\.0\.2\.129/);
});

test("a client's own answer to ARP does not keep its address from it", async () => {
  await rig.serve([{ probe: true }]);
  const ns = rig.lab.namespace("old");
  rig.lab.link(ns, "eth0", rig.lan);
  rig.lab.address(ns, "eth0", "192.0.2.128/24");
  const mac = (await rig.lab.exec(ns, ["cat", "/sys/class/net/eth0/address"])).stdout.trim();
  const client = await rig.startClient(ns);
  expect((await client.ask({ mac, type: DISCOVER }))[0]?.yourIp).toBe("192.0.2.128");
});

test("garbage costs a counter and one log line; a flood of one MAC is cut at 20 a second", async () => {
  const server = await rig.serve();
  const client = await rig.client(rig.lan, 68, "192.0.2.9/24");
  const blast =
    "const s=require('dgram').createSocket('udp4');s.bind(()=>{for(let i=0;i<50;i++)s.send(Buffer.from('x'.repeat(i)),67,'192.0.2.1');setTimeout(()=>s.close(),300)})";
  await rig.lab.exec(client.ns, [process.execPath, "-e", blast]);
  const asks = Array.from({ length: 60 }, () => client.ask({ mac: MAC, type: DISCOVER, waitMs: 1 }));
  await Promise.all(asks);
  expect((await client.ask({ mac: "52:54:00:00:00:02", type: DISCOVER }))[0]?.type).toBe(OFFER);
  server.process.signal("SIGUSR2");
  const [, text] = await server.process.waitFor(/"status":.*"counters":(\{[^}]*\})/);
  const counters = JSON.parse(text!) as Record<string, number>;
  expect(counters.malformed).toBe(50);
  expect(counters.limited).toBeGreaterThanOrEqual(10);
  expect(server.lines().filter((line) => String(line.text).includes("was dropped"))).toHaveLength(1);
});
