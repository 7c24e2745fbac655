// systemd-networkd with the image's own .network file, in a namespace: a lease that runs out without a server takes no address
// away, and what networkd does not know (the endpoint, the last address) stays when it starts anew.
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseLease } from "../../../node-agent/node/lease.ts";
import { until } from "../machine.ts";
import { type Cable, layCable, ROOT } from "./space.ts";

const LEASE_SECONDS = 12;
const NETWORKD = "/lib/systemd/systemd-networkd";
const IMAGE_FILE = join(ROOT, "boot-assets/image/rootfs/usr/lib/systemd/network/80-slipway.network");
let cable: Cable;
let dir: string;
let networkd: ReturnType<typeof spawn>;
let kea: ReturnType<typeof spawn>;
let said = "";

const addresses = () => cable.node("ip", "-o", "-4", "address", "show", "dev", "eth0");

function startNetworkd(): void {
  // A /run of its own; /sys read-only tells networkd that no udev will speak of its links, as in a container.
  const script = `mount --bind "$1" /run && mount -o remount,ro /sys && exec ${NETWORKD}`;
  networkd = spawn(
    "ip",
    ["netns", "exec", cable.spaces.node, "unshare", "-m", "sh", "-c", script, "sh", join(dir, "run")],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  networkd.stderr!.on("data", (bytes) => {
    said += bytes;
  });
}

function startKea(): void {
  const config = {
    Dhcp4: {
      "interfaces-config": { interfaces: ["eth0"] },
      "lease-database": { type: "memfile", persist: false },
      ...{ "valid-lifetime": LEASE_SECONDS, "renew-timer": 4, "rebind-timer": 8 },
      subnet4: [
        {
          ...{ id: 1, subnet: "192.0.2.0/24", pools: [{ pool: "192.0.2.100 - 192.0.2.110" }] },
          "option-data": [
            { name: "routers", data: "192.0.2.1" },
            { name: "domain-name-servers", data: "192.0.2.53" },
          ],
        },
      ],
    },
  };
  const file = join(dir, "kea.json");
  writeFileSync(file, JSON.stringify(config));
  const env = { ...process.env, KEA_PIDFILE_DIR: dir, KEA_LOCKFILE_DIR: dir };
  kea = spawn("ip", ["netns", "exec", cable.spaces.other, "kea-dhcp4", "-c", file], { stdio: "ignore", env });
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "slipway-networkd-"));
  cable = layCable("swnd");
  cable.other("ip", "address", "add", "192.0.2.1/24", "dev", "eth0");
  for (const path of [
    "run/systemd/network",
    "run/systemd/netif/leases",
    "run/systemd/netif/links",
    "run/systemd/netif/lldp",
  ])
    mkdirSync(join(dir, path), { recursive: true });
  execFileSync("chown", ["-R", "systemd-network", join(dir, "run/systemd/netif")]);
  execFileSync("chmod", ["0755", dir]);
  const file = join(dir, "run/systemd/network/80-slipway.network");
  copyFileSync(IMAGE_FILE, file);
  // A cable's end is no hardware: only the match is another.
  writeFileSync(file, readFileSync(file, "utf8").replace("Type=ether\nKind=!*", "Name=eth0"));
  startKea();
  startNetworkd();
  await until(
    "an address",
    () => addresses().includes("192.0.2.100/24"),
    () => said + addresses(),
  );
});
afterAll(() => {
  networkd?.kill("SIGKILL");
  kea?.kill("SIGKILL");
  cable?.close();
  if (dir !== undefined) rmSync(dir, { recursive: true });
});

test("its note of the lease is read", () => {
  const leases = join(dir, "run/systemd/netif/leases");
  const lease = parseLease(readFileSync(join(leases, readdirSync(leases)[0]!), "utf8"));
  expect(lease).toMatchObject({
    ...{ address: "192.0.2.100", bits: 24, server: "192.0.2.1", dns: ["192.0.2.53"], lifetimeSeconds: LEASE_SECONDS },
    routes: [{ destination: "0.0.0.0", bits: 0, gateway: "192.0.2.1" }],
  });
});

test("a lease that runs out takes no address and no route away", async () => {
  kea.kill("SIGKILL");
  await sleep((LEASE_SECONDS + 4) * 1000);
  expect(addresses()).toContain("192.0.2.100/24");
  expect(cable.node("ip", "route")).toContain("default via 192.0.2.1");
});

test("what networkd does not know stays when it starts anew", async () => {
  cable.node("ip", "address", "add", "192.0.2.5/32", "dev", "eth0", "valid_lft", "60", "preferred_lft", "0");
  networkd.kill("SIGKILL");
  await sleep(500);
  said = "";
  startNetworkd();
  await sleep(6000);
  expect(addresses()).toContain("192.0.2.5/32");
  expect(addresses()).toContain("192.0.2.100/24");
});

test("a server that is back renews the lease", async () => {
  startKea();
  const leases = join(dir, "run/systemd/netif/leases");
  await until(
    "the note",
    () => readdirSync(leases).length > 0,
    () => said,
  );
  expect(addresses()).toMatch(/192\.0\.2\.100\/24/);
});
