// machine.network.interfaces → .network files of systemd-networkd, one per network card that the config means. Pure: config and
// cards in, files out; run-network.ts lays them in /run/systemd/network. A card that no entry means keeps the image's own
// file (80-slipway.network: DHCP on every card). Source: systemd.network(5); talos reference §4.4 for the fields' meaning.
import { globMatches } from "../../server/contract/machine-config/disk-selector.ts";
import type { InterfaceConfig } from "../../server/contract/machine-config/node-config.ts";

export type Card = { name: string; mac: string; driver: string; isPhysical: boolean };
export type NetworkFile = { name: string; text: string };
export type Networks = {
  files: NetworkFile[];
  /** The endpoint, and the cards that may carry it, in the config's order. */
  vip: { ip: string; cards: string[] } | undefined;
  /** Entries that mean no card of this machine, in words. */
  unmatched: string[];
};

/** Talos's default for routes, and for what DHCP gives. */
const METRIC = 1024;

/** Lays all entries out. Two entries that mean one card are taken together. */
export function renderNetworks(interfaces: readonly InterfaceConfig[], cards: readonly Card[]): Networks {
  const meant = interfaces.map((entry) => ({ entry, cards: cards.filter((card) => isMeant(entry, card)) }));
  const names = [...new Set(meant.flatMap((m) => m.cards.map((card) => card.name)))].sort();
  const files = names.flatMap((name) => {
    const entries = meant.filter((m) => m.cards.some((card) => card.name === name)).map((m) => m.entry);
    // What the image does by itself needs no file: each change makes networkd ask for the address anew.
    return entries.every(isPlain) ? [] : [{ name: `60-slipway-${name}.network`, text: renderNetwork(name, entries) }];
  });
  const carrier = meant.find((m) => m.entry.vip?.ip !== undefined);
  return {
    files,
    vip:
      carrier === undefined ? undefined : { ip: carrier.entry.vip!.ip!, cards: carrier.cards.map((card) => card.name) },
    unmatched: meant.filter((m) => m.cards.length === 0).map((m) => describeEntry(m.entry, cards)),
  };
}

/** A name goes before a selector; all of a selector's conditions must hold. */
function isMeant(entry: InterfaceConfig, card: Card): boolean {
  if (entry.interface !== undefined) return entry.interface === card.name;
  const { hardwareAddr, permanentAddr, driver, physical } = entry.deviceSelector ?? {};
  return (
    entry.deviceSelector !== undefined &&
    [hardwareAddr, permanentAddr].every((glob) => glob === undefined || globMatches(glob.toLowerCase(), card.mac)) &&
    (driver === undefined || globMatches(driver, card.driver)) &&
    (physical !== true || card.isPhysical)
  );
}

const isPlain = ({ dhcp, addresses = [], routes = [], mtu = 0, ignore = false, dhcpOptions }: InterfaceConfig) =>
  dhcp === true && addresses.length + routes.length + mtu === 0 && !ignore && dhcpOptions === undefined;

function describeEntry(entry: InterfaceConfig, cards: readonly Card[]): string {
  const wanted = entry.interface ?? JSON.stringify(entry.deviceSelector ?? {});
  const seen = cards.map((card) => `${card.name} (${card.mac})`).join(", ") || "none";
  return `machine.network.interfaces names ${wanted}, which this machine does not have; its cards: ${seen}`;
}

/** Last word wins for single values, lists add up. */
function renderNetwork(name: string, entries: readonly InterfaceConfig[]): string {
  const last = <T>(pick: (entry: InterfaceConfig) => T | undefined): T | undefined =>
    entries.map(pick).findLast((value) => value !== undefined);
  if (last((e) => e.ignore) === true) return section("Match", { Name: name }) + section("Link", { Unmanaged: "yes" });
  const mtu = last((e) => e.mtu) ?? 0;
  const asks = last((e) => e.dhcp) === true && last((e) => e.dhcpOptions?.ipv4) !== false;
  const metric = last((e) => e.dhcpOptions?.routeMetric) ?? METRIC;
  const addresses = entries.flatMap((e) => e.addresses ?? []);
  const routes = entries.flatMap((e) => e.routes ?? []);
  return [
    section("Match", { Name: name }),
    section("Link", { RequiredForOnline: "no", ...(mtu > 0 && { MTUBytes: mtu }) }),
    section("Network", {
      DHCP: asks ? "ipv4" : "no",
      LLDP: "yes",
      LinkLocalAddressing: "ipv6",
      IPv6AcceptRA: "yes",
      // An address stays when its lease runs out, and a foreign one (the endpoint) when networkd starts anew.
      KeepConfiguration: "yes",
      Address: addresses,
    }),
    ...routes.map((route) =>
      section("Route", {
        Destination: route.network ?? "0.0.0.0/0",
        ...(route.gateway !== undefined && { Gateway: route.gateway }),
        ...(route.source !== undefined && { PreferredSource: route.source }),
        Metric: route.metric ?? METRIC,
        ...(route.mtu !== undefined && { MTUBytes: route.mtu }),
      }),
    ),
    // The client id is the MAC, as firmware and iPXE send it: one machine, one lease (80-slipway.network says the same).
    asks
      ? section("DHCPv4", {
          ClientIdentifier: "mac",
          SendHostname: "no",
          UseHostname: "no",
          UseDomains: "no",
          UseTimezone: "no",
          RouteMetric: metric,
        })
      : "",
  ].join("");
}

type Value = string | number | readonly string[];
function section(title: string, values: Readonly<Record<string, Value>>): string {
  const lines = Object.entries(values).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `${key}=${one}`),
  );
  return `[${title}]\n${lines.join("\n")}\n`;
}
