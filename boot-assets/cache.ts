// A least-recently-used map under a byte budget: which images are in RAM. It only counts; store.ts loads. Pure.

type Entry<V> = { value: V; bytes: number; pins: number };

/**
 * Entries that are being sent are pinned: they count towards the budget and cannot be pushed out, so the budget holds
 * for what is really in memory. The order of the map is the order of use.
 */
export class ByteBudgetCache<V> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly budgetBytes: number;
  usedBytes = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Finds an entry and makes it the most recent. */
  find(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /**
   * Pushes out the least recently used, unpinned entries until `bytes` more fit.
   * @returns whether they fit; when they do not, nothing is pushed out.
   */
  makeRoom(bytes: number): boolean {
    const free = [...this.#entries].filter(([, entry]) => entry.pins === 0);
    const freeable = free.reduce((sum, [, entry]) => sum + entry.bytes, 0);
    if (this.usedBytes - freeable + bytes > this.budgetBytes) return false;
    for (const [key] of free) {
      if (this.usedBytes + bytes <= this.budgetBytes) break;
      this.drop(key);
    }
    return true;
  }

  /** Adds an entry for which {@link makeRoom} said yes; refuses by returning false. */
  add(key: string, value: V, bytes: number): boolean {
    this.drop(key);
    if (!this.makeRoom(bytes)) return false;
    this.#entries.set(key, { value, bytes, pins: 0 });
    this.usedBytes += bytes;
    return true;
  }

  drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.usedBytes -= entry.bytes;
  }

  /** Keeps an entry in place while it is being sent. @returns the way to let go, which counts once. */
  pin(key: string): () => void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return () => {};
    entry.pins++;
    let held = true;
    return () => {
      if (held) entry.pins--;
      held = false;
    };
  }
}
