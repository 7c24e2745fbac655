// What stands in the way of serving an interface, in words; and the fault for one that does not exist.
import { expect, test } from "vitest";
import { parseCidr } from "../../inventory/address.ts";
import type { ServedInterface } from "../../server/boot/served-interface.ts";
import { getInterface, isSameInterface, observeInterfaces, readinessOf } from "../../server/observe.ts";

const eth0: ServedInterface = {
  name: "eth0",
  index: 2,
  mac: "52:54:00:00:00:01",
  address: "192.0.2.1",
  addresses: ["192.0.2.1"],
  network: parseCidr("192.0.2.1/24")!,
  hasCarrier: true,
  mtu: 1500,
};
const { address: _, network: __, ...bare } = eth0;

const ROWS = [
  { name: "usable", at: eth0, want: "ready" },
  { name: "gone", at: undefined, want: "is gone from this machine" },
  { name: "cable out", at: { ...eth0, hasCarrier: false }, want: "has no carrier" },
  // Without carrier the kernel's list shows no address either: the cable is what a person must see.
  {
    name: "cable out, so no address is shown",
    at: { ...bare, addresses: [], hasCarrier: false },
    want: "has no carrier",
  },
  { name: "no address", at: { ...bare, addresses: [] }, want: "has no IPv4 address" },
];
for (const { name, at, want } of ROWS) {
  test(`readinessOf: ${name}`, () => {
    const readiness = readinessOf("eth0", at);
    expect(readiness.kind === "ready" ? "ready" : readiness.what).toBe(want);
    if (readiness.kind === "lost") expect(readiness.remedy).not.toBe("");
  });
}

test("getInterface names those that exist", () => {
  expect(getInterface("eth0", [eth0])).toBe(eth0);
  expect(() => getInterface("eth7", [eth0, { ...bare, name: "eth1", addresses: [] }])).toThrow(
    "there is no interface eth7 here; there is eth0 (192.0.2.1), eth1 (no IPv4 address)",
  );
  expect(() => getInterface("eth7", [])).toThrow("none at all");
});

test("isSameInterface notices what a server must act on", () => {
  expect(isSameInterface(eth0, { ...eth0 })).toBe(true);
  for (const over of [{ index: 3 }, { hasCarrier: false }, { mtu: 9000 }, { addresses: ["192.0.2.2"] }]) {
    expect(isSameInterface(eth0, { ...eth0, ...over })).toBe(false);
  }
  expect(isSameInterface(eth0, undefined)).toBe(false);
  expect(isSameInterface(undefined, undefined)).toBe(true);
});

test("observeInterfaces leaves the loopback out and gives the rest an index and a MAC", () => {
  for (const one of observeInterfaces()) {
    expect(one.name).not.toBe("lo");
    expect(one.index).toBeGreaterThan(0);
    expect(one.mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  }
});
