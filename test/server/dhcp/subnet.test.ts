// Which subnet a request belongs to, and what relays say in option 82.
import { expect, test } from "vitest";
import { parseCidr } from "../../../inventory/address.ts";
import { type DhcpPacket, decodePacket } from "../../../server/dhcp/packet.ts";
import { collectSubOptions, linkSelection, serverIdOverride } from "../../../server/dhcp/relay.ts";
import { chooseSubnet } from "../../../server/dhcp/subnet.ts";
import { subnetAt } from "./site.ts";
import { fromHex, vectorBytes } from "./vectors.ts";

const base = decodePacket(vectorBytes("grub-discover"));
const SUBNETS = [
  subnetAt("10.30.1", { isRelayed: true }),
  subnetAt("10.30.2", { isRelayed: true }),
  subnetAt("192.0.2"),
  subnetAt("198.51.100"),
];
const own = parseCidr("192.0.2.0/24")!;
const info = (hex: string) => ({ options: { relayInfo: fromHex(hex) } });

const CASES: { name: string; over: Partial<DhcpPacket>; unicast?: boolean; own?: string; want?: string }[] = [
  { name: "no relay: the interface's own", over: {}, want: "192.0.2.0/24" },
  { name: "the second interface's own", over: {}, own: "198.51.100.0/24", want: "198.51.100.0/24" },
  { name: "an interface whose network is only relayed", over: {}, own: "10.30.1.0/24" },
  { name: "an interface without address", over: {}, own: "" },
  { name: "giaddr", over: { relayIp: "10.30.1.1" }, want: "10.30.1.0/24" },
  { name: "giaddr of no subnet", over: { relayIp: "10.99.1.1" } },
  {
    name: "link selection before giaddr",
    over: { relayIp: "10.30.1.1", ...info("05040a1e0200") },
    want: "10.30.2.0/24",
  },
  {
    name: "link selection of zeros is none",
    over: { relayIp: "10.30.1.1", ...info("050400000000") },
    want: "10.30.1.0/24",
  },
  {
    name: "link selection of three bytes is none",
    over: { relayIp: "10.30.1.1", ...info("05030a1e02") },
    want: "10.30.1.0/24",
  },
  { name: "option 82 without a relay is nothing", over: info("05040a1e0200"), want: "192.0.2.0/24" },
  {
    name: "a relayed client that renews by unicast",
    over: { clientIp: "10.30.2.9" },
    unicast: true,
    want: "10.30.2.0/24",
  },
  { name: "the same by broadcast: it moved here", over: { clientIp: "10.30.2.9" }, want: "192.0.2.0/24" },
  {
    name: "unicast from an address of no subnet",
    over: { clientIp: "10.99.2.9" },
    unicast: true,
    want: "192.0.2.0/24",
  },
  { name: "INFORM: its address", over: { clientIp: "10.30.2.9", options: { messageType: 8 } }, want: "10.30.2.0/24" },
];
for (const { name, over, unicast = false, own: ownCidr, want } of CASES) {
  test(`chooseSubnet: ${name}`, () => {
    const network = ownCidr === undefined ? own : parseCidr(ownCidr);
    expect(chooseSubnet({ ...base, ...over }, SUBNETS, network, unicast)?.network.cidr).toBe(want);
  });
}

test("serverIdOverride and linkSelection read their own sub-options among others", () => {
  const request = { ...base, relayIp: "10.30.1.1", ...info("0103657468 05040a1e0200 0b040a1e0101") };
  expect([linkSelection(request), serverIdOverride(request)]).toEqual(["10.30.2.0", "10.30.1.1"]);
});
test("collectSubOptions stops at the end code, at a lone code and at a length past the end; repeated ones are kept", () => {
  const keys = (hex: string, end?: number) => [...collectSubOptions(fromHex(hex), end).keys()];
  expect(keys("060108 ff 0701aa", 255)).toEqual([6]);
  expect(keys("060108 ff")).toEqual([6]);
  expect(keys("060108 0709aa")).toEqual([6]);
  expect(collectSubOptions(fromHex("060108 060109")).get(6)).toEqual([fromHex("08"), fromHex("09")]);
});
