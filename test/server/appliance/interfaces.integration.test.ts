// The served interface as the fault, before and while the whole appliance runs: HTTP, TFTP, gRPC and DHCP go and come with it by
// themselves, each time as one alarm and one "usable again", and a cable that is out for a second breaks no download off.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { pattern, sha256 } from "../../boot-assets/asset-folder.ts";
import type { LabProcess } from "../../lab/namespace-process.ts";
import { lease } from "../dhcp/rig.ts";
import { type ApplianceRig, openApplianceRig, START_MS, until } from "./rig.ts";

let rig: ApplianceRig;
afterEach(() => rig.close());
const MAC = "52:54:00:00:00:01";
const inServer = (...command: string[]) => rig.lab.exec(rig.serverNs, command, { mayFail: true });

/** What answers on an address now: all four ports, or none. */
async function listening(ip = "192.0.2.1"): Promise<string> {
  const { stdout } = await inServer("ss", "-Hnltu");
  const ports = ["8080", "8443", "69"].filter((port) => stdout.includes(`${ip}:${port} `));
  return [...ports, ...(/:67 /.test(stdout) ? ["67"] : [])].join();
}
const ALL = "8080,8443,69,67";
const serves = (want: string, ip?: string) =>
  until(
    () => listening(ip),
    (ports) => ports === want,
  );
const countOf = (running: LabProcess, pattern: RegExp) => running.stdout().match(new RegExp(pattern, "g"))?.length ?? 0;

test("an interface without address at the start: said with a remedy, served as soon as it has one", async () => {
  rig = await openApplianceRig({ address: null });
  const running = await rig.start();
  expect(running.stdout()).toMatch(/eth0 has no IPv4 address, so no machine is served there\. To mend it: give it one/);
  expect(await listening()).toBe("");
  const status = await rig.cli(["status"]);
  expect(status.stdout).toMatch(/ALARM .*eth0 has no IPv4 address.*eth0: no IPv4 address/s);
  rig.lab.address(rig.serverNs, "eth0", "192.0.2.1/24");
  await running.waitFor(/eth0 is usable again \(192\.0\.2\.1\)/, START_MS);
  await serves(ALL);
  expect((await lease(await rig.client(), MAC)).serverId).toBe("192.0.2.1");
  const kinds = (await rig.events()).map((event) => event.kind);
  expect(kinds.filter((kind) => kind.startsWith("interface-"))).toEqual(["interface-lost", "interface-back"]);
  expect(await running.stop()).toBe(0);
});

test("no carrier at the start: said with a remedy, served as soon as the cable is in", async () => {
  rig = await openApplianceRig();
  rig.lab.setLink(rig.lan.ns, "port0", "down");
  await until(
    async () => (await inServer("cat", "/sys/class/net/eth0/carrier")).stdout,
    (text) => text === "0\n",
  );
  const running = await rig.start();
  expect(running.stdout()).toMatch(/eth0 has no carrier, so no machine is served there\. To mend it: check the cable/);
  rig.lab.setLink(rig.lan.ns, "port0", "up");
  await running.waitFor(/eth0 is usable again/, START_MS);
  await serves(ALL);
  expect(await running.stop()).toBe(0);
});

function writeLoader(bytes: number): number {
  const dir = join(rig.dataDir, "assets", "ipxe");
  mkdirSync(join(dir, "x86_64"), { recursive: true });
  const contents = pattern(bytes);
  writeFileSync(join(dir, "x86_64/snponly.efi"), contents);
  const files = { "x86_64/snponly.efi": { bytes, sha256: sha256(contents) } };
  writeFileSync(join(dir, "ipxe.json"), JSON.stringify({ version: "1.21.1", files }));
  return bytes;
}

test("a cable that is pulled and put back: one alarm, and a running download goes on", async () => {
  rig = await openApplianceRig();
  // Far more than the sockets' buffers hold, or a server that closes would not be noticed.
  const bytes = writeLoader(40_000_000);
  const running = await rig.start();
  const machine = rig.lab.namespace("machine");
  rig.lab.link(machine, "eth0", rig.lan);
  rig.lab.address(machine, "eth0", "192.0.2.50/24");
  const curl = rig.lab.spawn(machine, [
    ...[
      "curl",
      "-s",
      "--limit-rate",
      "4000k",
      "--max-time",
      "60",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code} %{size_download}",
    ],
    "http://192.0.2.1:8080/ipxe/x86_64/snponly.efi",
  ]);
  await until(
    async () => (await inServer("ss", "-Hnt", "state", "established")).stdout,
    (text) => text.includes("192.0.2.50"),
  );
  rig.lab.setLink(rig.lan.ns, "port0", "down");
  await running.waitFor(/eth0 has no carrier, so no machine/, START_MS);
  // Every part that looks once a second has looked by then.
  await new Promise((wake) => setTimeout(wake, 1500));
  rig.lab.setLink(rig.lan.ns, "port0", "up");
  await running.waitFor(/eth0 is usable again/, START_MS);
  expect(await curl.ended(60_000)).toBe(0);
  expect(curl.stdout()).toBe(`200 ${bytes}`);
  await serves(ALL);
  expect(countOf(running, /error eth0 has no carrier/)).toBe(1);
  expect(await running.stop()).toBe(0);
});

test("an address that goes, another that comes, and an adapter that is unplugged and back", async () => {
  rig = await openApplianceRig();
  const running = await rig.start();
  await serves(ALL);
  await inServer("ip", "address", "del", "192.0.2.1/24", "dev", "eth0");
  await running.waitFor(/eth0 has no IPv4 address/, START_MS);
  await serves("");
  rig.lab.address(rig.serverNs, "eth0", "198.51.100.1/24");
  await serves(ALL, "198.51.100.1");
  expect((await lease(await rig.client(), MAC)).yourIp).toBe("198.51.100.128");

  await inServer("ip", "link", "del", "eth0");
  await running.waitFor(/eth0 is gone from this machine.*plug the adapter in again/, START_MS);
  await serves("", "198.51.100.1");
  rig.lab.link(rig.serverNs, "eth0", rig.lan);
  rig.lab.address(rig.serverNs, "eth0", "192.0.2.1/24");
  await serves(ALL);
  const back = await rig.client();
  const tryLease = () => lease(back, MAC).catch(() => undefined);
  expect((await until(tryLease, (ack) => ack !== undefined))?.serverId).toBe("192.0.2.1");
  expect(countOf(running, /eth0 is usable again/)).toBe(2);
  expect(await running.stop()).toBe(0);
});

test("the appliance that stops while its interface comes back leaves nothing running", async () => {
  rig = await openApplianceRig({ address: null });
  const running = await rig.start();
  rig.lab.address(rig.serverNs, "eth0", "192.0.2.1/24");
  await running.waitFor(/eth0 is usable again/, START_MS);
  running.signal("SIGTERM");
  expect(await running.ended(START_MS)).toBe(0);
});
