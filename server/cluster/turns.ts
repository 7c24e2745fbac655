// One after the other: what must not be begun before the last one has ended. Pure.

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `task` when all earlier ones have ended, well or badly. */
  take<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(task);
    this.#last = turn.catch(() => {});
    return turn;
  }
}
