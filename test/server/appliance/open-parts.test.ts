// Several parts opened and closed together: every fault is told, and none keeps another part open.
import { expect, test } from "vitest";
import { OpenParts, together } from "../../../server/appliance/open-parts.ts";

test("OpenParts closes all in the reverse order, also when one fails, and throws that fault at the end", async () => {
  const order: string[] = [];
  const parts = new OpenParts();
  for (const name of ["a", "b", "c"])
    parts.add({
      close: async () => {
        order.push(name);
        if (name === "b") throw new Error("b is stuck");
      },
    });
  await expect(parts.close()).rejects.toThrow("b is stuck");
  expect(order).toEqual(["c", "b", "a"]);
  await parts.close();
  expect(order).toHaveLength(3);
});

test("together gives the values in order", async () => {
  expect(await together([() => 1, async () => "two"])).toEqual([1, "two"]);
});

test("together waits for all and throws every fault, those of faults that were several already included", async () => {
  let isDone = false;
  const tasks = [
    () => Promise.reject(new Error("one")),
    () => Promise.reject(new AggregateError([new Error("two"), new Error("three")])),
    async () => {
      await new Promise(setImmediate);
      isDone = true;
    },
    () => {
      throw new Error("four");
    },
  ];
  const fault = await together(tasks).catch((cause: AggregateError) => cause);
  expect((fault as AggregateError).errors.map((error: Error) => error.message)).toEqual([
    "one",
    "two",
    "three",
    "four",
  ]);
  expect(isDone).toBe(true);
});
