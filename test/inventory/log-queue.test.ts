// The bounded queue against a plain array that does the same slowly.
import fc from "fast-check";
import { expect, test } from "vitest";
import { logQueue } from "../../inventory/log-queue.ts";

test("logQueue behaves as an array that forgets its oldest", () => {
  const command = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), items: fc.array(fc.integer(), { maxLength: 12 }) }),
    fc.record({ kind: fc.constant("take" as const), count: fc.nat(8) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), fc.array(command), (capacity, commands) => {
      const queue = logQueue<number>(capacity);
      let model: number[] = [];
      let dropped = 0;
      for (const c of commands) {
        if (c.kind === "take") {
          expect(queue.take(c.count)).toEqual(model.splice(0, c.count));
        } else {
          queue.add(c.items);
          model.push(...c.items);
          dropped += Math.max(0, model.length - capacity);
          model = model.slice(-capacity);
        }
        expect(queue.size).toBe(model.length);
      }
      expect(queue.takeDropped()).toBe(dropped);
      expect(queue.takeDropped()).toBe(0);
    }),
  );
});
