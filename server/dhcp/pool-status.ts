// What people see of a network's pool: its ends, its size, how much of it is in use. Called by run-interface.ts. Pure.
import { ipv4ToNumber, numberToIpv4 } from "../../inventory/address.ts";
import type { LeaseBook } from "./leases.ts";
import { type ServedSubnet, subnetKey } from "./subnet.ts";

export type PoolStatus = {
  /** `10.30.1.0/24`. */
  subnet: string;
  /** `10.30.1.100-10.30.1.199`, several with commas; absent when no address is given out. */
  pool?: string;
  poolSize: number;
  /** Addresses of the pool that somebody holds, set aside ones included. */
  poolUsed: number;
  isRelayed: boolean;
};

/** @param now seconds since 1970. Looks at each address of the pool: for people's questions, not for packets. */
export function poolStatus(subnet: ServedSubnet, book: Pick<LeaseBook, "heldAt">, now: number): PoolStatus {
  const key = subnetKey(subnet);
  const excluded = new Set(subnet.exclude);
  const addresses = subnet.ranges
    .flatMap(({ first, last }) => upTo(ipv4ToNumber(first), ipv4ToNumber(last)))
    .filter((ip) => !excluded.has(ip));
  const isUsed = (ip: string) => {
    const lease = book.heldAt(key, ip)?.lease;
    return lease !== undefined && lease.state !== "released" && lease.expiresAt > now;
  };
  const pool = subnet.ranges.map(({ first, last }) => `${first}-${last}`).join(", ");
  return {
    subnet: key,
    ...(addresses.length > 0 && { pool }),
    poolSize: addresses.length,
    poolUsed: addresses.filter(isUsed).length,
    isRelayed: subnet.isRelayed,
  };
}

const upTo = (first: number, last: number): string[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => numberToIpv4(first + i));
