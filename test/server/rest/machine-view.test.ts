// What a machine's row shows beside its record: an agent that is in touch is seen now.
import { expect, test } from "vitest";
import type { Machine } from "../../../inventory/machine.ts";
import { viewOf } from "../../../server/rest/machine-view.ts";

const MACHINE: Machine = {
  ...{ id: "m1", macs: ["52:54:00:00:00:0a"], lifecycle: "ready", activity: "running" },
  ...{ createdAt: "2026-11-24T12:00:00.000Z", seenAt: "2026-11-24T12:30:00.000Z" },
};
const HOUR_LATER = Date.parse("2026-11-24T13:30:00.000Z") / 1000;
const LIVE = { bootSource: "disk", installId: "i1" };

test("viewOf of a machine out of touch shows when it was seen last", () => {
  expect(viewOf(MACHINE, [], HOUR_LATER, undefined).seenAt).toBe(MACHINE.seenAt);
});

test("viewOf of a machine whose agent is in touch shows the present, though no packet came for an hour", () => {
  expect(viewOf(MACHINE, [], HOUR_LATER, LIVE).seenAt).toBe("2026-11-24T13:30:00.000Z");
});

test("viewOf never shows a time before the last packet", () => {
  expect(viewOf(MACHINE, [], 0, LIVE).seenAt).toBe(MACHINE.seenAt);
});
