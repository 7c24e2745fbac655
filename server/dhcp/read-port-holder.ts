// Who holds a port, for the message of PORT_IN_USE: /proc/net/udp or tcp gives the socket's inode, /proc/*/fd its program.
// Reads only; another user's descriptors need root, without it the message says less. Called by socket.ts and by
// server/appliance/run-listeners.ts, on failure only.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Inodes of the sockets bound to a local port, from the text of /proc/net/udp or tcp. */
export function parseInodes(table: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hex}`))
    .map((fields) => fields[9]!);
}

/** The program with its pid in words, `dnsmasq (pid 812)`; undefined when it cannot be seen. */
export function readPortHolder(port: number, protocol: "udp" | "tcp" = "udp"): string | undefined {
  try {
    // IPv6 sockets hold the port for IPv4, too (dual stack: what most programs open).
    const tables = [`/proc/net/${protocol}`, `/proc/net/${protocol}6`].map(readIfThere);
    const inodes = new Set(tables.flatMap((table) => parseInodes(table, port)).map((n) => `socket:[${n}]`));
    const holders = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && holdsAny(pid, inodes));
    const words = holders.map((pid) => `${readFileSync(`/proc/${pid}/comm`, "utf8").trim()} (pid ${pid})`);
    return words.length > 0 ? words.join(", ") : undefined;
  } catch {
    return undefined; // A process that ended while we looked: the port's fault message stands without it.
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // A kernel without IPv6.
  }
}

function holdsAny(pid: string, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false; // Not ours to read, or gone.
  }
}
