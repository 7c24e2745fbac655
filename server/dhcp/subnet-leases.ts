// The leases and offers of one subnet: who holds which address, and which may be given to whom. Called by leases.ts only.
// Every lookup is a map's; time is an argument. Pure.
import { type Ipv4, ipv4ToNumber, isInNetwork, numberToIpv4 } from "../../inventory/address.ts";
import type { Lease } from "../../inventory/lease.ts";
import type { ClientKey, Offer } from "./lease-change.ts";
import { Pool } from "./pool.ts";
import type { Reservations } from "./reservations.ts";
import type { ServedSubnet } from "./subnet.ts";

/** A lease with what of it is on disk: the client is never told more than that. */
export type Held = {
  readonly lease: Lease;
  /** Seconds since 1970 up to which the disk says that this machine has the address; 0 when it does not. */
  readonly durableUntil: number;
  /** Grows with every change of owner or state at this address: a renewal keeps it. */
  readonly epoch: number;
};

/** What an address is to a machine (pxe.md 1.5). `reason` finishes the sentence "the address …". */
export type Verdict =
  | { kind: "own"; isActive: boolean }
  | { kind: "free" }
  | { kind: "taken"; reason: string }
  | { kind: "outside-pool"; reason: string }
  | { kind: "wrong-network"; reason: string };

export type AddressOrigin = "reservation" | "offer" | "binding" | "expired" | "hint" | "free";
/** `unusable`: the machine has a reservation that it cannot have now, and why. */
export type AddressChoice = { unusable?: { address: Ipv4; reason: string } } & (
  | { kind: "address"; address: Ipv4; origin: AddressOrigin }
  | { kind: "full" }
);

export class SubnetLeases {
  readonly #reservations: Reservations;
  readonly #held = new Map<number, Held>();
  /** The address that a machine has, or had last. */
  readonly #addressOf = new Map<ClientKey, number>();
  readonly #offers = new Map<ClientKey, Offer>();
  readonly #offeredTo = new Map<number, ClientKey>();
  /** At which epoch of its address a lease was put; weak, because writes end. */
  readonly #epochOf = new WeakMap<Lease, number>();
  readonly #declinedBy = new Map<ClientKey, Set<number>>();
  #settings: { subnet: ServedSubnet; blocked: ReadonlySet<number>; pool: Pool } | undefined;

  constructor(reservations: Reservations) {
    this.#reservations = reservations;
  }

  /** Opens the pool, or opens it anew with other settings. @param ownIps addresses of this box. */
  open(subnet: ServedSubnet, ownIps: readonly Ipv4[]): void {
    const { network, exclude, gateway } = subnet;
    const blocked = new Set([...exclude, ...ownIps, ...(gateway === undefined ? [] : [gateway])].map(ipv4ToNumber));
    if (network.prefix <= 30) blocked.add(network.first).add(network.last);
    const ranges = subnet.ranges.map(({ first, last }) => ({ first: ipv4ToNumber(first), last: ipv4ToNumber(last) }));
    const pool = new Pool(ranges, {
      freeAt: (address) => this.#freeAt(address),
      isAllowed: (address) => !blocked.has(address) && !this.#reservations.isReserved(address),
    });
    this.#settings = { subnet, blocked, pool };
    for (const address of [...this.#held.keys(), ...this.#offeredTo.keys()]) {
      pool.queue(address, this.#freeAt(address)!);
    }
  }

  held(key: ClientKey): Held | undefined {
    const address = this.#addressOf.get(key);
    return address === undefined ? undefined : this.#held.get(address);
  }

  heldAt(address: Ipv4): Held | undefined {
    return this.#held.get(ipv4ToNumber(address));
  }

  offer(key: ClientKey, now: number): Offer | undefined {
    const offer = this.#offers.get(key);
    return offer !== undefined && offer.until > now ? offer : undefined;
  }

  /** Addresses that this machine declined and that are still set aside. */
  declinedCount(key: ClientKey, now: number): number {
    const addresses = [...(this.#declinedBy.get(key) ?? [])];
    return addresses.filter((address) => this.#held.get(address)!.lease.expiresAt > now).length;
  }

  /** The machine's reservation in this subnet, whether usable or not. */
  reservation(key: ClientKey): number | undefined {
    const address = this.#reservations.addressFor(key);
    const network = this.#settings?.subnet.network;
    const isHere =
      address !== undefined && network !== undefined && address >= network.first && address <= network.last;
    return isHere ? address : undefined;
  }

  choose(key: ClientKey, hint: Ipv4 | undefined, now: number): AddressChoice {
    const settings = this.#settings;
    if (settings === undefined) return { kind: "full" };
    const reserved = this.reservation(key);
    const obstacle = reserved === undefined ? undefined : this.#obstacle(reserved, key, now);
    const unusable =
      reserved !== undefined && obstacle !== undefined
        ? { unusable: { address: numberToIpv4(reserved), reason: obstacle } }
        : {};
    for (const [origin, address] of this.#candidates(key, hint, now)) {
      const isPossible = address === reserved || settings.pool.has(address);
      if (isPossible && this.#obstacle(address, key, now) === undefined) {
        return { kind: "address", address: numberToIpv4(address), origin, ...unusable };
      }
    }
    const free = settings.pool.next(now);
    if (free === undefined) return { kind: "full", ...unusable };
    return { kind: "address", address: numberToIpv4(free), origin: "free", ...unusable };
  }

  /** Addresses that come before any free one, best first (pxe.md 1.4). */
  *#candidates(key: ClientKey, hint: Ipv4 | undefined, now: number): Generator<[AddressOrigin, number]> {
    const reserved = this.reservation(key);
    if (reserved !== undefined) yield ["reservation", reserved];
    const offer = this.offer(key, now);
    if (offer !== undefined) yield ["offer", ipv4ToNumber(offer.address)];
    const held = this.held(key);
    if (held !== undefined) yield [isActive(held.lease, now) ? "binding" : "expired", ipv4ToNumber(held.lease.address)];
    if (hint !== undefined) yield ["hint", ipv4ToNumber(hint)];
  }

  judge(key: ClientKey, ip: Ipv4, now: number): Verdict {
    const settings = this.#settings;
    if (settings === undefined || !isInNetwork(ip, settings.subnet.network)) {
      return { kind: "wrong-network", reason: `is not in ${settings?.subnet.network.cidr ?? "a served network"}` };
    }
    const address = ipv4ToNumber(ip);
    const obstacle = this.#obstacle(address, key, now);
    if (obstacle !== undefined) return { kind: "taken", reason: obstacle };
    const held = this.held(key);
    const isHeld = held?.lease.address === ip;
    if (this.reservation(key) === address) return { kind: "own", isActive: isHeld && isActive(held.lease, now) };
    if (!settings.pool.has(address)) return { kind: "outside-pool", reason: "is outside the pool" };
    if (isHeld) return { kind: "own", isActive: isActive(held.lease, now) };
    return this.offer(key, now)?.address === ip ? { kind: "own", isActive: false } : { kind: "free" };
  }

  hold(offer: Offer): void {
    this.dropOffer(offer.key);
    const address = ipv4ToNumber(offer.address);
    const before = this.#offeredTo.get(address);
    if (before !== undefined) this.#offers.delete(before);
    this.#offers.set(offer.key, offer);
    this.#offeredTo.set(address, offer.key);
    this.#settings?.pool.queue(address, offer.until);
  }

  dropOffer(key: ClientKey): void {
    const offer = this.#offers.get(key);
    if (offer === undefined) return;
    const address = ipv4ToNumber(offer.address);
    this.#offers.delete(key);
    this.#offeredTo.delete(address);
    this.#settings?.pool.queue(address, this.#freeAt(address) ?? 0);
  }

  /** Takes over a lease in any state. Another machine's at the same address is over with it. */
  put(lease: Lease, isDurable: boolean): void {
    const address = ipv4ToNumber(lease.address);
    const before = this.#held.get(address);
    if (before !== undefined) this.#forget(before.lease, lease, address);
    const isRenewal = before?.lease.mac === lease.mac && before.lease.state === "bound" && lease.state === "bound";
    const epoch = isRenewal ? before.epoch : (before?.epoch ?? 0) + 1;
    this.#epochOf.set(lease, epoch);
    const durableUntil = isDurable ? lease.expiresAt : isRenewal ? before.durableUntil : 0;
    this.#held.set(address, { lease, durableUntil, epoch });
    if (lease.state === "declined") this.#setAside(lease.mac, address);
    else if ((this.held(lease.mac)?.lease.expiresAt ?? 0) <= lease.expiresAt) this.#addressOf.set(lease.mac, address);
    const offer = this.#offers.get(lease.mac);
    const isKept = lease.state === "bound" && offer?.address === lease.address;
    if (offer !== undefined && !isKept) this.dropOffer(lease.mac);
    this.#settings?.pool.queue(address, this.#freeAt(address)!);
  }

  /**
   * Says that a lease that was put is on disk. A later change may have overtaken the write (RELEASE and a new start, whose
   * own write may yet fail): then it says nothing of what is held now.
   */
  markDurable(lease: Lease): void {
    const address = ipv4ToNumber(lease.address);
    const held = this.#held.get(address);
    if (held === undefined || held.epoch !== this.#epochOf.get(lease)) return;
    this.#held.set(address, { ...held, durableUntil: lease.expiresAt });
  }

  /** Puts an address back into the queue that no reservation keeps any more. */
  requeue(address: number): void {
    this.#settings?.pool.queue(address, this.#freeAt(address) ?? 0);
  }

  *leases(): Generator<Lease> {
    for (const { lease } of this.#held.values()) yield lease;
  }

  /** Ends what the machine before had of an address: otherwise invented MACs would fill the memory in the long run. */
  #forget({ mac, state }: Lease, next: Lease, address: number): void {
    if (mac !== next.mac && this.#addressOf.get(mac) === address) this.#addressOf.delete(mac);
    const declined = state === "declined" ? this.#declinedBy.get(mac) : undefined;
    declined?.delete(address);
    if (declined?.size === 0) this.#declinedBy.delete(mac);
  }

  #setAside(key: ClientKey, address: number): void {
    if (this.#addressOf.get(key) === address) this.#addressOf.delete(key);
    const offeredTo = this.#offeredTo.get(address);
    if (offeredTo !== undefined) this.dropOffer(offeredTo);
    const addresses = this.#declinedBy.get(key) ?? new Set();
    this.#declinedBy.set(key, addresses.add(address));
  }

  #freeAt(address: number): number | undefined {
    const lease = this.#held.get(address)?.lease;
    const key = this.#offeredTo.get(address);
    const offer = key === undefined ? undefined : this.#offers.get(key);
    if (lease === undefined) return offer?.until;
    return Math.max(lease.expiresAt, offer?.until ?? 0);
  }

  /** Why this machine cannot have this address now, whatever the pool says; undefined when it can. */
  #obstacle(address: number, key: ClientKey, now: number): string | undefined {
    if (this.#settings!.blocked.has(address)) return "is our own, the gateway's, or excluded";
    if (this.#reservations.isReservedForOther(address, key)) return "is reserved for another machine";
    const lease = this.#held.get(address)?.lease;
    if (lease?.state === "declined" && lease.expiresAt > now) return "is set aside: somebody else was found using it";
    if (lease !== undefined && lease.mac !== key && isActive(lease, now)) return "is leased to another machine";
    const offeredTo = this.#offeredTo.get(address);
    const isOffered = offeredTo !== undefined && offeredTo !== key && this.offer(offeredTo, now) !== undefined;
    return isOffered ? "is offered to another machine" : undefined;
  }
}

const isActive = (lease: Lease, now: number): boolean => lease.state === "bound" && lease.expiresAt > now;
