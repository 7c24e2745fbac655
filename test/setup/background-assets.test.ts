// Which lines of a background build reach the appliance's own output.
import { expect, test } from "vitest";

const { thinOut } = (await import(new URL("../../setup/background-assets.mjs", import.meta.url).href)) as {
  thinOut(everyMs?: number): (line: string, nowMs: number) => boolean;
};

test("thinOut shows every rare line, and of the frequent ones one in thirty seconds", () => {
  const isShown = thinOut();
  const compiled = "Kubernetes, amd64: 812 packages compiled, at most 1579 left, 3 min 5 s";
  const shown = [0, 10_000, 20_000, 30_000, 40_000].map((nowMs) => isShown(compiled, nowMs));
  expect(shown).toEqual([true, false, false, true, false]);
  expect(isShown("amd64 full: done in 144 s", 41_000)).toBe(true);
  expect(isShown("", 42_000)).toBe(false);
});
