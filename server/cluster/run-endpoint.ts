// The search for a cluster's endpoint: what endpoint.ts chooses or judges, asked for on the wire before it is taken. Called
// by admin-service.ts for `cluster create` and `apply`. Edge: it waits for the wire.
import { setTimeout as sleep } from "node:timers/promises";
import { type Cidr, type Ipv4, parseIpv4 } from "../../inventory/address.ts";
import {
  checkEndpoint,
  chooseEndpoint,
  type EndpointChoice,
  type ServedNetwork,
  type UsedAddress,
} from "./endpoint.ts";

/** `isUndecided`: DHCP still looks whether another server is there, so whose the addresses are is not known yet. */
export type WireNetwork = ServedNetwork & { isRelayed: boolean; isUndecided: boolean };

/** The networks of the nodes as they are now. server/appliance knows them. */
export type Wire = {
  /** Served networks, the appliance's own ones first; those behind a relay cannot be asked by ARP. */
  networks(): readonly WireNetwork[];
  /** Addresses in use that no machine of the inventory has: the appliance's own, gateways. */
  used(): readonly UsedAddress[];
  /** All networks of the appliance's interfaces: pods must not live there. */
  siteNetworks(): readonly Cidr[];
  /**
   * Who answers ARP for an address, asked as nobody (RFC 5227); undefined: nobody does.
   * @throws NO_PERMISSION without CAP_NET_RAW.
   */
  probe(ip: Ipv4): Promise<string | undefined>;
};

/** A network so full that this many addresses in a row answer is not the appliance's to search on. */
const MAX_PROBES = 32;
/** DHCP looks for ten seconds. */
const LOOK_EVERY_MS = 500;
const MAX_LOOKS = 30;

/** @param named an IPv4 address or a host name by a person; undefined: one is chosen. */
export async function findEndpoint(
  wire: Wire,
  used: readonly UsedAddress[],
  named: string | undefined,
): Promise<EndpointChoice> {
  if (named !== undefined && parseIpv4(named) === undefined)
    // A name belongs to whoever keeps the DNS: it may lead to a load balancer far from here.
    return {
      kind: "endpoint",
      ip: named,
      reason: "a host name given by a person; DNS must lead it to the control planes",
    };
  const own = await decidedNetwork(wire);
  const taken = [...wire.used(), ...used];
  if (named !== undefined) return judgeNamed(wire, named, taken);
  if (own === undefined)
    return {
      kind: "refused",
      reason: "no network is served here now, so there is none to choose an address in",
      remedy:
        "connect the served interface, or name an address or a host name: `slipway cluster create NAME --endpoint IP`",
    };
  for (let i = 0; i < MAX_PROBES; i++) {
    const choice = chooseEndpoint(own, taken);
    if (choice.kind === "refused") return choice;
    const mac = await wire.probe(choice.ip);
    if (mac === undefined) return choice;
    taken.push({ ip: choice.ip, by: `answered an ARP probe (${mac})` });
  }
  return {
    kind: "refused",
    reason: `${MAX_PROBES} addresses beside the pool of ${own.subnet} all answer ARP`,
    remedy: "name one that nobody has: `slipway cluster create NAME --endpoint IP`",
  };
}

/** The first network on a wire of the appliance's own, waited for while DHCP makes up its mind. */
async function decidedNetwork(wire: Wire): Promise<WireNetwork | undefined> {
  for (let i = 0; ; i++) {
    const own = wire.networks().find((n) => !n.isRelayed);
    if (own?.isUndecided !== true || i >= MAX_LOOKS) return own;
    await sleep(LOOK_EVERY_MS);
  }
}

async function judgeNamed(wire: Wire, ip: Ipv4, taken: readonly UsedAddress[]): Promise<EndpointChoice> {
  const networks = wire.networks();
  const choice = checkEndpoint(ip, networks, taken);
  if (choice.kind === "refused") return choice;
  const isNear =
    checkEndpoint(
      ip,
      networks.filter((n) => !n.isRelayed),
      [],
    ).kind === "endpoint";
  const mac = isNear ? await wire.probe(ip) : undefined;
  if (mac === undefined) return choice;
  return checkEndpoint(ip, networks, [{ ip, by: `it answers ARP (${mac})` }]);
}
