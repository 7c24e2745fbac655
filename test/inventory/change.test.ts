// What changes do to a machine, without a database.
import { expect, test } from "vitest";
import { applyChange, nameOf } from "../../inventory/change.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { MachineChange } from "../../inventory/port.ts";

const AT = "2026-11-24T20:00:00.000Z";
const UUID = "564d0b2e-3c1f-4a5b-8c7d-001122334455";
const BASE: Machine = {
  id: "1",
  macs: ["52:54:00:00:00:0a"],
  lifecycle: "discovered",
  activity: "off",
  createdAt: AT,
  seenAt: AT,
};
const CASES: {
  name: string;
  over?: Partial<Machine>;
  change: Partial<MachineChange>;
  want: Partial<Machine>;
  what: string[];
}[] = [
  { name: "a name", change: { name: "a" }, want: { name: "a" }, what: ["name nothing → a"] },
  { name: "another name", over: { name: "a" }, change: { name: "b" }, want: { name: "b" }, what: ["name a → b"] },
  { name: "the same name", over: { name: "a" }, change: { name: "a" }, want: { name: "a" }, what: [] },
  { name: "nothing at all", change: {}, want: {}, what: [] },
  { name: "a cleared name that was none", change: { name: null }, want: {}, what: [] },
  { name: "a UUID", change: { uuid: UUID.toUpperCase() }, want: { uuid: UUID }, what: [`uuid nothing → ${UUID}`] },
  {
    name: "a board without a UUID",
    over: { uuid: UUID },
    change: { uuid: "Not Settable" },
    want: { uuid: UUID },
    what: [],
  },
  { name: "facts", change: { facts: { cpus: 4 } }, want: { facts: { cpus: 4 } }, what: ["facts changed"] },
  { name: "the same facts", over: { facts: { cpus: 4 } }, change: { facts: { cpus: 4 } }, want: {}, what: [] },
  {
    name: "a MAC twice",
    change: { macs: ["52:54:00:00:00:0a", "52:54:00:00:00:0a"] },
    want: { macs: BASE.macs },
    what: [],
  },
  {
    name: "a pairing code, unspoken",
    change: { pairingCode: "1234" },
    want: { pairingCode: "1234" },
    what: ["pairingCode changed"],
  },
  {
    name: "an approval",
    change: { lifecycle: "approved", role: "worker" },
    want: { lifecycle: "approved", approvedAt: AT, approvedBy: "anna" },
    what: ["role nothing → worker", "lifecycle discovered → approved"],
  },
];
for (const { name, over, change, want, what } of CASES) {
  test(`applyChange: ${name}`, () => {
    const before = { ...BASE, ...over };
    const frozen = Object.freeze({ ...before });
    const changed = applyChange(frozen, change, "anna", AT);
    expect(changed.after).toEqual({ ...before, ...changed.after, ...want });
    expect(changed.what).toEqual(what);
    expect(changed.isChanged).toBe(what.length > 0);
    expect(changed.isApproval).toBe(change.lifecycle === "approved");
    expect(frozen).toEqual(before);
  });
}
test("nameOf says how people know a machine", () => {
  expect(nameOf(BASE)).toBe("52:54:00:00:00:0a");
  expect(nameOf({ ...BASE, name: "rack1-a" })).toBe("rack1-a (52:54:00:00:00:0a)");
});

const INSTALL = { order: "o1", mayWipe: false, orderedAt: 1, firstContactAt: 2 };
const FAILURE = { reason: "no disk", remedy: "fit one" };
const WORDS: [string, Machine["install"], Machine["install"] | null, string[]][] = [
  ["ordered", undefined, INSTALL, ["install ordered"]],
  ["ordered anew", INSTALL, { ...INSTALL, order: "o2", mayWipe: true }, ["install ordered, the disk may be wiped"]],
  ["given out", INSTALL, { ...INSTALL, givenToKey: "k", givenInAttempt: "a" }, ["config given out"]],
  ["stopped, which is no news for the audit log", INSTALL, { ...INSTALL, failure: FAILURE }, []],
  ["going on", { ...INSTALL, failure: FAILURE }, INSTALL, []],
  ["no longer ordered", INSTALL, null, ["install no longer ordered"]],
];
for (const [name, from, to, what] of WORDS) {
  test(`applyChange: an install that is ${name}`, () => {
    const changed = applyChange({ ...BASE, ...(from && { install: from }) }, { install: to ?? null }, "slipway", AT);
    expect(changed).toMatchObject({ what, isChanged: true });
    expect(changed.after.install).toEqual(to ?? undefined);
  });
}

test("applyChange: with an approval goes the install that was ordered", () => {
  const before = { ...BASE, lifecycle: "approved", approvedAt: AT, approvedBy: "anna", install: INSTALL } as const;
  const { after, what } = applyChange(before, { lifecycle: "discovered" }, "anna", AT);
  expect(after).toEqual(BASE);
  expect(what).toEqual(["lifecycle approved → discovered", "install no longer ordered"]);
  expect(applyChange(before, { lifecycle: "installed" }, "anna", AT).after.install).toEqual(INSTALL);
});
