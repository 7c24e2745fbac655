// Which local UDP port a transfer gets (its TID, RFC 1350 §4). The kernel cannot choose: the two sockets of a transfer
// share one port by SO_REUSEADDR, and with that flag it would give one port to two transfers. Pure; run by server.ts.

export type PortRange = { first: number; last: number };

/** Ports of one local address. They are handed out in a circle, so that one is not used again soon after its transfer. */
export class LocalPorts {
  readonly #range: PortRange;
  readonly #taken = new Set<number>();
  #next: number;

  /** @param start any number, best a random one: the next ports of a restarted server are not those of the last. */
  constructor(range: PortRange, start: number) {
    this.#range = range;
    this.#next = range.first + (Math.abs(Math.trunc(start)) % this.size);
  }

  get size(): number {
    return this.#range.last - this.#range.first + 1;
  }

  /** Takes the next free port; undefined when all are taken. */
  take(): number | undefined {
    for (let tried = 0; tried < this.size; tried++) {
      const port = this.#next;
      this.#next = port === this.#range.last ? this.#range.first : port + 1;
      if (this.#taken.has(port)) continue;
      this.#taken.add(port);
      return port;
    }
    return undefined;
  }

  free(port: number): void {
    this.#taken.delete(port);
  }
}
