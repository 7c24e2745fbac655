// The two durability checks in short: the long runs are test/long/durable-ack.ts and test/long/kill-under-load.ts.
import { expect, test } from "vitest";
import { traceAcks } from "../../long/durable-ack.ts";
import { killUnderLoad } from "../../long/kill-under-load.ts";

test("no ACK leaves before its lease is synced (system call trace)", async () => {
  const verdicts = await traceAcks("FULL", 8);
  expect(verdicts).toHaveLength(8);
  expect(verdicts.filter((one) => !one.isDurable)).toEqual([]);
});

test("the trace check fails with synchronous=NORMAL", async () => {
  const verdicts = await traceAcks("NORMAL", 4);
  expect(verdicts.filter((one) => !one.isDurable)).not.toEqual([]);
});

test("kill -9 under load loses no acknowledged lease and gives no address twice", async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 100_000);
  console.log(`seed ${seed}`);
  const { acks, faults } = await killUnderLoad({ kills: 4, seed });
  expect(acks).toBeGreaterThan(50);
  expect(faults).toEqual([]);
});

test("the kill check fails when answers leave before the write", async () => {
  const { faults } = await killUnderLoad({ kills: 4, seed: 7, isLying: true });
  expect(faults).not.toEqual([]);
});
