// Rows of an import file against the inventory: what is created, changed, left, and refused.
import { expect, test } from "vitest";
import type { Machine } from "../../../inventory/machine.ts";
import type { Facts } from "../../../server/rest/check-fields.ts";
import { planImport } from "../../../server/rest/plan-import.ts";
import type { ImportRow } from "../../../server/rest/schema.ts";

const A = "52:54:00:00:00:0a";
const B = "52:54:00:00:00:0b";
const C = "52:54:00:00:00:0c";
const machine = (over: Partial<Machine>): Machine => ({
  id: "a",
  macs: [A],
  lifecycle: "discovered",
  activity: "off",
  createdAt: "",
  seenAt: "",
  ...over,
});
const facts = (machines: Machine[]): Facts => ({
  ...{ clusters: [], roles: ["controlplane", "worker"] },
  machines,
  leases: [],
  networks: [],
  ownAddresses: [],
  nowSeconds: 0,
});
const plan = (rows: ImportRow[], machines: Machine[] = [], approve = false) =>
  planImport(rows, approve, facts(machines));
const faultsOf = (rows: ImportRow[], machines: Machine[] = [], approve = false): string[] => {
  try {
    plan(rows, machines, approve);
  } catch (error) {
    return (error as { faults: { at: string; message: string }[] }).faults.map((f) => `${f.at}: ${f.message}`);
  }
  return [];
};

test("planImport creates what no MAC knows and changes what one does", () => {
  expect(plan([{ macs: ["52540000000A", B], role: "worker" }, { macs: [C] }], [machine({})])).toEqual({
    creations: [{ macs: [C] }],
    changes: [{ id: "a", role: "worker", macs: [A, B] }],
    unchanged: 0,
  });
});

test("planImport leaves alone what a row does not say, and counts a row that says nothing new", () => {
  const known = machine({ role: "worker", name: "web1", uuid: "4c4c4544-0000-1000-8000-000000000000" });
  expect(plan([{ macs: [A], role: "worker", uuid: "4C4C4544-0000-1000-8000-000000000000" }], [known])).toEqual({
    creations: [],
    changes: [],
    unchanged: 1,
  });
});

test("planImport lets machines of one file swap names and addresses", () => {
  const machines = [
    machine({ name: "a", address: "192.0.2.1" }),
    machine({ id: "b", macs: [B], name: "b", address: "192.0.2.2" }),
  ];
  const swapped = plan(
    [
      { macs: [A], name: "b", address: "192.0.2.2" },
      { macs: [B], name: "a", address: "192.0.2.1" },
    ],
    machines,
  );
  expect(swapped.changes).toEqual([
    { id: "a", name: "b", address: "192.0.2.2" },
    { id: "b", name: "a", address: "192.0.2.1" },
  ]);
  expect(faultsOf([{ macs: [A], name: "b" }], machines)).toEqual([`rows.0.name: "b" is the name of ${B} already`]);
});

test("planImport approves only when told, and never an installed machine anew", () => {
  const installed = machine({ id: "b", macs: [B], lifecycle: "installed" });
  const rows = [{ macs: [A] }, { macs: [B] }, { macs: [C] }];
  expect(plan(rows, [machine({}), installed], true)).toEqual({
    creations: [{ macs: [C], lifecycle: "approved" }],
    changes: [{ id: "a", lifecycle: "approved" }],
    unchanged: 1,
  });
  expect(plan([{ macs: [C] }]).creations).toEqual([{ macs: [C] }]);
});

const ROWS: { name: string; rows: ImportRow[]; machines?: Machine[]; approve?: boolean; want: string[] }[] = [
  { name: "a row without MAC", rows: [{ macs: [] }], want: ["rows.0.macs: must hold at least one MAC"] },
  {
    name: "values that stand twice, with the row of the first",
    rows: [
      { macs: [A], name: "x", address: "192.0.2.5" },
      { macs: [A, B], name: "X", address: "192.0.2.5" },
    ],
    want: [
      `rows.1.macs: ${A} stands in row 1 already`,
      "rows.1.name: x stands in row 1 already",
      "rows.1.address: 192.0.2.5 stands in row 1 already",
    ],
  },
  {
    name: "one row with the MACs of two machines",
    rows: [{ macs: [A, B] }],
    machines: [machine({ name: "web1" }), machine({ id: "b", macs: [B] })],
    want: [`rows.0.macs: belong to 2 machines, web1 and ${B}`],
  },
  {
    name: "a UUID that is none",
    rows: [{ macs: [A], uuid: "1234" }],
    want: ['rows.0.uuid: must be a UUID of 32 hex digits with hyphens, found "1234"'],
  },
  {
    name: "a retired machine to be approved",
    rows: [{ macs: [A] }],
    machines: [machine({ lifecycle: "retired" })],
    approve: true,
    want: [`${A}: is retired and cannot become approved; slipway retire ${A} --undo takes it back into service`],
  },
];
for (const { name, rows, machines, approve, want } of ROWS) {
  test(`planImport refuses ${name}`, () => expect(faultsOf(rows, machines, approve)).toEqual(want));
}

test("planImport refuses a serial that would steer a terminal", () => {
  expect(faultsOf([{ macs: [C], serial: "a\u001b[2J" }])).toEqual([
    'rows.0.serial: must be printable text, found "a\\u001b[2J"',
  ]);
});

test("planImport changes no name, role or cluster of an installed machine, and takes a row that says what it is", () => {
  const installation = { installId: "i", number: 1, disk: "/dev/vda", at: 0, cluster: "rack1" };
  const known = machine({ name: "cp1", role: "controlplane", lifecycle: "ready", installation });
  const judge = (row: Partial<ImportRow>) => {
    try {
      return planImport([{ macs: [A], ...row }], false, { ...facts([known]), clusters: ["rack1", "rack2"] });
    } catch (error) {
      return (error as { faults: { at: string; message: string }[] }).faults.map((f) => `${f.at}: ${f.message}`);
    }
  };
  const why = "the machine is installed; `slipway reset cp1` first";
  expect(judge({ name: "cp2", role: "worker", cluster: "rack2" })).toEqual([
    `rows.0.name: cannot change from cp1 to cp2: ${why}`,
    `rows.0.role: cannot change from controlplane to worker: ${why}`,
    `rows.0.cluster: cannot change from rack1 to rack2: ${why}`,
  ]);
  expect(judge({ name: "cp1", role: "controlplane" })).toMatchObject({ unchanged: 1 });
  expect(judge({ cluster: "rack1" })).toMatchObject({ changes: [{ id: "a", cluster: "rack1" }] });
  const install = { order: "o", mayWipe: false, orderedAt: 0, givenToKey: "k" };
  const installing = machine({ name: "w1", role: "worker", lifecycle: "approved", install });
  expect(faultsOf([{ macs: [A], name: "w2" }], [installing])).toEqual([
    "rows.0.name: cannot change from w1 to w2: the machine installs with that already; `slipway approve w1 --undo` first",
  ]);
  expect(faultsOf([{ macs: [A], name: "w2" }], [{ ...installing, lifecycle: "discovered" }])).toEqual([]);
  expect(judge({ address: "192.0.2.9" })).toMatchObject({ changes: [{ address: "192.0.2.9" }] });
});
