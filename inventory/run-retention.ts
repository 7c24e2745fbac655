// Deletes events and boot attempts that are older than the settings keep them, in small bites through the same queue as
// every other write. Called by store.ts.
import type { GroupCommit } from "./group-commit.ts";
import type { StoreLog } from "./store-log.ts";
import type { Tables } from "./tables.ts";

const FIRST_MS = 10_000;
const EVERY_MS = 3600 * 1000;
const BITE_ROWS = 2000;

/**
 * Deletes what began before `before` (milliseconds since 1970).
 * @returns how many rows went.
 */
export async function prune(commit: GroupCommit, tables: Tables, before: number): Promise<number> {
  let total = 0;
  for (const table of [tables.events, tables.attempts]) {
    let gone: number;
    // Until a bite finds nothing: a clock that jumped leaves a few young rows among the oldest.
    do {
      gone = await commit.write(() => table.prune(before, BITE_ROWS));
      total += gone;
    } while (gone > 0);
  }
  return total;
}

/** Prunes soon after the start and then hourly. Returns the way to stop. */
export function runRetention(look: () => Promise<number>, log: StoreLog): () => void {
  let isStopped = false;
  async function once(): Promise<void> {
    try {
      const rows = await look();
      if (rows > 0) log.info(`${rows} old events and boot attempts were deleted (retention.events)`, { rows });
    } catch (cause) {
      if (!isStopped) log.warn("old events could not be deleted; the next try is in an hour", { err: cause });
    }
  }
  const first = setTimeout(once, FIRST_MS).unref();
  const rest = setInterval(once, EVERY_MS).unref();
  return () => {
    isStopped = true;
    clearTimeout(first);
    clearInterval(rest);
  };
}
