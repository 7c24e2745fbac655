// What has arrived and is not answered yet: bounded in number and age, so that under more load than can be answered the rest
// is dropped early and whoever is answered is answered at once. A plain queue would grow until every answer is too late.
// Made by run-arrivals.ts. Pure: time is an argument.

/**
 * EDK2 and PXE ROMs wait four seconds for an OFFER, and iPXE, which repeats after one, takes the late answer to its first try.
 * The newest go first, so that an old DISCOVER takes nobody's time: it is answered when the wave is over.
 */
export const DISCOVER_PATIENCE_MS = 4000;
/** REQUESTs go before DISCOVERs, so an old one does take time from others; iPXE and perfdhcp have given it up by then. */
export const REQUEST_PATIENCE_MS = 1000;
/** When the oldest waits for longer than this there is more than can be answered, and the newest are answered first. */
export const NEWEST_FIRST_AFTER_MS = 100;
/** Of each kind; a rack that powers on is two orders of magnitude smaller. 8192 packets take about 12 MB. */
export const MAX_WAITING = 8192;

type Entry<T> = { item: T; key: number | undefined; arrivedAt: number; isGone: boolean };

/** What a datagram is, as far as the queue must know before it is decoded. */
export type Peeked = {
  /** Client and message type; the same for a repetition. Undefined when it has no Ethernet address. */
  key: number | undefined;
  isDiscover: boolean;
};

const [CHADDR, OPTIONS, MESSAGE_TYPE, PAD, END] = [28, 240, 53, 0, 255];

/** Reads who asks for what; garbage is nobody's, and the decoder will say what is wrong with it. */
export function peekArrival(bytes: Uint8Array, port: number): Peeked {
  const type = messageTypeOf(bytes);
  const isEthernet = bytes[1] === 1 && bytes[2] === 6 && bytes.length > OPTIONS;
  if (!isEthernet || type === undefined) return { key: undefined, isDiscover: false };
  let mac = 0;
  for (let at = CHADDR; at < CHADDR + 6; at++) mac = mac * 256 + bytes[at]!;
  if (mac === 0) return { key: undefined, isDiscover: type === 1 };
  // 48 bits of MAC, and what is left of a number's 53 for port and type.
  return { key: (mac * 2 + (port === 67 ? 0 : 1)) * 16 + (type & 15), isDiscover: type === 1 };
}

function messageTypeOf(bytes: Uint8Array): number | undefined {
  for (let at = OPTIONS; at + 2 < bytes.length && bytes[at] !== END; ) {
    if (bytes[at] === MESSAGE_TYPE) return bytes[at + 2];
    at += bytes[at] === PAD ? 1 : 2 + bytes[at + 1]!;
  }
  return undefined;
}

/** One kind of message, oldest first while that is in time. */
class Lane<T> {
  #entries: Entry<T>[] = [];
  #head = 0;
  readonly #byKey = new Map<number, Entry<T>>();
  readonly #patienceMs: number;
  size = 0;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  put(item: T, key: number | undefined, now: number): "queued" | "repeated" {
    const before = key === undefined ? undefined : this.#byKey.get(key);
    if (before !== undefined) this.#remove(before);
    const entry = { item, key, arrivedAt: now, isGone: false };
    this.#entries.push(entry);
    this.size++;
    if (key !== undefined) this.#byKey.set(key, entry);
    return before === undefined ? "queued" : "repeated";
  }

  /** Drops what nobody waits for any more. @returns how many. */
  dropLate(now: number): number {
    let dropped = 0;
    for (; this.#head < this.#entries.length; this.#head++) {
      const entry = this.#entries[this.#head]!;
      if (entry.isGone) continue;
      if (now - entry.arrivedAt <= this.#patienceMs && this.size <= MAX_WAITING) break;
      this.#remove(entry);
      dropped++;
    }
    this.#compact();
    return dropped;
  }

  take(now: number): T | undefined {
    if (this.size === 0) return undefined;
    while (this.#entries[this.#head]!.isGone) this.#head++;
    const oldest = this.#entries[this.#head]!;
    const isBehind = now - oldest.arrivedAt > NEWEST_FIRST_AFTER_MS;
    const entry = isBehind ? this.#newest() : oldest;
    this.#remove(entry);
    return entry.item;
  }

  #newest(): Entry<T> {
    while (this.#entries.at(-1)!.isGone) this.#entries.pop();
    return this.#entries.pop()!;
  }

  #remove(entry: Entry<T>): void {
    entry.isGone = true;
    this.size--;
    if (entry.key !== undefined) this.#byKey.delete(entry.key);
  }

  #compact(): void {
    if (this.#head < 1024 && this.size > 0) return;
    this.#entries = this.size === 0 ? [] : this.#entries.slice(this.#head);
    this.#head = 0;
  }
}

/** Three of four answers go to REQUESTs while there are any: an offer that is not followed up was work for nothing. */
const REQUESTS_OF_FOUR = 3;

export class ArrivalQueue<T> {
  readonly #discovers = new Lane<T>(DISCOVER_PATIENCE_MS);
  readonly #others = new Lane<T>(REQUEST_PATIENCE_MS);
  #taken = 0;

  get size(): number {
    return this.#discovers.size + this.#others.size;
  }

  /** @returns `repeated` when it took the place of the same client's earlier message. @param now milliseconds that do not go back. */
  put(item: T, { key, isDiscover }: Peeked, now: number): "queued" | "repeated" {
    return (isDiscover ? this.#discovers : this.#others).put(item, key, now);
  }

  /** Drops those that waited for too long and those that are too many, oldest first. @returns how many. */
  dropLate(now: number): number {
    return this.#discovers.dropLate(now) + this.#others.dropLate(now);
  }

  /** The next to be answered; call {@link dropLate} before. */
  take(now: number): T | undefined {
    const isTurnOfOthers = this.#taken++ % 4 < REQUESTS_OF_FOUR;
    const [first, second] = isTurnOfOthers ? [this.#others, this.#discovers] : [this.#discovers, this.#others];
    return first.take(now) ?? second.take(now);
  }
}
