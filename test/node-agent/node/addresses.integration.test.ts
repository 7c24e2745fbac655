// A node whose DHCP server is gone, on a real cable: the last address is probed and used, given up for a server that answers
// again, and left alone while another machine has it. networkd's notes are files of the test; networkd.integration.test.ts has
// the real one.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openNodeStore } from "../../../node-agent/node/open-state.ts";
import { until } from "../machine.ts";
import { type Cable, layCable, PRELUDE, ROOT } from "./space.ts";

let cable: Cable;
let root: string;
let said = "";
let stop = () => {};
const note = (address: string) =>
  `ADDRESS=${address}\nNETMASK=255.255.255.0\nROUTER=192.0.2.1\nSERVER_ADDRESS=192.0.2.1\nLIFETIME=60\nDNS=192.0.2.1\n`;
const addresses = () => cable.node("ip", "-o", "-4", "address", "show", "dev", "eth0");
const routes = () => cable.node("ip", "route");
const leaseFile = () => join(root, "run/systemd/netif/leases", cable.node("cat", "/sys/class/net/eth0/ifindex").trim());

beforeEach(() => {
  cable = layCable("swad");
  root = mkdtempSync(join(tmpdir(), "slipway-addresses-"));
  mkdirSync(join(root, "run/systemd/netif/leases"), { recursive: true });
  writeFileSync(join(root, "run/systemd/container"), "a cable's end is the card\n");
  symlinkSync("/sys", join(root, "sys"));
  said = "";
});
afterEach(() => {
  stop();
  cable.close();
  rmSync(root, { recursive: true });
});

const KEEP = `${PRELUDE}
import { keepAddresses } from "${ROOT}/node-agent/node/run-addresses.ts";
import { openNodeStore } from "${ROOT}/node-agent/node/open-state.ts";
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
const root = process.env.NODE_ROOT;
const keeper = keepAddresses({
  machine: { root }, store: openNodeStore(root + "/state", console.log), libc, log, wait,
  // The ten seconds without a server have gone by.
  uptimeMs: () => performance.now() + 10_000 * (performance.now() > 1500 ? 1 : 0), isOther: () => false,
  changed: () => {},
}, stop.signal);
setInterval(() => console.log("dns " + keeper.leases().flatMap((lease) => lease.dns) + " " + keeper.obstacle()), 500).unref();
await keeper.ended;
`;

/** The node's part that keeps addresses. */
function keep(): void {
  const child = cable.start("node", KEEP, { env: { ...process.env, NODE_ROOT: root } });
  child.stdout!.on("data", (bytes) => {
    said += bytes;
  });
  stop = () => void child.kill("SIGKILL");
}
const tells = (text: string) =>
  until(
    `"${text}"`,
    () => said.includes(text),
    () => said,
  );

/** A node that had this address when it last ran. */
function remember(address: string): void {
  const lease = {
    ...{ address, bits: 24, server: "192.0.2.1", lifetimeSeconds: 60, dns: ["192.0.2.53"], domains: [] },
    routes: [{ destination: "0.0.0.0", bits: 0, gateway: "192.0.2.1" }],
  };
  openNodeStore(join(root, "state"), () => {}).saveLeases({ [cable.macs.node]: lease });
}

test("the last address is used with its routes and resolvers when no server answers, and stays when the agent ends", async () => {
  remember("192.0.2.7");
  keep();
  await tells("its last address 192.0.2.7/24 is used");
  expect(addresses()).toMatch(/192\.0\.2\.7\/24 .*valid_lft forever/);
  expect(routes()).toContain("default via 192.0.2.1 dev eth0 proto static metric 2048");
  await tells("dns 192.0.2.53");
  stop();
  expect(addresses()).toContain("192.0.2.7/24");
});

test("a server that answers again with the same address takes the routes over and leaves the address", async () => {
  remember("192.0.2.7");
  keep();
  await tells("is used");
  writeFileSync(leaseFile(), note("192.0.2.7"));
  await tells("A DHCP server answers again on eth0.");
  expect(addresses()).toContain("192.0.2.7/24");
  expect(routes()).not.toContain("metric 2048");
  await until(
    "the lease on STATE",
    () => openNodeStore(join(root, "state"), () => {}).readLeases()[cable.macs.node]?.dns[0] === "192.0.2.1",
  );
});

test("a server that answers again with another address ends the last one", async () => {
  remember("192.0.2.7");
  keep();
  await tells("is used");
  writeFileSync(leaseFile(), note("192.0.2.9"));
  await tells("A DHCP server answers again on eth0.");
  expect(addresses()).not.toContain("192.0.2.7");
});

test("an address that another machine has is not used, and said so", async () => {
  cable.other("ip", "address", "add", "192.0.2.7/24", "dev", "eth0");
  remember("192.0.2.7");
  keep();
  await tells(`192.0.2.7, the last address of eth0, is used by ${cable.macs.other}`);
  await tells(`192.0.2.7 of eth0 is used by ${cable.macs.other}`);
  expect(addresses()).not.toContain("192.0.2.7");
});

test("a lease is kept on STATE as it comes", async () => {
  writeFileSync(leaseFile(), note("192.0.2.30"));
  keep();
  await until(
    "the lease",
    () => openNodeStore(join(root, "state"), () => {}).readLeases()[cable.macs.node]?.address === "192.0.2.30",
  );
  expect(addresses()).toBe("");
});
