// Group commit: all writes that one turn of the event loop asked for go to disk in one transaction; a failing one fails
// alone (design §2 row 15; performance.md §4). Used by store.ts. Pure but for the connection and the timers.
//
// First all jobs run one after the other in one transaction. Only when one of them throws the transaction is undone and the
// same jobs run again, each in its own savepoint: failing is rare, and two savepoint statements per job were a fifth of the
// cost of a lease. So a job may run twice and must touch nothing but the database and the notes it is given.
import type { Database } from "better-sqlite3";
import type { EventRecord } from "./event.ts";
import type { Machine } from "./machine.ts";
import type { Urgency } from "./port.ts";

/** What a write changed, for those who watch. Told after the commit, never before. */
export type Notes = { machines: Map<string, Machine>; deletedIds: Set<string>; events: EventRecord[] };
type Job = { run: (notes: Notes) => unknown; resolve: (value: never) => void; reject: (cause: unknown) => void };

export type GroupCommit = {
  /**
   * Resolves when what `run` wrote is on disk; rejects with what it threw, or with the fault of the commit. In order.
   * `soon` shares the next urgent commit, or waits {@link SOON_MS} for company.
   */
  write<T>(run: (notes: Notes) => T, urgency?: Urgency): Promise<T>;
  /** Commits all that is queued now. */
  flush(): void;
};

/** More jobs than this, or more time than that, wait for the next turn: one commit never holds the event loop for long. */
const MAX_JOBS = 512;
const MAX_BATCH_MS = 50;
const LOOK_AT_CLOCK_EVERY = 32;
/** A machine's DISCOVER and REQUEST come within milliseconds: what is told of them then costs one commit instead of three. */
const SOON_MS = 25;

const noNotes = (): Notes => ({ machines: new Map(), deletedIds: new Set(), events: [] });

function merge(into: Notes, from: Notes): void {
  for (const [id, machine] of from.machines) into.machines.set(id, machine);
  for (const id of from.deletedIds) {
    into.machines.delete(id);
    into.deletedIds.add(id);
  }
  into.events.push(...from.events);
}

/**
 * @param asFault turns an error of SQLite into the one that callers see.
 * @param afterCommit called with what the transaction changed, before the promises resolve.
 * @param later runs something once after a delay; returns the way to call it off.
 */
export function groupCommit(
  db: Database,
  asFault: (cause: unknown) => unknown,
  afterCommit: (notes: Notes) => void,
  later: (run: () => void, delayMs: number) => () => void,
): GroupCommit {
  const begin = db.prepare<[]>("BEGIN IMMEDIATE");
  const commit = db.prepare<[]>("COMMIT");
  const rollback = db.prepare<[]>("ROLLBACK");
  const save = db.prepare<[]>("SAVEPOINT job");
  const release = db.prepare<[]>("RELEASE job");
  const undo = db.prepare<[]>("ROLLBACK TO job");
  let queue: Job[] = [];
  let callOff: (() => void) | undefined;
  let isScheduled = false;

  /** @returns how to settle its promise once the transaction is on disk. */
  function runApart(job: Job, notes: Notes): () => void {
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

  /** One transaction; when it fails as a whole, all of its jobs fail. */
  function transact(batch: readonly Job[], runAll: (notes: Notes) => (() => void)[]): void {
    const notes = noNotes();
    let settle: (() => void)[];
    try {
      begin.run();
      settle = runAll(notes);
      commit.run();
    } catch (cause) {
      if (db.inTransaction) rollback.run();
      if (cause === AGAIN) transact(batch, (anew) => batch.map((job) => runApart(job, anew)));
      else for (const job of batch) job.reject(asFault(cause));
      return;
    }
    afterCommit(notes);
    for (const done of settle) done();
  }

  /** @returns how many of the jobs were taken. */
  function commitFrom(jobs: readonly Job[]): number {
    const until = performance.now() + MAX_BATCH_MS;
    const batch = jobs.slice(0, MAX_JOBS);
    transact(batch, (notes) => {
      const settle: (() => void)[] = [];
      for (const [i, job] of batch.entries()) {
        settle.push(runTogether(job, notes));
        if (i % LOOK_AT_CLOCK_EVERY === 0 && performance.now() > until) batch.length = i + 1;
      }
      return settle;
    });
    return batch.length;
  }

  function runTogether(job: Job, notes: Notes): () => void {
    try {
      const value = job.run(notes);
      return () => job.resolve(value as never);
    } catch (cause) {
      if (db.inTransaction) throw AGAIN;
      throw cause;
    }
  }

  function turn(): void {
    isScheduled = false;
    callOff?.();
    callOff = undefined;
    if (queue.length === 0) return;
    const jobs = queue;
    queue = [];
    const taken = commitFrom(jobs);
    // A promise that settled may have asked for more meanwhile: that comes behind what is left.
    if (taken < jobs.length) {
      queue = [...jobs.slice(taken), ...queue];
      schedule();
    }
  }
  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(turn);
  }

  return {
    write: (run, urgency = "now") =>
      new Promise((resolve, reject) => {
        queue.push({ run, resolve, reject });
        if (urgency === "now" || queue.length >= MAX_JOBS) schedule();
        else if (!isScheduled) callOff ??= later(turn, SOON_MS);
      }),
    flush: () => {
      while (queue.length > 0) turn();
    },
  };
}

/** Thrown inside a transaction whose jobs shall run apart. */
const AGAIN = new Error("a job failed");
