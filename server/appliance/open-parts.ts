// What was opened so far, to be closed in the reverse order, and several things started at once with all their faults told.
// run-appliance.ts and run-listeners.ts use it.

export type Part = { close(): unknown };

export class OpenParts {
  readonly #parts: Part[] = [];

  add<T extends Part>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  /** Closes all, the last first; one that fails does not keep the others open. @throws what the first of them threw. */
  async close(): Promise<void> {
    const faults: unknown[] = [];
    for (const part of this.#parts.splice(0).reverse()) {
      try {
        await part.close();
      } catch (cause) {
        faults.push(cause);
      }
    }
    if (faults.length > 0) throw faults[0];
  }
}

/**
 * Runs all to their ends.
 * @returns their values, in order.
 * @throws an AggregateError with every fault of all, so that a person mends them in one go.
 */
export async function together<T extends readonly unknown[]>(
  tasks: readonly [...{ [K in keyof T]: () => T[K] | Promise<T[K]> }],
): Promise<T> {
  const results = await Promise.allSettled(tasks.map(async (task) => task()));
  const faults = results.flatMap((result) => (result.status === "rejected" ? faultsIn(result.reason) : []));
  if (faults.length > 0) throw new AggregateError(faults);
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}

const faultsIn = (cause: unknown): unknown[] => (cause instanceof AggregateError ? [...cause.errors] : [cause]);
