// Deletes what is older than the settings keep it, and what is more than any site makes: events, boot attempts, machines that
// nobody touched. In small bites through the same queue as every other write. Called by store.ts.
import type { GroupCommit, Notes } from "./group-commit.ts";
import type { StoreLog } from "./store-log.ts";
import type { Tables } from "./tables.ts";

const FIRST_MS = 10_000;
const EVERY_MS = 300 * 1000;
const BITE_ROWS = 2000;

/**
 * The newest rows that are kept, however young the others are; and the newest events that stay however old they look: an
 * appliance whose clock once says 2040 must not forget what happened.
 */
export type Bounds = { events: number; attempts: number; sparedEvents: number };
/**
 * Whoever floods the wire makes rows of every table in minutes; age alone would let the disk fill. A hundred machines that
 * boot daily with fifty events each make 450,000 in 90 days.
 */
export const BOUNDS: Bounds = { events: 2_000_000, attempts: 100_000, sparedEvents: 5000 };

/**
 * Deletes what began before `before` (milliseconds since 1970), machines that nobody touched and that were not seen since
 * then, and what is over the bounds.
 * @returns how many rows went.
 */
export async function prune(commit: GroupCommit, tables: Tables, before: number, bounds = BOUNDS): Promise<number> {
  const { events, attempts, machines } = tables;
  const bites: ((notes: Notes) => number)[] = [
    () => events.prune(before, bounds.sparedEvents, BITE_ROWS),
    () => attempts.prune(before, BITE_ROWS),
    () => events.pruneOver(bounds.events, BITE_ROWS),
    () => attempts.pruneOver(bounds.attempts, BITE_ROWS),
    (notes) => {
      const ids = machines.listUntouched(new Date(before).toISOString(), BITE_ROWS);
      for (const id of ids) {
        machines.delete(id);
        notes.deletedIds.add(id);
      }
      return ids.length;
    },
  ];
  let total = 0;
  for (const bite of bites) {
    let gone: number;
    // Until a bite finds nothing: a clock that jumped leaves a few young rows among the oldest.
    do {
      gone = await commit.write(bite);
      total += gone;
    } while (gone > 0);
  }
  return total;
}

/** Prunes soon after the start and then every five minutes. Returns the way to stop. */
export function runRetention(look: () => Promise<number>, log: StoreLog): () => void {
  let isStopped = false;
  async function once(): Promise<void> {
    try {
      const rows = await look();
      if (rows > 0)
        log.info(`${rows} old events, boot attempts and forgotten machines were deleted (retention.events)`, { rows });
    } catch (cause) {
      if (!isStopped) log.warn("old events could not be deleted; the next try is in five minutes", { err: cause });
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
