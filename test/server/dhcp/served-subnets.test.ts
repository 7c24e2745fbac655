// Settings and a live interface → served subnets; the default pool is the upper half of the interface's own network.
import { expect, test } from "vitest";
import { parseCidr } from "../../../inventory/address.ts";
import type { ServedInterface } from "../../../server/boot/served-interface.ts";
import { servedSubnets, upperHalf } from "../../../server/dhcp/served-subnets.ts";
import { settingsFor } from "./rig.ts";

const at: ServedInterface = {
  name: "eth0",
  index: 2,
  mac: "52:54:00:00:00:01",
  address: "192.0.2.1",
  addresses: ["192.0.2.1", "192.0.2.200", "198.51.100.1"],
  network: parseCidr("192.0.2.1/24")!,
  hasCarrier: true,
  mtu: 1500,
};

const HALVES: [string, string | undefined][] = [
  ["192.0.2.0/24", "192.0.2.128-192.0.2.254"],
  ["192.0.2.64/26", "192.0.2.96-192.0.2.126"],
  ["10.0.0.0/8", "10.128.0.0-10.255.255.254"],
  ["192.0.2.0/30", "192.0.2.2-192.0.2.2"],
  ["192.0.2.0/31", undefined],
  ["192.0.2.1/32", undefined],
];
for (const [cidr, want] of HALVES) {
  test(`upperHalf of ${cidr} is ${want}`, () => {
    const range = upperHalf(parseCidr(cidr)!);
    expect(range && `${range.first}-${range.last}`).toBe(want);
  });
}

test("servedSubnets without a pool takes the upper half and leaves own addresses and gateway out", () => {
  const [own, ...others] = servedSubnets(settingsFor({ gateway: "192.0.2.254", dns: ["192.0.2.53"] }), at);
  expect(others).toEqual([]);
  expect(own).toMatchObject({
    network: { cidr: "192.0.2.0/24" },
    ranges: [{ first: "192.0.2.128", last: "192.0.2.254" }],
    exclude: ["192.0.2.1", "192.0.2.200", "192.0.2.254"],
    gateway: "192.0.2.254",
    dns: ["192.0.2.53"],
    ntp: [],
    leaseSeconds: 3600,
    isRelayed: false,
  });
});

test("servedSubnets tells name servers, time servers and domain; a network without room has no range", () => {
  const told = { dns: ["192.0.2.53"], ntp: ["192.0.2.123"], domain: "rack1.example.org" };
  const tiny = { ...at, network: parseCidr("192.0.2.1/32")!, addresses: ["192.0.2.1"] };
  expect(servedSubnets(settingsFor(told), tiny)).toMatchObject([{ ...told, ranges: [], exclude: ["192.0.2.1"] }]);
});

test("servedSubnets leaves out a subnet that is none", () => {
  expect(servedSubnets(settingsFor({ subnets: [{ subnet: "nonsense", isRelayed: true }] }), at)).toHaveLength(1);
});

test("servedSubnets takes the short pool, and the long form in its stead when it names the interface's own network", () => {
  const pool = { first: "192.0.2.10", last: "192.0.2.19" };
  expect(servedSubnets(settingsFor({ pool }), at)[0]?.ranges).toEqual([pool]);
  const long = { subnet: "192.0.2.0/24", pool, exclude: ["192.0.2.15"], isRelayed: false };
  const [own, ...others] = servedSubnets(settingsFor({ subnets: [long] }), at);
  expect(others).toEqual([]);
  expect(own).toMatchObject({ ranges: [pool], exclude: ["192.0.2.15", "192.0.2.1", "192.0.2.200"] });
});

test("servedSubnets lists relayed subnets after its own, and alone while the interface has no network", () => {
  const subnets = [{ subnet: "10.30.1.0/24", gateway: "10.30.1.1", isRelayed: true }];
  expect(servedSubnets(settingsFor({ subnets }), at).map((one) => [one.network.cidr, one.isRelayed])).toEqual([
    ["192.0.2.0/24", false],
    ["10.30.1.0/24", true],
  ]);
  const { address: _, network: __, ...bare } = at;
  expect(servedSubnets(settingsFor({ subnets }), { ...bare, addresses: [] })).toHaveLength(1);
});
