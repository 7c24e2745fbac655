// When a pass over the whole node is due. What a pass does, nodes.integration.test.ts shows.
import { expect, test } from "vitest";
import type { NodeContext } from "../../../node-agent/kubernetes/context.ts";
import { isDue } from "../../../node-agent/kubernetes/run-settle.ts";

const around = {
  ...{ addresses: ["192.0.2.7"], resolvers: [], mtuBytes: 1500, isClockSet: true, holdsEndpoint: false },
  memoryAvailableBytes: 2 ** 30,
};
const open = (isReady = true) =>
  ({ inputs: "", lookedAtMs: undefined, isReady, hasApiAnswered: true, kept: {} }) as unknown as NodeContext;
const ask = (context: NodeContext, addresses = around.addresses) =>
  isDue(context, { around: { ...around, addresses }, start: undefined });
const passed = (context: NodeContext, agoMs = 0) => {
  context.lookedAtMs = performance.now() - agoMs;
};

test("a pass is due at first, not after one that went through, and again where something changed", () => {
  const context = open();
  expect(ask(context)).toBe(true);
  passed(context);
  expect(ask(context)).toBe(false);
  expect(ask(context, ["192.0.2.8"])).toBe(true);
});
test.each([
  ["a node that is ready", true, 29_000, false],
  ["a node that is ready", true, 31_000, true],
  ["one that is not", false, 4000, false],
  ["one that is not", false, 6000, true],
])("a pass is done again on %s (%s) after %i ms: %s", (_, isReady, agoMs, want) => {
  const context = open(isReady);
  ask(context);
  passed(context, agoMs);
  expect(ask(context)).toBe(want);
});
test("a pass that a full disk ended is due again, and does not wait as one that went through", () => {
  const context = open();
  ask(context);
  passed(context);
  expect(ask(context, ["192.0.2.8"])).toBe(true);
  // It threw: nobody noted that it went through.
  expect(ask(context, ["192.0.2.8"])).toBe(true);
});
