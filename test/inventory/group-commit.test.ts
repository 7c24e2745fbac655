// Group commit: one transaction per turn, each job on its own, nothing told before it is there.
import Sqlite from "better-sqlite3";
import fc from "fast-check";
import { expect, test } from "vitest";
import { groupCommit, type Notes } from "../../inventory/group-commit.ts";
import type { Machine } from "../../inventory/machine.ts";

function setUp() {
  const db = new Sqlite(":memory:");
  db.exec("CREATE TABLE t (x INTEGER PRIMARY KEY)");
  const told: Notes[] = [];
  const disk = { sync: async () => {}, recover: () => {} };
  const commit = groupCommit(
    db,
    disk,
    (cause) => cause,
    (notes) => void told.push(notes),
    (run, delayMs) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  );
  const insert = db.prepare<[number]>("INSERT INTO t VALUES (?)");
  const rows = () =>
    db
      .prepare<[], { x: number }>("SELECT x FROM t ORDER BY x")
      .all()
      .map((r) => r.x);
  return { db, disk, told, commit, insert, rows };
}

test("writes of one turn share one transaction, and a failing one fails alone", async () => {
  const { commit, insert, rows, told } = setUp();
  const results = await Promise.allSettled(
    [1, 2, 1, 3].map((x) =>
      commit.write((notes) => {
        insert.run(x);
        notes.machines.set(String(x), { id: String(x) } as Machine);
        return x * 10;
      }),
    ),
  );
  expect(results.map((r) => (r.status === "fulfilled" ? r.value : r.reason.code))).toEqual([
    10,
    20,
    "SQLITE_CONSTRAINT_PRIMARYKEY",
    30,
  ]);
  expect(rows()).toEqual([1, 2, 3]);
  expect(told.map((n) => [...n.machines.keys()])).toEqual([["1", "2", "3"]]);
});

test("what a job wrote before it threw is undone with it", async () => {
  const { commit, insert, rows, told } = setUp();
  const failing = commit.write((notes) => {
    insert.run(7);
    notes.deletedIds.add("7");
    throw new Error("second thoughts");
  });
  await expect(failing).rejects.toThrow("second thoughts");
  expect(rows()).toEqual([]);
  expect(told.every((n) => n.deletedIds.size === 0)).toBe(true);
});

test("a commit that fails rejects all of its batch, and the next one works", async () => {
  const { db, commit, insert, rows } = setUp();
  db.exec("CREATE TABLE child (x INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED); PRAGMA foreign_keys = ON");
  const orphan = db.prepare("INSERT INTO child VALUES (99)");
  const results = await Promise.allSettled([commit.write(() => insert.run(1)), commit.write(() => orphan.run())]);
  expect(results.map((r) => r.status)).toEqual(["rejected", "rejected"]);
  await commit.write(() => insert.run(2));
  expect(rows()).toEqual([2]);
});

test("more than 512 writes take more than one turn, in their order", async () => {
  const { commit, insert, rows, told } = setUp();
  await Promise.all(Array.from({ length: 1300 }, (_, x) => commit.write(() => insert.run(x))));
  expect(rows()).toHaveLength(1300);
  expect(told).toHaveLength(3);
});

test("flush writes at once", async () => {
  const { commit, insert, rows } = setUp();
  void commit.write(() => insert.run(5));
  expect(rows()).toEqual([]);
  await commit.flush();
  expect(rows()).toEqual([5]);
});

test("any mix of good and failing jobs leaves exactly the good ones", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ x: fc.nat(20), fails: fc.boolean() }), { maxLength: 40 }), async (jobs) => {
      const { commit, insert, rows } = setUp();
      const results = await Promise.allSettled(
        jobs.map(({ x, fails }) =>
          commit.write(() => {
            insert.run(x);
            if (fails) throw new Error("no");
          }),
        ),
      );
      const acknowledged = jobs.filter((_, i) => results[i]!.status === "fulfilled").map((j) => j.x);
      expect(rows()).toEqual([...acknowledged].sort((a, b) => a - b));
      expect(new Set(acknowledged)).toEqual(new Set(jobs.filter((j) => !j.fails).map((j) => j.x)));
    }),
    { numRuns: 60 },
  );
});

test("what nobody waits for goes with the next urgent write, in its order, or by itself soon", async () => {
  const { commit, insert, rows, told } = setUp();
  const patient = commit.write(() => insert.run(1), "soon");
  await new Promise((resolve) => setImmediate(resolve));
  expect(rows()).toEqual([]);
  await commit.write(() => insert.run(2));
  await patient;
  expect(rows()).toEqual([1, 2]);
  expect(told).toHaveLength(1);
  await commit.write(() => insert.run(3), "soon");
  expect(rows()).toEqual([1, 2, 3]);
});

test("a job beside a failing one runs again, and what it noted counts once", async () => {
  const { commit, insert, told } = setUp();
  let runs = 0;
  const good = commit.write((notes) => {
    runs++;
    insert.run(1);
    notes.machines.set("1", { id: "1" } as Machine);
  });
  const bad = commit.write(() => insert.run(1));
  await good;
  await expect(bad).rejects.toThrow("UNIQUE");
  expect(runs).toBe(2);
  expect(told.map((n) => [...n.machines.keys()])).toEqual([["1"]]);
});

test("a database that cannot even begin fails what is asked now, and nothing is asked twice", async () => {
  const { db, commit, insert } = setUp();
  const [one, two] = [commit.write(() => insert.run(1)), commit.write(() => insert.run(2), "soon")];
  db.close();
  await expect(one).rejects.toThrow("not open");
  await expect(two).rejects.toThrow("not open");
});

test("nobody is told before the log is synced, and what is asked for meanwhile is one more group", async () => {
  const { disk, commit, insert, rows, told } = setUp();
  const syncs: (() => void)[] = [];
  disk.sync = () => new Promise((resolve) => syncs.push(resolve));
  const settled: number[] = [];
  const write = (x: number) => commit.write(() => insert.run(x)).then(() => settled.push(x));
  const first = write(1);
  const turns = () => new Promise((resolve) => setTimeout(resolve, 5));
  await turns();
  const others = [write(2), write(3)];
  await turns();
  expect([rows(), settled, told.length, syncs.length]).toEqual([[1], [], 0, 1]);
  syncs[0]!();
  await first;
  await turns();
  expect([rows(), settled, told.length, syncs.length]).toEqual([[1, 2, 3], [1], 1, 2]);
  syncs[1]!();
  await Promise.all(others);
  expect([settled, told.length]).toEqual([[1, 2, 3], 2]);
});

test("a sync that fails fails its group, and nothing is called durable before the disk has recovered", async () => {
  const { disk, commit, insert, told } = setUp();
  let isRecovered = 0;
  disk.sync = () => Promise.reject(new Error("EIO"));
  await expect(commit.write(() => insert.run(1))).rejects.toThrow("EIO");
  disk.sync = async () => {};
  disk.recover = () => {
    throw new Error("still broken");
  };
  const [two, three] = [commit.write(() => insert.run(2)), commit.write(() => insert.run(3))];
  await expect(two).rejects.toThrow("still broken");
  await expect(three).rejects.toThrow("still broken");
  expect(told).toEqual([]);
  disk.recover = () => void isRecovered++;
  await commit.write(() => insert.run(4));
  await commit.write(() => insert.run(5));
  expect([isRecovered, told.length]).toEqual([1, 2]);
});

test("what writes nothing waits for no disk", async () => {
  const { disk, commit } = setUp();
  disk.sync = () => Promise.reject(new Error("never asked"));
  expect(await commit.write(() => 7)).toBe(7);
});
