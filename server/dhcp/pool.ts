// Which address of a pool has been free the longest, without looking at all of them: never-used ones in ascending order
// first, then by the time at which they came free. Called by leases.ts only; 100,000 leases cost it microseconds. Pure.

/** What the lease book knows of an address. */
export type PoolView = {
  /** Seconds since 1970 from which on it is free; undefined when it was never given out. */
  freeAt(address: number): number | undefined;
  /** Whether it may be given out when free (not reserved, not excluded). */
  isAllowed(address: number): boolean;
};

type Entry = { address: number; at: number };

/** The queue of free addresses. Addresses are unsigned 32-bit numbers. */
export class Pool {
  readonly #ranges: readonly { first: number; last: number }[];
  readonly #view: PoolView;
  /** Next never-used address: range and position. */
  #range = 0;
  #fresh: number;
  /** Binary heap by `at`, smallest first. An entry counts only while `#queued` names the same time. */
  readonly #heap: Entry[] = [];
  readonly #queued = new Map<number, number>();

  constructor(ranges: readonly { first: number; last: number }[], view: PoolView) {
    this.#ranges = ranges;
    this.#view = view;
    this.#fresh = ranges[0]?.first ?? 0;
  }

  has(address: number): boolean {
    return this.#ranges.some((range) => address >= range.first && address <= range.last);
  }

  /**
   * Says that an address comes free at a time. Called when it is given out; again only when that time comes nearer
   * (RELEASE): a later end is found out when the entry's turn comes, so that a renewal costs nothing.
   */
  queue(address: number, at: number): void {
    const queued = this.#queued.get(address);
    if (!this.has(address) || (queued !== undefined && queued <= at)) return;
    this.#queued.set(address, at);
    this.#push({ address, at });
  }

  /** The longest-free address, which stays where it is; undefined when the pool is full. */
  next(now: number): number | undefined {
    // Offered but never taken counts as never used: otherwise a pool would be walked through by clients that look around.
    return this.#nextUsed(0) ?? this.#nextFresh() ?? this.#nextUsed(now);
  }

  #nextFresh(): number | undefined {
    for (; this.#range < this.#ranges.length; this.#range++, this.#fresh = this.#ranges[this.#range]?.first ?? 0) {
      for (; this.#fresh <= this.#ranges[this.#range]!.last; this.#fresh++) {
        const isUntouched = this.#view.freeAt(this.#fresh) === undefined && !this.#queued.has(this.#fresh);
        if (isUntouched && this.#view.isAllowed(this.#fresh)) return this.#fresh;
      }
    }
    return undefined;
  }

  #nextUsed(now: number): number | undefined {
    while (this.#heap.length > 0 && this.#heap[0]!.at <= now) {
      const { address, at } = this.#heap[0]!;
      if (this.#queued.get(address) !== at) {
        this.#pop();
        continue;
      }
      const freeAt = this.#view.freeAt(address) ?? 0;
      if (freeAt <= now && this.#view.isAllowed(address)) return address;
      this.#pop();
      this.#queued.delete(address);
      // Not free after all: back in line for its true time. Not allowed: the book queues it when it is again.
      if (freeAt > now) this.queue(address, freeAt);
    }
    return undefined;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.at <= entry.at) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= last.at) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
