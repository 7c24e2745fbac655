// Events while dataDir cannot be written: kept in order, bounded, written later with one alarm; and never blocked by a bad one.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { NewEvent } from "../../../inventory/event.ts";
import { runRecorder } from "../../../server/appliance/run-recorder.ts";
import { SlipwayError } from "../../../server/contract/errors.ts";

let written: NewEvent[];
let fault: Error | undefined;
const lines: string[] = [];
const say = (text: string) => void lines.push(text);
const log = { debug: say, info: say, warn: say, error: say };
const open = () =>
  runRecorder(
    {
      recordEvents: async (events) => {
        if (fault) throw fault;
        written.push(...events);
      },
    },
    log,
  );
const step = (n: number) => ({ kind: "agent-progress", detail: { step: `${n}` } }) as const;
const steps = () =>
  written.filter((event) => event.kind === "agent-progress").map((event) => Number(event.detail?.step));

beforeEach(() => {
  vi.useFakeTimers();
  [written, fault] = [[], undefined];
  lines.length = 0;
});
afterEach(() => vi.useRealTimers());

test("what cannot be written is kept and written in order when there is room, with one alarm and one event", async () => {
  const recorder = open();
  recorder.record(step(1));
  await vi.advanceTimersByTimeAsync(0);
  fault = new SlipwayError("DISK_FULL", "inventory.db cannot be written: the file system is full");
  recorder.record(step(2));
  recorder.record(step(3));
  await vi.advanceTimersByTimeAsync(3000);
  recorder.record(step(4));
  expect(recorder.alarm()).toMatchObject({
    remedy: expect.stringContaining("Free space"),
    text: expect.stringContaining("is full"),
  });
  expect(lines).toHaveLength(1);
  fault = undefined;
  await vi.advanceTimersByTimeAsync(2000);
  expect(steps()).toEqual([1, 2, 3, 4]);
  expect(written.at(-1)).toMatchObject({ kind: "storage-failed", detail: { seconds: 4, kept: 3, dropped: 0 } });
  expect(recorder.alarm()).toBeUndefined();
  recorder.record(step(5));
  await recorder.close();
  expect(steps()).toEqual([1, 2, 3, 4, 5]);
});

test("more than 5000 are dropped, the oldest first, and counted", async () => {
  const recorder = open();
  fault = new SlipwayError("DISK_FULL", "full");
  recorder.record(step(0));
  await vi.advanceTimersByTimeAsync(0);
  for (let n = 1; n <= 6000; n++) recorder.record(step(n));
  fault = undefined;
  await vi.advanceTimersByTimeAsync(2000);
  expect(steps()).toHaveLength(5000);
  expect(steps()[0]).toBe(1001);
  expect(written.at(-1)!.detail).toMatchObject({ kept: 5000, dropped: 1001 });
});

test("an event that is wrong in itself is told, lost, and holds up no other", async () => {
  const recorder = open();
  fault = new TypeError("no such column");
  recorder.record(step(1));
  await vi.advanceTimersByTimeAsync(0);
  fault = undefined;
  recorder.record(step(2));
  await recorder.close();
  expect(steps()).toEqual([2]);
  expect(lines).toEqual(["The event agent-progress could not be written."]);
});

test("close tries once more, and says how many are lost when that fails", async () => {
  const recorder = open();
  fault = new SlipwayError("DISK_FULL", "full");
  recorder.record(step(1));
  await vi.advanceTimersByTimeAsync(0);
  await recorder.close();
  expect(lines.at(-1)).toBe("1 events are lost: they could not be written.");
});
