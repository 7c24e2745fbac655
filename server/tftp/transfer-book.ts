// Which transfers run: at most one per client port, so many per client, so many in all. Called by server.ts. Pure: it
// counts and says who has to go; what a transfer holds is released by its own function.

export type Entry<T> = {
  name: string;
  clientIp: string;
  /** Milliseconds of a clock that only goes forward. */
  startedAtMs: number;
  /** Undefined while the file and the sockets are being opened. */
  transfer?: T;
  /** Gives back sockets and port; called once. */
  release(): void;
};

export type BookLimits = { perClient: number; total: number };

/** A transfer that nobody answered gives up its place after this time when all are taken: forged addresses never answer. */
const UNANSWERED_MS = 1000;

export class TransferBook<T extends { readonly hasFirstAck: boolean; stop(): void }> {
  readonly #limits: BookLimits;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #perClient = new Map<string, number>();

  constructor(limits: BookLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  find(key: string): Entry<T> | undefined {
    return this.#entries.get(key);
  }

  /** Whether one more may begin for this client; a transfer that was never answered may be ended to make room. */
  makeRoom(clientIp: string, nowMs: number): boolean {
    if ((this.#perClient.get(clientIp) ?? 0) >= this.#limits.perClient) return false;
    if (this.#entries.size < this.#limits.total) return true;
    // The order of the map is the order of beginning: the first that was never answered is the oldest.
    for (const [key, entry] of this.#entries) {
      if (nowMs - entry.startedAtMs < UNANSWERED_MS) return false;
      if (entry.transfer?.hasFirstAck !== true) {
        this.end(key, entry);
        return true;
      }
    }
    return false;
  }

  add(key: string, entry: Entry<T>): void {
    this.#entries.set(key, entry);
    this.#perClient.set(entry.clientIp, (this.#perClient.get(entry.clientIp) ?? 0) + 1);
  }

  /** Ends an entry quietly, if it is still the one of its key. */
  end(key: string, entry: Entry<T>): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    const left = this.#perClient.get(entry.clientIp)! - 1;
    if (left === 0) this.#perClient.delete(entry.clientIp);
    else this.#perClient.set(entry.clientIp, left);
    entry.transfer?.stop();
    entry.release();
  }

  endAll(belongs: (key: string) => boolean): void {
    for (const [key, entry] of [...this.#entries]) if (belongs(key)) this.end(key, entry);
  }
}
