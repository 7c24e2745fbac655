// What the kernel knows about its neighbours and routes, read from /proc without a child process: the MAC behind an address
// (to name a foreign server), and an interface's default gateway (to recognise a network again). Called by run-mode.ts.
import { readFileSync } from "node:fs";
import { type Ipv4, type Mac, parseMac } from "../../inventory/address.ts";

/** The complete entry of an address in the text of /proc/net/arp, or undefined. */
export function parseNeighbour(table: string, ip: Ipv4): Mac | undefined {
  const fields = table
    .split("\n")
    .map((line) => line.split(/\s+/))
    .find(([address, , flags]) => address === ip && (Number(flags) & 2) === 2);
  return fields && parseMac(fields[3]!);
}

/** The gateway of an interface's default route in the text of /proc/net/route (addresses are little-endian hex), or undefined. */
export function parseDefaultGateway(table: string, interfaceName: string): Ipv4 | undefined {
  const fields = table
    .split("\n")
    .map((line) => line.split(/\s+/))
    .find(
      ([name, to, via, , , , , mask]) =>
        name === interfaceName && to === "00000000" && mask === "00000000" && via !== to,
    );
  if (fields === undefined) return undefined;
  const bytes = fields[2]!.match(/../g)!.reverse();
  return bytes.map((byte) => Number.parseInt(byte, 16)).join(".");
}

/** MAC of an IPv4 neighbour as the kernel has it now; it does not ask the wire. */
export function arpOf(ip: Ipv4): Mac | undefined {
  return parseNeighbour(readProc("/proc/net/arp"), ip);
}

export function readDefaultGateway(interfaceName: string): Ipv4 | undefined {
  return parseDefaultGateway(readProc("/proc/net/route"), interfaceName);
}

function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // Not Linux, or hidden in a container: then nothing is known.
  }
}
