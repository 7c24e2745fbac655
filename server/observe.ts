// The network interfaces of the machine that the appliance runs on: read from /sys/class/net and the kernel's address list,
// watched by polling once a second (about 0.1 ms each; netlink would need a raw socket). Called by main.ts and dhcp/service.ts.
import { readdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { type Ipv4, parseCidr, parseMac } from "../inventory/address.ts";
import type { ServedInterface } from "./boot/served-interface.ts";
import { SlipwayError } from "./contract/errors.ts";

const SYS = "/sys/class/net";
/** ARPHRD_ETHER: Ethernet, Wi-Fi, bridges, bonds, VLANs. Loopback, tunnels and the like cannot be served. */
const ETHERNET = "1";

function readAttribute(name: string, attribute: string): string | undefined {
  try {
    return readFileSync(`${SYS}/${name}/${attribute}`, "utf8").trim();
  } catch {
    return undefined; // `carrier` of an interface that is down gives EINVAL; the interface may also be gone by now.
  }
}

/** IPv4 addresses with prefix per interface; an address with a label (`eth0:1`) belongs to its interface. */
function addressesOf(all: ReturnType<typeof networkInterfaces>, name: string): { address: Ipv4; cidr: string }[] {
  return Object.entries(all)
    .filter(([label]) => label === name || label.startsWith(`${name}:`))
    .flatMap(([, list]) => list ?? [])
    .filter((entry) => entry.family === "IPv4")
    .map((entry) => ({ address: entry.address, cidr: entry.cidr ?? `${entry.address}/32` }));
}

/**
 * All interfaces that could be served, in the kernel's order of names.
 * An interface without carrier shows no addresses: the kernel's list leaves them out while the link is down.
 */
export function observeInterfaces(): ServedInterface[] {
  const all = networkInterfaces();
  return readdirSync(SYS).flatMap((name) => {
    const mac = parseMac(readAttribute(name, "address") ?? "");
    if (readAttribute(name, "type") !== ETHERNET || mac === undefined) return [];
    const addresses = addressesOf(all, name);
    const network = addresses[0] && parseCidr(addresses[0].cidr);
    return [
      {
        name,
        index: Number(readAttribute(name, "ifindex") ?? 0),
        mac,
        ...(addresses[0] && { address: addresses[0].address }),
        addresses: addresses.map((entry) => entry.address),
        ...(network && { network }),
        hasCarrier: readAttribute(name, "carrier") === "1",
        mtu: Number(readAttribute(name, "mtu") ?? 1500),
      },
    ];
  });
}

const RECENT_MS = 1000;
let recent: { readAt: number; interfaces: readonly ServedInterface[] } | undefined;

/** The same, at most a second old: for what asks with each packet or request (reading them takes half a millisecond). */
export function recentInterfaces(): readonly ServedInterface[] {
  const now = performance.now();
  if (recent === undefined || now - recent.readAt >= RECENT_MS)
    recent = { readAt: now, interfaces: observeInterfaces() };
  return recent.interfaces;
}

/** One interface by name. Throws NO_INTERFACE, which names those that exist. */
export function getInterface(name: string, all: readonly ServedInterface[] = observeInterfaces()): ServedInterface {
  const found = all.find((one) => one.name === name);
  if (found) return found;
  const names = all.map((one) => `${one.name} (${one.address ?? "no IPv4 address"})`).join(", ");
  throw new SlipwayError("NO_INTERFACE", `there is no interface ${name} here; there is ${names || "none at all"}`);
}

/** Whether an interface can be served now, and if not, what is wrong and what to do about it. */
export type Readiness = { kind: "ready" } | { kind: "lost"; what: string; remedy: string };

/** What stands in the way of serving an interface, in plain words; `undefined` means that the kernel has no such interface. */
export function readinessOf(name: string, one: ServedInterface | undefined): Readiness {
  if (one === undefined)
    return { kind: "lost", what: "is gone from this machine", remedy: "plug the adapter in again" };
  if (!one.hasCarrier)
    return {
      kind: "lost",
      what: "has no carrier",
      remedy: `check the cable and the switch, or \`ip link set ${name} up\``,
    };
  if (one.address === undefined) {
    const remedy = `give it one, such as \`ip address add 192.0.2.1/24 dev ${name}\`; it is served as soon as it has one`;
    return { kind: "lost", what: "has no IPv4 address", remedy };
  }
  return { kind: "ready" };
}

/** Whether two observations of an interface differ in anything that a server must act on. */
export function isSameInterface(a: ServedInterface | undefined, b: ServedInterface | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export type InterfaceChange = {
  name: string;
  before: ServedInterface | undefined;
  now: ServedInterface | undefined;
};

/**
 * Calls `listener` for each named interface that changes: carrier, addresses, MAC, MTU, vanished, returned (with a new index).
 *
 * @returns the way to stop.
 */
export function watchInterfaces(
  names: readonly string[],
  listener: (change: InterfaceChange) => void,
  options: { pollMs?: number } = {},
): () => void {
  const seen = new Map<string, ServedInterface>();
  const look = () => new Map(observeInterfaces().map((one) => [one.name, one]));
  for (const [name, one] of look()) seen.set(name, one);
  const timer = setInterval(() => {
    const all = look();
    for (const name of names) {
      const [before, now] = [seen.get(name), all.get(name)];
      if (isSameInterface(before, now)) continue;
      if (now) seen.set(name, now);
      else seen.delete(name);
      listener({ name, before, now });
    }
  }, options.pollMs ?? 1000);
  return () => clearInterval(timer);
}
