// The machine's network interfaces, from /sys/class/net, with the addresses that Node sees. Edge: reads the machine.
import { networkInterfaces } from "node:os";
import type { Nic } from "../server/contract/generated/agent.ts";
import { exists, type Root, readLinkName, readNames, readNumber, readText } from "./read-sysfs.ts";

/** Addresses of an interface with prefix length. Injected, because a test's directory of files has no network. */
export type AddressesOf = (name: string) => string[];

/** Names that makers of containers give to the card: nspawn, LXC, Docker. Pods' ends of cables look the same but for the name. */
const CONTAINER_CARD = /^(eth|host|mv-)\w*$/;

/**
 * Interfaces that are hardware (they have a `device`), by name. Bridges, tunnels and lo are left out. In a container no
 * device stands behind the card.
 */
export function readNics(from: Root, addressesOf: AddressesOf = ownAddresses): Nic[] {
  const isContainer = exists(from, "run/systemd/container");
  const isCard = (name: string) =>
    isContainer ? CONTAINER_CARD.test(name) : exists(from, `sys/class/net/${name}/device`);
  return readNames(from, "sys/class/net")
    .filter(isCard)
    .map((name) => {
      const at = `sys/class/net/${name}`;
      return {
        name,
        mac: readText(from, `${at}/address`).toLowerCase(),
        driver: readLinkName(from, `${at}/device/driver`),
        carrier: readNumber(from, `${at}/carrier`) === 1,
        // 4294967295 and -1 both mean "unknown" (drivers differ); no link runs at a petabit.
        speedMbps: readNumber(from, `${at}/speed`) < 10_000_000 ? readNumber(from, `${at}/speed`) : 0,
        addresses: addressesOf(name),
      };
    })
    .filter((nic) => nic.mac !== "");
}

const ownAddresses: AddressesOf = (name) =>
  (networkInterfaces()[name] ?? [])
    .filter((address) => address.cidr !== null && !address.cidr.startsWith("fe80:"))
    .map((address) => address.cidr!);

/** All addresses but loopback's, with prefix length. */
export const readAddresses = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .flatMap(({ internal, cidr }) => (internal || cidr === null ? [] : [cidr]))
    .sort();
