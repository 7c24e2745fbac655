// Group commit: all writes that one turn of the event loop asked for go to disk in one transaction; a failing one fails
// alone (design §2 row 15; performance.md §4). Used by store.ts; commit-batch.ts runs the transaction. Pure but for the
// connection, the disk and the timer it is given.
//
// The sync is not SQLite's, which would hold the event loop for as long as the disk takes (a third of the time under load),
// but one of our own on the log, in a thread: SQLite commits without one, then the log is synced, and only then is anybody
// told. One at a time; what is asked for meanwhile is the next group: a slow disk makes larger groups, and no queue.
import type { Database } from "better-sqlite3";
import { batchRunner, type Job, type Notes, type Written } from "./commit-batch.ts";
import type { Urgency } from "./port.ts";

export type { Notes } from "./commit-batch.ts";

export type GroupCommit = {
  /**
   * Resolves when what `run` wrote is on disk; rejects with what it threw, or with the fault of the commit. In order.
   * `soon` shares the next urgent commit, or waits {@link SOON_MS} for company.
   */
  write<T>(run: (notes: Notes) => T, urgency?: Urgency): Promise<T>;
  /** Commits all that is queued; resolves when all of it is on disk. */
  flush(): Promise<void>;
};

/** How a commit gets to the disk. */
export type Durability = {
  /** Resolves when all that was committed is on disk. */
  sync(): Promise<void>;
  /**
   * After a sync that failed: brings everything into the database file, past the log. What the kernel could not write it
   * holds for written, so a later sync of the log would call durable what is not. Throws while that fails.
   */
  recover(): void;
};

/** More jobs than this wait for the next turn: one transaction never holds the event loop for long. */
const MAX_JOBS = 512;
/** A machine's DISCOVER and REQUEST come within milliseconds: what is told of them then costs one commit instead of three. */
const SOON_MS = 25;

/**
 * @param asFault turns an error of SQLite or of the disk into the one that callers see.
 * @param afterCommit called with what the transaction changed, when it is on disk, before the promises resolve.
 * @param later runs something once after a delay; returns the way to call it off.
 */
export function groupCommit(
  db: Database,
  durability: Durability,
  asFault: (cause: unknown) => unknown,
  afterCommit: (notes: Notes) => void,
  later: (run: () => void, delayMs: number) => () => void,
): GroupCommit {
  const runBatch = batchRunner(db, asFault);
  let queue: Job[] = [];
  let callOff: (() => void) | undefined;
  let isScheduled = false;
  /** Somebody waits for what is queued. */
  let isUrgent = false;
  let needsRecovery = false;
  let syncing: Promise<void> | undefined;

  function turn(): void {
    isScheduled = false;
    callOff?.();
    callOff = undefined;
    if (syncing !== undefined || queue.length === 0) return;
    isUrgent = false;
    const batch = queue.slice(0, MAX_JOBS);
    if (!recovered(batch)) return;
    const { taken, written } = runBatch(batch);
    queue = queue.slice(taken);
    if (queue.length > 0) isUrgent = true;
    if (written === undefined) goOn();
    else if (!written.isChanged) settle(written);
    else syncing = syncThen(written);
  }

  /** @returns whether the disk can be trusted (again); if not, the batch has heard of it. */
  function recovered(batch: readonly Job[]): boolean {
    if (!needsRecovery) return true;
    try {
      durability.recover();
      needsRecovery = false;
      return true;
    } catch (cause) {
      queue = queue.slice(batch.length);
      for (const job of batch) job.reject(asFault(cause));
      isUrgent = queue.length > 0;
      goOn();
      return false;
    }
  }

  async function syncThen(written: Written): Promise<void> {
    try {
      await durability.sync();
    } catch (cause) {
      needsRecovery = true;
      syncing = undefined;
      for (const job of written.batch) job.reject(asFault(cause));
      goOn();
      return;
    }
    syncing = undefined;
    settle(written);
  }

  function settle({ notes, settle: all }: Written): void {
    afterCommit(notes);
    for (const done of all) done();
    goOn();
  }

  function goOn(): void {
    if (queue.length === 0) return;
    if (isUrgent || queue.length >= MAX_JOBS) schedule();
    else if (!isScheduled) callOff ??= later(turn, SOON_MS);
  }
  function schedule(): void {
    if (isScheduled || syncing !== undefined) return;
    isScheduled = true;
    setImmediate(turn);
  }

  return {
    write: (run, urgency = "now") =>
      new Promise((resolve, reject) => {
        queue.push({ run, resolve, reject });
        if (urgency === "now") isUrgent = true;
        if (syncing === undefined) goOn();
      }),
    flush: async () => {
      while (queue.length > 0 || syncing !== undefined) {
        if (syncing === undefined) turn();
        await syncing;
      }
    },
  };
}
