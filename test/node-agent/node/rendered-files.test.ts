// Small files of a node: resolvers, hosts, kernel settings, NTP servers; and what lies on STATE as text.
import { expect, test } from "vitest";
import { renderHosts, renderResolvConf } from "../../../node-agent/node/etc-files.ts";
import { parseLease } from "../../../node-agent/node/lease.ts";
import {
  formatInstall,
  formatLeases,
  formatPeers,
  formatSchema,
  formatTime,
  parseInstall,
  parseLeases,
  parsePeers,
  parseSchema,
  parseTime,
} from "../../../node-agent/node/state-files.ts";
import { renderSysctls, renderTimesync } from "../../../node-agent/node/system-files.ts";

test("renderResolvConf names three servers and the search domains", () => {
  expect(renderResolvConf(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"], ["a.example", "b.example"])).toBe(
    "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nsearch a.example b.example\n",
  );
  expect(renderResolvConf([], [])).toMatch(/^# Neither .*\n$/);
});

test("renderHosts knows loopback, the node and the config's own lines", () => {
  const text = renderHosts("w-1", "192.0.2.7", [
    { ip: "192.0.2.9", aliases: ["registry.example", "reg"] },
    { ip: "192.0.2.8", aliases: [] },
  ]);
  expect(text.split("\n")).toContain("192.0.2.7 w-1");
  expect(text).toContain("192.0.2.9 registry.example reg\n");
  expect(text).not.toContain("192.0.2.8");
  expect(text).toMatch(/^127\.0\.0\.1 localhost\n/);
  expect(renderHosts("w-1", undefined, [])).toContain("127.0.1.1 w-1\n");
});

test("renderSysctls and renderTimesync name their source and the unit that reads them", () => {
  expect(renderSysctls({ "net.core.somaxconn": "1024", "vm.swappiness": "0" })).toMatchObject({
    text: expect.stringContaining("net.core.somaxconn = 1024\nvm.swappiness = 0\n"),
    unit: "systemd-sysctl.service",
  });
  expect(renderTimesync(["192.0.2.1", "ntp.example"]).text).toContain(
    "[Time]\nNTP=192.0.2.1 ntp.example\nFallbackNTP=\n",
  );
});

// As systemd 257 writes it (/run/systemd/netif/leases/2).
const LEASE = `# This is private data. Do not parse.
ADDRESS=192.0.2.100
NETMASK=255.255.255.0
ROUTER=192.0.2.1
SERVER_ADDRESS=192.0.2.1
NEXT_SERVER=192.0.2.1
T1=1800
T2=3150
LIFETIME=3600
DNS=192.0.2.1 192.0.2.53
DOMAINNAME=lab.example
CLIENTID=01525400123456
`;

test("parseLease reads networkd's note", () => {
  expect(parseLease(LEASE)).toEqual({
    ...{ address: "192.0.2.100", bits: 24, server: "192.0.2.1", lifetimeSeconds: 3600 },
    routes: [{ destination: "0.0.0.0", bits: 0, gateway: "192.0.2.1" }],
    ...{ dns: ["192.0.2.1", "192.0.2.53"], domains: ["lab.example"] },
  });
});

test("parseLease takes classless routes instead of the router, the default first", () => {
  const routes = "ROUTES=10.0.0.0/8,192.0.2.9 0.0.0.0/0,192.0.2.2 nonsense\n";
  expect(parseLease(LEASE + routes)?.routes).toEqual([
    { destination: "0.0.0.0", bits: 0, gateway: "192.0.2.2" },
    { destination: "10.0.0.0", bits: 8, gateway: "192.0.2.9" },
  ]);
});

test("parseLease sees none in what is none", () => {
  for (const text of [
    "",
    "ADDRESS=192.0.2.1\n",
    "ADDRESS=x\nNETMASK=255.255.255.0\n",
    LEASE.replace("255.255.255.0", "255.0.255.0"),
  ])
    expect(parseLease(text)).toBeUndefined();
});

test("what lies on STATE is read as it was written, and nothing else is", () => {
  const lease = parseLease(LEASE)!;
  const peer = { name: "w-1", type: "worker", addresses: ["192.0.2.7"], labels: {}, annotations: {}, taints: [] };
  const install = { order: "o", installId: "i", number: 2, disk: "" };
  expect(parseSchema(formatSchema())).toBe(1);
  expect(parseInstall(formatInstall(install))).toEqual(install);
  expect(parseInstall(formatInstall({ order: "o", installId: "i" }))).toEqual({ order: "o", installId: "i" });
  expect(parseTime(formatTime(1_700_000_000_123.7))).toBe(1_700_000_000_123);
  expect(parseLeases(formatLeases({ "52:54:00:12:34:56": lease }))).toEqual({ "52:54:00:12:34:56": lease });
  expect(parsePeers(formatPeers({ peers: [peer] }))).toEqual([peer]);
  for (const parse of [parseSchema, parseInstall, parseTime, parseLeases, parsePeers])
    for (const text of [
      "",
      "{",
      "[]",
      "null",
      "{}",
      '{"schema":0,"unixMs":-1,"leases":{"a":{}},"peers":[{}],"installId":""}',
    ])
      expect(parse(text)).toBeUndefined();
});

test("no order to begin etcd is kept", () =>
  expect(formatPeers({ peers: [], bootstrapEtcd: true } as never)).not.toContain("bootstrap"));
