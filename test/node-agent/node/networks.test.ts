// machine.network.interfaces as files of networkd: which card an entry means, and every field that the decoder lets pass.
import { expect, test } from "vitest";
import { type Card, renderNetworks } from "../../../node-agent/node/networks.ts";

const card = (name: string, last: string, over: Partial<Card> = {}): Card => ({
  ...{ name, mac: `52:54:00:00:00:${last}`, driver: "virtio_net", isPhysical: true },
  ...over,
});
const CARDS = [card("eth0", "01"), card("eth1", "02", { driver: "e1000e" })];
const textOf = (entries: Parameters<typeof renderNetworks>[0], name = "eth0") =>
  renderNetworks(entries, CARDS).files.find((file) => file.name === `60-slipway-${name}.network`)?.text;

test("an entry that asks for no more than the image does by itself makes no file", () => {
  const networks = renderNetworks([{ interface: "eth0", dhcp: true, vip: { ip: "192.0.2.5" } }], CARDS);
  expect(networks).toEqual({ files: [], vip: { ip: "192.0.2.5", cards: ["eth0"] }, unmatched: [] });
  expect(renderNetworks([], CARDS)).toEqual({ files: [], vip: undefined, unmatched: [] });
});

test("a static address with its routes is all that the card has", () => {
  const text = textOf([
    {
      interface: "eth0",
      addresses: ["192.0.2.10/24", "198.51.100.1/32"],
      routes: [
        { gateway: "192.0.2.1" },
        { network: "10.0.0.0/8", gateway: "192.0.2.2", metric: 50, source: "192.0.2.10", mtu: 1400 },
      ],
      mtu: 9000,
    },
  ]);
  expect(text).toBe(`[Match]
Name=eth0
[Link]
RequiredForOnline=no
MTUBytes=9000
[Network]
DHCP=no
LLDP=yes
LinkLocalAddressing=ipv6
IPv6AcceptRA=yes
KeepConfiguration=yes
Address=192.0.2.10/24
Address=198.51.100.1/32
[Route]
Destination=0.0.0.0/0
Gateway=192.0.2.1
Metric=1024
[Route]
Destination=10.0.0.0/8
Gateway=192.0.2.2
PreferredSource=192.0.2.10
Metric=50
MTUBytes=1400
`);
});

test("DHCP keeps the client id that the whole boot had, with the config's metric", () => {
  const text = textOf([{ interface: "eth0", dhcp: true, dhcpOptions: { routeMetric: 7 } }]);
  expect(text).toContain("DHCP=ipv4\n");
  expect(text).toContain("ClientIdentifier=mac\n");
  expect(text).toContain("RouteMetric=7\n");
  expect(textOf([{ interface: "eth0", dhcp: true, dhcpOptions: { ipv4: false } }])).toContain("DHCP=no\n");
});

test("an ignored card is left alone", () =>
  expect(textOf([{ interface: "eth0", ignore: true }])).toBe("[Match]\nName=eth0\n[Link]\nUnmanaged=yes\n"));

const MEANT: { name: string; entry: object; cards: string[] }[] = [
  { name: "a MAC", entry: { hardwareAddr: "52:54:00:00:00:02" }, cards: ["eth1"] },
  { name: "a MAC in capitals", entry: { hardwareAddr: "52:54:00:00:00:0*".toUpperCase() }, cards: ["eth0", "eth1"] },
  { name: "a driver", entry: { driver: "e1000*" }, cards: ["eth1"] },
  { name: "all conditions", entry: { driver: "e1000e", hardwareAddr: "*:01" }, cards: [] },
  { name: "hardware", entry: { physical: true }, cards: ["eth0", "eth1"] },
];
for (const { name, entry, cards } of MEANT) {
  test(`a selector means its cards: ${name}`, () => {
    const { files } = renderNetworks([{ deviceSelector: entry, addresses: ["192.0.2.9/24"] }], CARDS);
    expect(files.map((file) => file.name)).toEqual(cards.map((one) => `60-slipway-${one}.network`));
  });
}

test("a card that is not there is told with those that are", () =>
  expect(renderNetworks([{ interface: "eno1", dhcp: true }], CARDS).unmatched).toEqual([
    "machine.network.interfaces names eno1, which this machine does not have; its cards: eth0 (52:54:00:00:00:01), eth1 (52:54:00:00:00:02)",
  ]));

test("two entries for one card are taken together", () => {
  const text = textOf([
    { interface: "eth0", addresses: ["192.0.2.10/24"], mtu: 1500 },
    { deviceSelector: { hardwareAddr: "*:01" }, addresses: ["192.0.2.11/24"], mtu: 9000 },
  ]);
  expect(text).toContain("Address=192.0.2.10/24\nAddress=192.0.2.11/24\n");
  expect(text).toContain("MTUBytes=9000\n");
});
