// Which mode an interface takes, beside a real dnsmasq as the site's DHCP server: the stories of docs/dhcp-modes.md on a wire.
// Looking takes its ten seconds here as anywhere.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ACK, DISCOVER, lease, OFFER, OUR_IP, openRig, REQUEST, type Rig, UEFI } from "./rig.ts";

let rig: Rig;
beforeEach(async () => {
  rig = await openRig();
});
afterEach(() => rig.close());
const MAC = "52:54:00:00:00:01";
const ROUTER = "192.0.2.254";
const AUTO = [{ dhcp: "auto" as const, force: false }];
/** Who offers what: `server address → offered address`. */
const offersOf = (replies: { from: string; yourIp: string }[]) =>
  Object.fromEntries(replies.map((reply) => [reply.from, reply.yourIp]));

test("auto alone: silent while it looks, serves afterwards, remembers", async () => {
  const server = await rig.serve(AUTO);
  const client = await rig.client();
  expect(await client.ask({ mac: MAC, type: DISCOVER, options: UEFI })).toEqual([]);
  expect(await server.event("dhcp-ignored")).toMatchObject({ reason: expect.stringContaining("looking for other") });
  expect(await server.mode("server", 15_000)).toMatchObject({ reason: expect.stringContaining("10 s") });
  expect(await lease(client, MAC)).toMatchObject({ yourIp: "192.0.2.128", from: OUR_IP });
});

test("auto beside dnsmasq: a proxy that leases nothing, gives boot data, and remembers it without the router", async () => {
  const router = await rig.dnsmasq();
  const server = await rig.serve(AUTO);
  expect(await server.mode("proxy", 15_000)).toMatchObject({ reason: expect.stringContaining(ROUTER) });
  const client = await rig.client();
  const plain = await client.ask({ mac: MAC, type: DISCOVER, all: true });
  expect(Object.keys(offersOf(plain))).toEqual([ROUTER]);
  const booting = await client.ask({ mac: MAC, type: DISCOVER, all: true, options: UEFI });
  expect(offersOf(booting)).toMatchObject({
    [OUR_IP]: "0.0.0.0",
    [ROUTER]: expect.stringMatching(/^192\.0\.2\.[2-6]\d$/),
  });
  const ours = booting.find((reply) => reply.from === OUR_IP);
  expect(ours).toMatchObject({ bootFile: "ipxe/x86_64/snponly.efi", vendorClass: "PXEClient", nextServerIp: OUR_IP });

  // The site's power is cut; the appliance is back before the router.
  await router.process.stop();
  await server.stop();
  const again = await rig.serve(AUTO);
  expect(await again.mode("proxy", 5000)).toMatchObject({ reason: expect.stringContaining("before") });
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  expect(await client.ask({ mac: MAC, type: DISCOVER })).toEqual([]);
  const [boot] = await client.ask({ mac: MAC, type: DISCOVER, options: UEFI });
  expect(boot).toMatchObject({ yourIp: "0.0.0.0", from: OUR_IP });
  await rig.dnsmasq({ ns: router.ns });
  expect(await lease(client, MAC, { waitMs: 4000 })).toMatchObject({ serverId: ROUTER });
});

test("auto on a box that has its own address from the router: both of its DHCP clients' sockets and ours work", async () => {
  const router = await rig.dnsmasq();
  await rig.lab.exec(rig.serverNs, ["ip", "address", "flush", "dev", "eth0"]);
  const files = ["-lf", join(rig.dataDir, "dhclient.leases"), "-pf", join(rig.dataDir, "dhclient.pid")];
  const script = join(rig.dataDir, "dhclient.sh");
  const take = '[ -n "$new_ip_address" ] && ip address replace "$new_ip_address/24" dev "$interface"';
  writeFileSync(script, `#!/bin/sh\n${take}\nexit 0\n`, { mode: 0o755 });
  const host = rig.lab.spawn(rig.serverNs, ["dhclient", "-d", "-v", "-sf", script, ...files, "eth0"]);
  const [, own] = await host.waitFor(/bound to (\S+)/);
  const server = await rig.serve(AUTO);
  expect(await server.mode("proxy", 15_000)).toMatchObject({ reason: expect.stringContaining(ROUTER) });
  const client = await rig.client();
  const booting = await client.ask({ mac: MAC, type: DISCOVER, all: true, waitMs: 4000, options: UEFI });
  expect(offersOf(booting)).toMatchObject({ [own!]: "0.0.0.0", [router.address]: expect.any(String) });
});

test("proxy by a person's word leases nothing, with or without another server", async () => {
  await rig.serve([{ dhcp: "proxy", force: false }]);
  const client = await rig.client();
  expect(await client.ask({ mac: MAC, type: DISCOVER })).toEqual([]);
  const [boot] = await client.ask({ mac: MAC, type: DISCOVER, options: UEFI });
  expect(boot).toMatchObject({ type: OFFER, yourIp: "0.0.0.0", bootFile: "ipxe/x86_64/snponly.efi" });
});

test("dnsmasq appears later: no new lease, renewals go on, boot data goes on, an alarm says who", async () => {
  const server = await rig.serve(AUTO);
  const client = await rig.client();
  await server.mode("server", 15_000);
  const { yourIp } = await lease(client, MAC);
  const router = await rig.dnsmasq();
  const routerMac = (await rig.lab.exec(router.ns, ["cat", "/sys/class/net/eth0/address"])).stdout.trim();
  // Somebody boots; the router's offer to it is what we overhear.
  await client.ask({ mac: "52:54:00:00:00:02", type: DISCOVER, all: true });
  const alarm = await server.event("foreign-dhcp");
  expect(alarm).toMatchObject({
    server: ROUTER,
    mac: routerMac,
    consequence: expect.stringContaining("renewals go on"),
  });
  const next = await client.ask({ mac: "52:54:00:00:00:03", type: DISCOVER, all: true, waitMs: 4000 });
  expect(Object.keys(offersOf(next))).toEqual([ROUTER]);
  const booting = await client.ask({
    mac: "52:54:00:00:00:04",
    type: DISCOVER,
    all: true,
    waitMs: 4000,
    options: UEFI,
  });
  expect(offersOf(booting)).toMatchObject({ [OUR_IP]: "0.0.0.0" });
  const holder = await rig.client(rig.lan, 68, `${yourIp}/24`);
  const [renewed] = await holder.ask({ mac: MAC, type: REQUEST, clientIp: yourIp, to: OUR_IP });
  expect(renewed).toMatchObject({ type: ACK, yourIp, from: OUR_IP });
});

test("a client's REQUEST that names another server is enough to stop", async () => {
  const server = await rig.serve([{ force: false }]);
  await server.mode("server", 15_000);
  const client = await rig.client();
  const options = { requestedIp: "192.0.2.77", serverId: ROUTER };
  await client.ask({ mac: MAC, type: REQUEST, options, waitMs: 200 });
  expect(await server.event("foreign-dhcp")).toMatchObject({ server: ROUTER });
  expect(await client.ask({ mac: MAC, type: DISCOVER })).toEqual([]);
});

test("server beside dnsmasq opens nothing and says so; force goes on and says so", async () => {
  await rig.dnsmasq();
  const held = await rig.serve([{ force: false }]);
  expect(await held.event("foreign-dhcp")).toMatchObject({
    server: ROUTER,
    consequence: expect.stringContaining("force"),
  });
  const client = await rig.client();
  expect(Object.keys(offersOf(await client.ask({ mac: MAC, type: DISCOVER, all: true, waitMs: 4000 })))).toEqual([
    ROUTER,
  ]);
  await held.stop();
  const forced = await rig.serve([{ force: true }]);
  const both = await client.ask({ mac: MAC, type: DISCOVER, all: true, waitMs: 4000 });
  expect(offersOf(both)).toMatchObject({ [OUR_IP]: "192.0.2.128", [ROUTER]: expect.any(String) });
  expect(await forced.event("foreign-dhcp")).toMatchObject({ consequence: expect.stringContaining("force: true") });
});

test("while it looks, the leases of before the restart are renewed", async () => {
  const first = await rig.serve();
  const client = await rig.client();
  const { yourIp } = await lease(client, MAC);
  await first.stop();
  await rig.serve(AUTO);
  const [ack] = await client.ask({ mac: MAC, type: REQUEST, options: { requestedIp: yourIp } });
  expect(ack).toMatchObject({ type: ACK, yourIp });
  expect(await client.ask({ mac: "52:54:00:00:00:02", type: DISCOVER, waitMs: 500 })).toEqual([]);
});
