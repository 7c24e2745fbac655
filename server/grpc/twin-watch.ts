// Two machines that speak with one key: a copied disk, or a disk that was moved while its copy runs on. Each new stream ends the
// other's, so they come in turn, from two addresses. session.ts asks with each stream. Pure.

export type Twins = { first: string; second: string };

/** A machine that got another address comes from two as well, but does not go back and forth. */
const LEAST_TURNS = 3;
const WINDOW_MS = 600_000;

export class TwinWatch {
  readonly #seen = new Map<string, { ip: string; turns: number[]; toldAt?: number }>();

  /**
   * @param ip where the machine's new stream comes from.
   * @param now milliseconds since 1970.
   * @returns both addresses when that is told: once in ten minutes.
   */
  note(machineId: string, ip: string, now: number): Twins | undefined {
    const before = this.#seen.get(machineId);
    if (before === undefined || ip === "") {
      if (ip !== "") this.#seen.set(machineId, { ip, turns: [] });
      return undefined;
    }
    if (before.ip === ip) return undefined;
    const turns = [...before.turns, now].filter((at) => now - at < WINDOW_MS);
    const isTold = before.toldAt !== undefined && now - before.toldAt < WINDOW_MS;
    const isNews = turns.length >= LEAST_TURNS && !isTold;
    const toldAt = isNews ? now : before.toldAt;
    this.#seen.set(machineId, { ip, turns, ...(toldAt !== undefined && { toldAt }) });
    return isNews ? { first: before.ip, second: ip } : undefined;
  }

  forget(machineId: string): void {
    this.#seen.delete(machineId);
  }
}
