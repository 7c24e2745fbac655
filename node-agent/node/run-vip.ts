// Holds the cluster's endpoint on this node's card while its API server answers. Edge: netlink, ARP, one look every 1.5 s; vip.ts
// decides. The agent's death takes the address off the wire: the kernel ends it five seconds after the last renewal.
import type { AgentLog } from "../log.ts";
import type { Libc } from "../open-libc.ts";
import { type Arping, openArp } from "./arp-socket.ts";
import { removeAddress, setAddress } from "./netlink.ts";
import { openNetlink } from "./netlink-socket.ts";
import type { LiveCard } from "./read-cards.ts";
import { AWAY, stepVip, TICK_MS, VALID_SECONDS, type VipAction, type VipEvent, type VipState } from "./vip.ts";

export type VipDeps = {
  ip: string;
  /** The card that carries it now; undefined while there is none with a cable. Asked at each look. */
  card(): LiveCard | undefined;
  isReady(): Promise<boolean>;
  libc: Libc | undefined;
  log: AgentLog;
  uptimeMs(): number;
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** From 0 to 1. */
  chance(): number;
  changed(): void;
};

export type Vip = {
  isHeld(): boolean;
  /** Who else has it, in words; empty when nobody has. */
  obstacle(): string;
  /** Resolves when the address is given up, after the signal. */
  ended: Promise<void>;
};

/** Runs until the signal says stop, then takes the address off. */
export function holdVip(deps: VipDeps, signal: AbortSignal): Vip {
  const holder = new Holder(deps, signal);
  return {
    isHeld: () => holder.state.kind === "held",
    obstacle: () => {
      const { state } = holder;
      return state.kind === "away" && state.rival !== undefined
        ? `the endpoint ${deps.ip} is used by ${state.rival}`
        : "";
    },
    ended: holder.run(),
  };
}

class Holder {
  readonly #deps: VipDeps;
  readonly #signal: AbortSignal;
  readonly #netlink;
  #card: LiveCard | undefined;
  #arp: Arping | undefined;
  /** What the API server answered last; asked beside the loop, so that a slow answer delays no renewal. */
  #isReady = false;
  state: VipState = AWAY;

  constructor(deps: VipDeps, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
    this.#netlink = openNetlink(deps.libc);
  }

  async run(): Promise<void> {
    const asking = this.#ask();
    while (!this.#signal.aborted) {
      this.#follow(this.#deps.card());
      await this.#tick();
      await this.#deps.wait(TICK_MS, this.#signal);
    }
    this.#release();
    this.#arp?.close();
    await asking;
    this.#netlink.close();
  }

  async #ask(): Promise<void> {
    while (!this.#signal.aborted) {
      this.#isReady = await this.#deps.isReady().catch(() => false);
      await this.#deps.wait(TICK_MS, this.#signal);
    }
  }

  /** The card may come late, or be another one after a repair. */
  #follow(card: LiveCard | undefined): void {
    if (card?.index === this.#card?.index && card?.mac === this.#card?.mac) return;
    this.#release();
    this.#arp?.close();
    this.#card = card;
    this.#arp = card && openArp(this.#deps.libc, card, (ms) => this.#deps.wait(ms, this.#signal));
    // The agent was restarted, and the address is still on the card: it goes on, without the gap that a probe would make.
    const isOn = card?.addresses.includes(`${this.#deps.ip}/32`) === true;
    this.#set(isOn ? { kind: "held", announcedMs: 0, misses: 0 } : AWAY);
  }

  async #tick(): Promise<void> {
    if (this.#card === undefined) return;
    const { ip, uptimeMs, chance } = this.#deps;
    const mac = this.state.kind === "held" ? this.#arp?.rival(ip) : undefined;
    if (mac !== undefined) return void this.#step({ kind: "rival", mac, nowMs: uptimeMs(), chance: chance() });
    if (this.#step({ kind: "tick", isReady: this.#isReady, nowMs: uptimeMs() }) !== "probe") return;
    const rival = await this.#arp?.probe(ip);
    if (!this.#signal.aborted) this.#step({ kind: "probed", rival, nowMs: uptimeMs(), chance: chance() });
  }

  #step(event: VipEvent): VipAction | undefined {
    const [state, action] = stepVip(this.state, event);
    if (action === "take" || action === "renew" || action === "announce") {
      const errno = this.#netlink.change(setAddress(this.#address()));
      if (errno !== 0) {
        this.#deps.log.warn(`The endpoint ${this.#deps.ip} could not be set on ${this.#card?.name}: errno ${errno}.`);
        this.#set({ kind: "away", notBeforeMs: event.nowMs + TICK_MS });
        return action;
      }
    }
    if (action === "take" || action === "announce") this.#arp?.announce(this.#deps.ip);
    if (action === "release") this.#release();
    this.#set(state);
    return action;
  }

  #set(state: VipState): void {
    const before = this.state;
    this.state = state;
    const rivalOf = (s: VipState) => (s.kind === "away" ? s.rival : undefined);
    if (before.kind === state.kind && rivalOf(before) === rivalOf(state)) return;
    const { log, ip, changed } = this.#deps;
    if (state.kind === "held") log.info(`This node holds the endpoint ${ip}.`);
    else if (rivalOf(state) !== undefined) log.warn(`The endpoint ${ip} is used by ${rivalOf(state)}.`);
    else if (before.kind === "held") log.info(`This node let go of the endpoint ${ip}.`);
    changed();
  }

  #release(): void {
    if (this.state.kind === "held" && this.#card !== undefined) this.#netlink.change(removeAddress(this.#address()));
  }

  #address() {
    return { index: this.#card!.index, ip: this.#deps.ip, bits: 32, validSeconds: VALID_SECONDS };
  }
}
