// Group commit: all writes that one turn of the event loop asked for go to disk in one transaction, each in its own
// savepoint, so that a failing one fails alone (design §2 row 15; performance.md §4). Used by store.ts. Pure but for the
// connection it is given.
import type { Database } from "better-sqlite3";
import type { EventRecord } from "./event.ts";

/** What a write changed, for those who watch. Told after the commit, never before. */
export type Notes = { machineIds: Set<string>; deletedIds: Set<string>; events: EventRecord[] };
type Job = { run: (notes: Notes) => unknown; resolve: (value: never) => void; reject: (cause: unknown) => void };

export type GroupCommit = {
  /** Resolves when what `run` wrote is on disk; rejects with what it threw, or with the fault of the commit. */
  write<T>(run: (notes: Notes) => T): Promise<T>;
  /** Commits all that is queued now. */
  flush(): void;
};

/** More jobs than this wait for the next turn, so that one commit never holds the event loop for long. */
const MAX_JOBS = 512;

const noNotes = (): Notes => ({ machineIds: new Set(), deletedIds: new Set(), events: [] });

function merge(into: Notes, from: Notes): void {
  for (const id of from.machineIds) into.machineIds.add(id);
  for (const id of from.deletedIds) into.deletedIds.add(id);
  into.events.push(...from.events);
}

/**
 * @param asFault turns an error of SQLite into the one that callers see.
 * @param afterCommit called with what the transaction changed, before the promises resolve.
 */
export function groupCommit(
  db: Database,
  asFault: (cause: unknown) => unknown,
  afterCommit: (notes: Notes) => void,
): GroupCommit {
  const begin = db.prepare<[]>("BEGIN IMMEDIATE");
  const commit = db.prepare<[]>("COMMIT");
  const rollback = db.prepare<[]>("ROLLBACK");
  const save = db.prepare<[]>("SAVEPOINT job");
  const release = db.prepare<[]>("RELEASE job");
  const undo = db.prepare<[]>("ROLLBACK TO job");
  let queue: Job[] = [];
  let isScheduled = false;

  /** @returns how to settle its promise once the transaction is on disk. */
  function runJob(job: Job, notes: Notes): () => void {
    const own = noNotes();
    save.run();
    try {
      const value = job.run(own);
      release.run();
      merge(notes, own);
      return () => job.resolve(value as never);
    } catch (cause) {
      // A full disk makes SQLite end the whole transaction by itself: then nothing of this batch is there.
      if (!db.inTransaction) throw cause;
      undo.run();
      release.run();
      return () => job.reject(asFault(cause));
    }
  }

  function commitBatch(batch: readonly Job[]): void {
    const notes = noNotes();
    const settle: (() => void)[] = [];
    try {
      begin.run();
      for (const job of batch) settle.push(runJob(job, notes));
      commit.run();
    } catch (cause) {
      if (db.inTransaction) rollback.run();
      const fault = asFault(cause);
      for (const job of batch) job.reject(fault);
      return;
    }
    afterCommit(notes);
    for (const done of settle) done();
  }

  function turn(): void {
    isScheduled = false;
    const batch = queue.slice(0, MAX_JOBS);
    queue = queue.slice(MAX_JOBS);
    if (queue.length > 0) schedule();
    if (batch.length > 0) commitBatch(batch);
  }
  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(turn);
  }

  return {
    write: (run) =>
      new Promise((resolve, reject) => {
        queue.push({ run, resolve, reject });
        schedule();
      }),
    flush: () => {
      while (queue.length > 0) turn();
    },
  };
}
