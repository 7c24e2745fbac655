// Which events of the DHCP hot path say something new. A client that repeats itself within seconds (a retransmission, a
// flood, a crowd that asks again because answers were late) would fill its timeline and the disk with the same line.
// Called by run-answer.ts. Pure: time is an argument.
import type { Detail, EventKind } from "../../inventory/event.ts";
import type { EventDraft } from "./facts.ts";

/** Shorter than the second retransmission of any firmware (4, 8, 16 s): what people debug by is all there. */
export const REPEATED_WITHIN_MS = 10_000;
/** Machines remembered at once; the one that was silent for longest is forgotten first. */
const MAX_MACHINES = 8192;

/** What a client brings about by asking again. Everything else is told each time, and what follows it is new again. */
const REPEATABLE: ReadonlySet<EventKind> = new Set([
  "dhcp-discover",
  "dhcp-offer",
  "dhcp-proxy-offer",
  "dhcp-ack",
  "dhcp-renewed",
  "dhcp-ignored",
  "dhcp-no-loader",
  "dhcp-pool-full",
]);

type Said = Map<EventKind, { detail: Detail; at: number }>;

export class RepeatedEvents {
  readonly #saidBy = new Map<string, Said>();

  /**
   * Whether an event says something that was not said of this machine a moment ago. One that says it differently (iPXE
   * after the ROM, another address) begins anew: what follows is told, even when it was said before.
   */
  isNews({ kind, mac, detail = {} }: EventDraft, now: number): boolean {
    if (mac === undefined) return true;
    if (!REPEATABLE.has(kind)) {
      this.#saidBy.delete(mac);
      return true;
    }
    const said = this.#saidBy.get(mac);
    const before = said?.get(kind);
    if (before !== undefined && now - before.at < REPEATED_WITHIN_MS && isSame(before.detail, detail)) return false;
    const isOther = before !== undefined && !isSame(before.detail, detail);
    this.#remember(mac, isOther || said === undefined ? new Map() : said, kind, { detail, at: now });
    return true;
  }

  #remember(mac: string, said: Said, kind: EventKind, what: { detail: Detail; at: number }): void {
    said.set(kind, what);
    this.#saidBy.delete(mac);
    this.#saidBy.set(mac, said);
    if (this.#saidBy.size > MAX_MACHINES) this.#saidBy.delete(this.#saidBy.keys().next().value!);
  }
}

function isSame(a: Detail, b: Detail): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
