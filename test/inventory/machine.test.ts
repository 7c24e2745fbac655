// The two tables of moves.
import { expect, test } from "vitest";
import {
  ACTIVITY,
  type Activity,
  assertLifecycle,
  canMoveActivity,
  LIFECYCLE,
  type Lifecycle,
} from "../../inventory/machine.ts";

for (const from of Object.keys(LIFECYCLE) as Lifecycle[]) {
  for (const to of Object.keys(LIFECYCLE) as Lifecycle[]) {
    const isLegal = from === to || (LIFECYCLE[from] as readonly string[]).includes(to);
    test(`${from} → ${to} is ${isLegal ? "legal" : "refused, with what is legal"}`, () => {
      const move = () => assertLifecycle(from, to);
      if (isLegal) expect(move).not.toThrow();
      else
        expect(move).toThrow(
          `a machine that is ${from} cannot become ${to}; it can become ${LIFECYCLE[from].join(" or ")}`,
        );
    });
  }
}
for (const from of Object.keys(ACTIVITY) as Activity[]) {
  test(`a machine that is ${from} may lose its power, start again or stay`, () => {
    expect([canMoveActivity(from, "off"), canMoveActivity(from, "firmware"), canMoveActivity(from, from)]).toEqual([
      true,
      true,
      true,
    ]);
  });
}
test("a late packet does not turn a running machine back to loading", () => {
  expect(canMoveActivity("running", "loading")).toBe(false);
});
