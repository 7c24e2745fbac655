// Giving an address: what the book and the disk have to hold for it, and for how long the client may be told. Pure.
import type { Ipv4 } from "../../inventory/address.ts";
import type { Lease } from "../../inventory/lease.ts";
import type { ReplyFacts } from "./facts.ts";
import type { ClientKey, LeaseChange } from "./lease-change.ts";
import { formatHex } from "./option-codecs.ts";
import type { DhcpPacket } from "./packet.ts";
import { FOREVER_SECONDS, type ServedSubnet, subnetKey } from "./subnet.ts";

export type Grant = {
  /** For option 51: never past what is on disk once `leases` are. */
  toldSeconds: number;
  changes: LeaseChange[];
  /** Empty: the disk already promises enough. */
  leases: Lease[];
};

/** 9999-12-31: an end that no clock reaches and every date format can print. */
const NEVER = 253_402_300_799;
/** pxe.md 1.9. */
const MIN_SECONDS = 120;

/**
 * Grants an address to a machine.
 *
 * A renewal is written only when it moves the end by 25 % of the lease time or more. One that is not written changes
 * nothing, neither in memory nor on disk: the client is told the *rest* of what the disk says, so that it never holds an
 * address longer than a restarted server knows of. A lease whose write is still under way counts as not written.
 *
 * @param seconds how long it shall be, {@link FOREVER_SECONDS} included.
 */
export function grantLease(
  request: DhcpPacket,
  facts: ReplyFacts,
  to: { subnet: ServedSubnet; key: ClientKey; address: Ipv4; seconds: number },
): Grant {
  const { now } = facts;
  const subnet = subnetKey(to.subnet);
  const held = facts.book.held(subnet, to.key);
  const current = held?.lease.address === to.address && held.lease.state === "bound" ? held : undefined;
  const wanted = Math.max(to.seconds, MIN_SECONDS);
  const words = wordsOf(request);
  if (current !== undefined && isGoodEnough(current.lease, words, current.durableUntil, now, wanted)) {
    return { toldSeconds: Math.min(wanted, current.durableUntil - now), changes: [], leases: [] };
  }
  const isRunning = current !== undefined && current.lease.expiresAt > now;
  const startedAt = isRunning ? current.lease.startedAt : now;
  // What was promised before stays on disk until it is over, even when leases are shorter now: this ACK may get lost.
  const end = wanted === FOREVER_SECONDS ? NEVER : now + wanted;
  const expiresAt = isRunning ? Math.max(current.lease.expiresAt, end) : end;
  const lease: Lease = { subnet, address: to.address, mac: to.key, ...words, state: "bound", startedAt, expiresAt };
  const leases = [...endOfOther(held?.lease, to.address, now), lease];
  return { toldSeconds: wanted, changes: leases.map((each) => ({ kind: "lease", lease: each })), leases };
}

function isGoodEnough(
  lease: Lease,
  words: Pick<Lease, "clientId" | "hostname">,
  durableUntil: number,
  now: number,
  wanted: number,
): boolean {
  if (lease.clientId !== words.clientId || lease.hostname !== words.hostname) return false;
  if (wanted === FOREVER_SECONDS) return durableUntil >= NEVER;
  return durableUntil - now >= Math.max(0.75 * wanted, MIN_SECONDS);
}

/** A machine has one address per subnet: with a new one, the old one is free. */
function endOfOther(lease: Lease | undefined, address: Ipv4, now: number): Lease[] {
  if (lease?.state !== "bound" || lease.address === address || lease.expiresAt <= now) return [];
  return [{ ...lease, state: "released", expiresAt: now }];
}

/** What is kept of the client's own words. */
function wordsOf(request: DhcpPacket): Pick<Lease, "clientId" | "hostname"> {
  const { clientId, hostname } = request.options;
  return {
    ...(clientId !== undefined && { clientId: formatHex(clientId) }),
    ...(hostname !== undefined && { hostname }),
  };
}
