import { expect, test } from "vitest";
import type { Machine } from "../../../inventory/machine.ts";
import { findMachine } from "../../../server/rest/find-machine.ts";

const machine: Machine = {
  ...{ id: "a3578205-49af-469d-92c1-90ee441001ad", macs: ["52:54:00:00:00:01"], name: "web1" },
  ...{ lifecycle: "discovered", activity: "off", createdAt: "", seenAt: "" },
};
const UNKNOWN = /^no machine has this MAC, name or id$/;
const NO_MAC = /^is no machine's MAC: that is six bytes/;
const NONE = [
  { ref: "web2", reason: UNKNOWN },
  { ref: "a-b-c-d", reason: UNKNOWN },
  { ref: "a3578205-49af-469d-92c1-90ee441001ae", reason: UNKNOWN },
  { ref: "01:00:5e:00:00:01", reason: NO_MAC },
  { ref: "52:54:00:00:00", reason: NO_MAC },
  { ref: "52-54-00-00-00-0g", reason: NO_MAC },
  { ref: "5254.0000.000", reason: NO_MAC },
];
for (const { ref, reason } of NONE) {
  test(`findMachine says why ${ref} is nobody`, () => {
    const found = findMachine([machine], ref);
    expect(found).toEqual({ kind: "none", reason: expect.stringMatching(reason) });
  });
}

test("findMachine takes a MAC in any spelling, a name in any case, and the beginning of an id", () => {
  for (const ref of ["5254.0000.0001", "WEB1", "a357", machine.id]) {
    expect(findMachine([machine], ref)).toEqual({ kind: "machine", machine });
  }
  expect(findMachine([machine], "52:54:00:00:00:02")).toEqual({ kind: "unknown-mac", mac: "52:54:00:00:00:02" });
});
