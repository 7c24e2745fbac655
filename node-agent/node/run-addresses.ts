// Keeps what DHCP gave, and uses it again when no server answers. Edge: a look every two seconds at the cards and at networkd's notes.
// addresses.ts decides; here it is probed, set and taken back by netlink, beside networkd and not through it: a reload would make
// networkd ask anew, and what it does not know it leaves alone (KeepConfiguration=yes, measured).
import type { AgentLog } from "../log.ts";
import type { Libc } from "../open-libc.ts";
import type { Root } from "../read-sysfs.ts";
import { type CardState, decideCard, FALLBACK_METRIC } from "./addresses.ts";
import { openArp } from "./arp-socket.ts";
import type { Lease } from "./lease.ts";
import { removeAddress, removeRoute, setAddress, setRoute } from "./netlink.ts";
import { type Netlink, openNetlink } from "./netlink-socket.ts";
import type { NodeStore } from "./open-state.ts";
import { type LiveCard, readCards, readLease } from "./read-cards.ts";

const LOOK_EVERY_MS = 2000;

export type AddressKeeper = {
  /** Cards as of the last look. */
  cards(): readonly LiveCard[];
  /** Of each card the lease in force: networkd's, else the last one. */
  leases(): readonly Lease[];
  /** What keeps a card from its last address, in words; empty when nothing does. */
  obstacle(): string;
  /** Resolves when the loop has ended. */
  ended: Promise<void>;
};

export type AddressDeps = {
  machine: Root;
  store: NodeStore;
  libc: Libc | undefined;
  log: AgentLog;
  uptimeMs(): number;
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Addresses that are no sign of DHCP: the endpoint. */
  isOther(ip: string): boolean;
  /** Called after each look that found something else than the last one. */
  changed(): void;
};

type Memory = Pick<CardState, "carrierSinceMs" | "used" | "takenAtMs"> & { rival?: string | undefined };

/** Runs until the signal says stop; what it set stays. */
export function keepAddresses(deps: AddressDeps, signal: AbortSignal): AddressKeeper {
  const keeper = new Keeper(deps, signal);
  keeper.look();
  return {
    cards: () => keeper.cards,
    leases: () => keeper.leases(),
    obstacle: () => keeper.obstacle(),
    ended: keeper.run(),
  };
}

class Keeper {
  readonly #deps: AddressDeps;
  readonly #signal: AbortSignal;
  readonly #netlink: Netlink;
  readonly #memory = new Map<string, Memory>();
  #saved: Record<string, Lease>;
  #now = new Map<string, Lease>();
  #seen = "";
  cards: LiveCard[] = [];

  constructor(deps: AddressDeps, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
    this.#netlink = openNetlink(deps.libc);
    this.#saved = { ...deps.store.readLeases() };
  }

  leases(): Lease[] {
    return this.cards.flatMap(({ mac }) => this.#now.get(mac) ?? this.#memory.get(mac)?.used ?? this.#saved[mac] ?? []);
  }

  obstacle(): string {
    return this.cards
      .flatMap(({ name, mac }) => {
        const rival = this.#memory.get(mac)?.rival;
        return rival === undefined ? [] : [`${this.#saved[mac]?.address} of ${name} is used by ${rival}`];
      })
      .join("; ");
  }

  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      this.look();
      for (const card of this.cards) await this.#act(card);
      await this.#deps.wait(LOOK_EVERY_MS, this.#signal);
    }
    this.#netlink.close();
  }

  /** Reads cards and leases, and keeps a lease that is new. */
  look(): void {
    const { machine, uptimeMs, changed } = this.#deps;
    this.cards = readCards(machine);
    this.#now = new Map();
    for (const card of this.cards) {
      const lease = readLease(machine, card);
      if (lease !== undefined) this.#now.set(card.mac, lease);
      const memory = this.#memory.get(card.mac) ?? { carrierSinceMs: undefined, used: undefined, takenAtMs: undefined };
      this.#memory.set(card.mac, memory);
      memory.carrierSinceMs = card.hasCarrier ? (memory.carrierSinceMs ?? uptimeMs()) : undefined;
    }
    this.#save();
    const seen = JSON.stringify([this.cards, [...this.#now]]);
    if (seen === this.#seen) return;
    this.#seen = seen;
    changed();
  }

  #save(): void {
    const leases = { ...this.#saved, ...Object.fromEntries(this.#now) };
    if (JSON.stringify(leases) === JSON.stringify(this.#saved)) return;
    try {
      this.#deps.store.saveLeases(leases);
      this.#saved = leases;
    } catch (error) {
      this.#deps.log.warn(`The lease could not be kept on STATE: ${(error as Error).message}`);
      // Tried again with the next look that finds a change, and not with every one.
      this.#saved = leases;
    }
  }

  async #act(card: LiveCard): Promise<void> {
    const memory = this.#memory.get(card.mac)!;
    const state: CardState = {
      ...memory,
      hasCarrier: card.hasCarrier,
      addresses: card.addresses.map((cidr) => cidr.split("/")[0]!).filter((ip) => !this.#deps.isOther(ip)),
      lease: this.#now.get(card.mac),
      saved: this.#saved[card.mac],
    };
    if (state.lease !== undefined) memory.rival = undefined;
    const action = decideCard(state, this.#deps.uptimeMs());
    if (action.kind === "use") await this.#use(card, action.lease, memory);
    if (action.kind === "drop") this.#drop(card, action.lease, action.keepsAddress, memory);
  }

  async #use(card: LiveCard, lease: Lease, memory: Memory): Promise<void> {
    const { libc, wait, log, uptimeMs } = this.#deps;
    const arp = openArp(libc, card, (ms) => wait(ms, this.#signal));
    const rival = await arp?.probe(lease.address);
    arp?.close();
    // A server may have answered during the probe.
    if (this.#signal.aborted || readLease(this.#deps.machine, card) !== undefined) return;
    if (rival !== undefined) {
      if (memory.rival !== rival) log.warn(`${lease.address}, the last address of ${card.name}, is used by ${rival}.`);
      Object.assign(memory, { takenAtMs: uptimeMs(), rival, used: undefined });
      return;
    }
    const { index } = card;
    const errno = this.#netlink.change(setAddress({ index, ip: lease.address, bits: lease.bits }));
    if (errno !== 0) {
      log.warn(`${lease.address} could not be set on ${card.name}: errno ${errno}.`);
      memory.takenAtMs = uptimeMs();
      return;
    }
    for (const route of lease.routes) this.#netlink.change(setRoute({ index, ...route, metric: FALLBACK_METRIC }));
    if (memory.used === undefined) {
      log.info(`No DHCP server answers on ${card.name}: its last address ${lease.address}/${lease.bits} is used.`);
    }
    Object.assign(memory, { used: lease, takenAtMs: undefined, rival: undefined });
  }

  #drop({ name, index }: LiveCard, lease: Lease, keepsAddress: boolean, memory: Memory): void {
    for (const route of lease.routes) this.#netlink.change(removeRoute({ index, ...route, metric: FALLBACK_METRIC }));
    if (!keepsAddress) this.#netlink.change(removeAddress({ index, ip: lease.address, bits: lease.bits }));
    this.#deps.log.info(`A DHCP server answers again on ${name}.`);
    memory.used = undefined;
  }
}
