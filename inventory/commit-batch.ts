// One transaction for a batch of jobs, without a sync: group-commit.ts says when, and waits for the disk afterwards. Pure but
// for the connection it is given.
//
// First all jobs run one after the other. Only when one of them throws the transaction is undone and the same jobs run
// again, each in its own savepoint: failing is rare, and two savepoint statements per job were a fifth of the cost of a
// lease. So a job may run twice and must touch nothing but the database and the notes it is given.
import type { Database } from "better-sqlite3";
import type { EventRecord } from "./event.ts";
import type { Machine } from "./machine.ts";

/** What a write changed, for those who watch. Told when it is on disk, never before. */
export type Notes = {
  machines: Map<string, Machine>;
  deletedIds: Set<string>;
  events: EventRecord[];
  /** Clusters or roles are different now. */
  isTopologyChanged: boolean;
};
export type Job = { run: (notes: Notes) => unknown; resolve: (value: never) => void; reject: (cause: unknown) => void };
/** A batch that is committed but perhaps not on disk. `isChanged` false: nothing was written. */
export type Written = { batch: readonly Job[]; notes: Notes; settle: readonly (() => void)[]; isChanged: boolean };

/** More time than this waits for the next turn: one transaction never holds the event loop for long. */
const MAX_BATCH_MS = 15;
const LOOK_AT_CLOCK_EVERY = 16;

/** Thrown inside a transaction whose jobs shall run apart. */
const AGAIN = new Error("a job failed");

const noNotes = (): Notes => ({
  machines: new Map(),
  deletedIds: new Set(),
  events: [],
  isTopologyChanged: false,
});

function merge(into: Notes, from: Notes): void {
  for (const [id, machine] of from.machines) into.machines.set(id, machine);
  for (const id of from.deletedIds) {
    into.machines.delete(id);
    into.deletedIds.add(id);
  }
  into.events.push(...from.events);
  if (from.isTopologyChanged) into.isTopologyChanged = true;
}

/**
 * @returns runs the first jobs of a list in one transaction and says how many. `written` is undefined when the transaction
 *   failed as a whole: then its jobs have been rejected.
 */
export function batchRunner(db: Database, asFault: (cause: unknown) => unknown) {
  const begin = db.prepare<[]>("BEGIN IMMEDIATE");
  const commit = db.prepare<[]>("COMMIT");
  const rollback = db.prepare<[]>("ROLLBACK");
  const save = db.prepare<[]>("SAVEPOINT job");
  const release = db.prepare<[]>("RELEASE job");
  const undo = db.prepare<[]>("ROLLBACK TO job");
  const changes = db.prepare<[], number>("SELECT total_changes()").pluck();

  function runTogether(job: Job, notes: Notes): () => void {
    try {
      const value = job.run(notes);
      return () => job.resolve(value as never);
    } catch (cause) {
      // A full disk makes SQLite end the whole transaction by itself: then nothing of this batch is there.
      if (db.inTransaction) throw AGAIN;
      throw cause;
    }
  }

  function runApart(job: Job, notes: Notes): () => void {
    const own = noNotes();
    save.run();
    try {
      const value = job.run(own);
      release.run();
      merge(notes, own);
      return () => job.resolve(value as never);
    } catch (cause) {
      if (!db.inTransaction) throw cause;
      undo.run();
      release.run();
      return () => job.reject(asFault(cause));
    }
  }

  function transact(batch: readonly Job[], runAll: (notes: Notes) => (() => void)[]): Written | undefined {
    const notes = noNotes();
    try {
      const before = changes.get();
      begin.run();
      const settle = runAll(notes);
      commit.run();
      return { batch, notes, settle, isChanged: changes.get() !== before };
    } catch (cause) {
      if (db.inTransaction) rollback.run();
      if (cause === AGAIN) return transact(batch, (anew) => batch.map((job) => runApart(job, anew)));
      for (const job of batch) job.reject(asFault(cause));
      return undefined;
    }
  }

  return (jobs: readonly Job[]): { taken: number; written: Written | undefined } => {
    const until = performance.now() + MAX_BATCH_MS;
    const batch = [...jobs];
    const written = transact(batch, (notes) => {
      const settle: (() => void)[] = [];
      for (const [i, job] of batch.entries()) {
        settle.push(runTogether(job, notes));
        if (i % LOOK_AT_CLOCK_EVERY === LOOK_AT_CLOCK_EVERY - 1 && performance.now() > until) batch.length = i + 1;
      }
      return settle;
    });
    return { taken: batch.length, written };
  };
}
