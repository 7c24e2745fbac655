// The lease book: every lease and offer of every subnet, in memory, loaded from the inventory at start. decideReply reads it;
// service.ts applies what was decided, saves, and marks durable. No clock, no disk: time is an argument. Pure.
import type { Cidr, Ipv4, Mac } from "../../inventory/address.ts";
import type { Lease } from "../../inventory/lease.ts";
import type { BootClient } from "../boot/client.ts";
import type { ClientKey, LeaseChange, Offer } from "./lease-change.ts";
import { Reservations, type Reserving } from "./reservations.ts";
import { type ServedSubnet, subnetKey } from "./subnet.ts";
import { type AddressChoice, type Held, SubnetLeases, type Verdict } from "./subnet-leases.ts";

export type { Reserving } from "./reservations.ts";
export type { AddressChoice, AddressOrigin, Held, Verdict } from "./subnet-leases.ts";

/** A declined address is nobody's for this long (pxe.md 1.6). */
export const QUARANTINE_SECONDS = 600;

export class LeaseBook {
  readonly #reservations = new Reservations();
  readonly #subnets = new Map<Cidr, SubnetLeases>();

  /** Takes over what the inventory holds: all of it is durable. Before or after {@link openPool}. */
  load(leases: Iterable<Lease>): void {
    for (const lease of leases) this.#of(lease.subnet).put(lease, true);
  }

  /**
   * Opens a subnet's pool; call it again when its settings or our own addresses change. Leases stay.
   *
   * @param ownIps all addresses of this box: never given out.
   */
  openPool(subnet: ServedSubnet, ownIps: readonly Ipv4[]): void {
    this.#of(subnetKey(subnet)).open(subnet, ownIps);
  }

  /** Takes over a machine as it is now: its reservation, from approval on. */
  setMachine(machine: Reserving): void {
    this.#requeue(this.#reservations.set(machine));
  }

  deleteMachine(machineId: string): void {
    this.#requeue(this.#reservations.delete(machineId));
  }

  /**
   * Chooses the address to offer: reservation, pending offer, current binding, last expired one, the client's own hint
   * (option 50; a bad one is only a bad hint), else the longest-free address of the pool.
   *
   * @returns `full` when there is none. A full pool is an outcome, not an error.
   * @see RFC 2131 §4.3.1
   */
  choose(subnet: Cidr, key: ClientKey, hint: Ipv4 | undefined, now: number): AddressChoice {
    return this.#of(subnet).choose(key, hint, now);
  }

  /** What an address is to a machine that asks for it. */
  judge(subnet: Cidr, key: ClientKey, address: Ipv4, now: number): Verdict {
    return this.#of(subnet).judge(key, address, now);
  }

  /** The machine's current or last lease in a subnet, released and expired ones included. */
  held(subnet: Cidr, key: ClientKey): Held | undefined {
    return this.#of(subnet).held(key);
  }

  /** The lease at an address, whoever's. */
  heldAt(subnet: Cidr, address: Ipv4): Held | undefined {
    return this.#of(subnet).heldAt(address);
  }

  /** The machine's pending offer. */
  offer(subnet: Cidr, key: ClientKey, now: number): Offer | undefined {
    return this.#of(subnet).offer(key, now);
  }

  /** Whether the book has heard of the machine in this subnet: lease, old lease, reservation or offer. */
  isKnown(subnet: Cidr, key: ClientKey, now: number): boolean {
    const leases = this.#of(subnet);
    return (
      leases.held(key) !== undefined || leases.reservation(key) !== undefined || leases.offer(key, now) !== undefined
    );
  }

  /** How many addresses this machine has declined lately (at most three may be set aside for one). */
  declinedCount(subnet: Cidr, key: ClientKey, now: number): number {
    return this.#of(subnet).declinedCount(key, now);
  }

  /** What a machine with a pending offer said it is: for identifyClient, because a Pi's REQUEST does not say it again. */
  rememberedClient(key: ClientKey, now: number): BootClient | undefined {
    for (const leases of this.#subnets.values()) {
      const offer = leases.offer(key, now);
      if (offer !== undefined) return offer.client;
    }
    return undefined;
  }

  /** Does what a decision says, at once, in its order. Nothing of it is durable yet. */
  apply(changes: readonly LeaseChange[]): void {
    for (const change of changes) {
      if (change.kind === "offer") this.#of(change.offer.subnet).hold(change.offer);
      else if (change.kind === "drop-offer") this.#of(change.subnet).dropOffer(change.key);
      else this.#of(change.lease.subnet).put(change.lease, false);
    }
  }

  /**
   * Says that these leases are on disk. Call it after the commit and before the replies leave, with the very objects that
   * the decision named: by them a write is told from a later one.
   */
  markDurable(leases: readonly Lease[]): void {
    for (const lease of leases) this.#of(lease.subnet).markDurable(lease);
  }

  /**
   * Sets an address aside because somebody answered ARP for it.
   *
   * @param mac whoever answered.
   * @returns the lease to save.
   */
  setAside(subnet: Cidr, address: Ipv4, mac: Mac, now: number): Lease {
    const lease: Lease = {
      subnet,
      address,
      mac,
      state: "declined",
      startedAt: now,
      expiresAt: now + QUARANTINE_SECONDS,
    };
    this.#of(subnet).put(lease, false);
    return lease;
  }

  /** All leases, in no order. */
  *leases(): Generator<Lease> {
    for (const leases of this.#subnets.values()) yield* leases.leases();
  }

  #of(subnet: Cidr): SubnetLeases {
    let leases = this.#subnets.get(subnet);
    if (leases === undefined) {
      leases = new SubnetLeases(this.#reservations);
      this.#subnets.set(subnet, leases);
    }
    return leases;
  }

  #requeue(address: number | undefined): void {
    if (address === undefined) return;
    for (const leases of this.#subnets.values()) leases.requeue(address);
  }
}
