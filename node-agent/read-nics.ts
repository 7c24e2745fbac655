// The machine's network interfaces, from /sys/class/net, with the addresses that Node sees. Edge: reads the machine.
import { networkInterfaces } from "node:os";
import type { Nic } from "../server/contract/generated/agent.ts";
import { isInContainer } from "./read-boot.ts";
import { exists, type Root, readLinkName, readNames, readNumber, readText } from "./read-sysfs.ts";

/** Addresses of an interface with prefix length. Injected, because a test's directory of files has no network. */
export type AddressesOf = (name: string) => string[];

/** What a container's way out is called; a pod's cable or a bridge's name is another. Pods' ends look the same but for it. */
const CONTAINER_CARD = /^(host0|eth\d+|en\w+|mv-\w+)$/;

/**
 * Names of the interfaces that are the machine's own: those with hardware (a `device`), and in a container, which has none,
 * those that its host names so. Bridges, tunnels, pods' cables and lo are left out.
 */
export function readCardNames(from: Root): string[] {
  const isContainer = isInContainer(from);
  return readNames(from, "sys/class/net").filter(
    (name) => exists(from, `sys/class/net/${name}/device`) || (isContainer && CONTAINER_CARD.test(name)),
  );
}

/** The machine's own interfaces, by name. */
export function readNics(from: Root, addressesOf: AddressesOf = ownAddresses): Nic[] {
  return readCardNames(from)
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
