// The node's network cards as this room sees them: what networkd's files, ARP and netlink need of each. Edge: reads the machine.
import { networkInterfaces } from "node:os";
import { isInContainer } from "../read-boot.ts";
import { readCardNames } from "../read-nics.ts";
import { exists, type Root, readLinkName, readNumber, readText } from "../read-sysfs.ts";
import { type Lease, parseLease } from "./lease.ts";
import type { Card } from "./networks.ts";

export type LiveCard = Card & {
  /** The kernel's number of it. */
  index: number;
  hasCarrier: boolean;
  mtuBytes: number;
  /** IPv4 with prefix length, as they are now. */
  addresses: readonly string[];
};

/** All cards, by name. @param addressesOf IPv4 with prefix length; a test's directory of files has no network. */
export function readCards(from: Root, addressesOf: (name: string) => readonly string[] = ipv4Of): LiveCard[] {
  const isContainer = isInContainer(from);
  return readCardNames(from).map((name) => {
    const at = `sys/class/net/${name}`;
    return {
      name,
      mac: readText(from, `${at}/address`).toLowerCase(),
      driver: readLinkName(from, `${at}/device/driver`),
      // A container's card is the end of a cable, and it has no other.
      isPhysical: exists(from, `${at}/device`) || isContainer,
      index: readNumber(from, `${at}/ifindex`),
      hasCarrier: readNumber(from, `${at}/carrier`) === 1,
      mtuBytes: readNumber(from, `${at}/mtu`, 1500),
      addresses: addressesOf(name),
    };
  });
}

const ipv4Of = (name: string): string[] =>
  (networkInterfaces()[name] ?? []).flatMap(({ family, cidr }) => (family === "IPv4" && cidr !== null ? [cidr] : []));

/** The lease that networkd holds on a card; undefined without one. */
export const readLease = (from: Root, { index }: Pick<LiveCard, "index">): Lease | undefined =>
  parseLease(readText(from, `run/systemd/netif/leases/${index}`));
