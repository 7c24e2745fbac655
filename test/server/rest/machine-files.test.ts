// Machines as files: CSV and Machine documents, both ways, with the place of every fault.
import fc from "fast-check";
import { expect, test } from "vitest";
import { formatFaults, placeFault } from "../../../server/rest/file-row.ts";
import { formatCsv, parseCsv, splitCsv } from "../../../server/rest/machine-csv.ts";
import { formatDocuments, parseDocuments } from "../../../server/rest/machine-document.ts";
import type { ImportRow, MachineView } from "../../../server/rest/schema.ts";

const view = (over: Partial<MachineView>): MachineView => ({
  id: "id",
  macs: ["52:54:00:00:00:0a"],
  lifecycle: "approved",
  activity: "off",
  createdAt: "2026-01-02T03:04:05.000Z",
  seenAt: "2026-01-02T03:04:05.000Z",
  ...over,
});
const faultsOf = (parse: (text: string) => ReturnType<typeof parseCsv>, text: string) =>
  formatFaults("f", parse(text).faults);

test("parseCsv reads columns in any order, blanks, quotes, comments, both line ends", () => {
  const text =
    '# my rack\r\nname, mac,role\r\n"we""b,1", 52:54:00:00:00:0a  52:54:00:00:00:0b ,worker\r\n\r\n,52:54:00:00:00:0c,\n';
  expect(parseCsv(text)).toEqual({
    faults: [],
    rows: [
      {
        line: 3,
        column: 1,
        row: { name: 'we"b,1', macs: ["52:54:00:00:00:0a", "52:54:00:00:00:0b"], role: "worker" },
        places: { name: { line: 3, column: 1 }, macs: { line: 3, column: 12 }, role: { line: 3, column: 50 } },
      },
      {
        line: 5,
        column: 1,
        row: { macs: ["52:54:00:00:00:0c"] },
        places: { name: { line: 5, column: 1 }, macs: { line: 5, column: 2 }, role: { line: 5, column: 20 } },
      },
    ],
  });
});

test("splitCsv counts lines inside quotes", () => {
  expect(
    splitCsv('a,"b\nc",d\ne')
      .lines.flat()
      .map((c) => [c.text, c.line, c.column]),
  ).toEqual([
    ["a", 1, 1],
    ["b\nc", 1, 3],
    ["d", 2, 4],
    ["e", 3, 1],
  ]);
});

const CSV_FAULTS: { name: string; text: string; want: string[] }[] = [
  {
    name: "unknown and double columns",
    text: "mac,rolle,mac\n",
    want: [
      "f:1:5: rolle: no such column; known: mac, role, cluster, name, address, boot, uuid, serial",
      "f:1:11: mac: this column is given twice",
    ],
  },
  {
    name: "a file without a head line",
    text: "52:54:00:00:00:0a,worker\n",
    want: ['f:1:1: the first line must name the columns, mac among them; found "52:54:00:00:00:0a,worker"'],
  },
  { name: "too many cells", text: "mac,role\nx,worker,y\n", want: ["f:2:10: 3 cells, but the first line names 2"] },
  {
    name: "an open quote",
    text: 'mac,role\nx,"worker\n',
    want: ['f:2:3: a quote (") without its end, or with text after it'],
  },
];
for (const { name, text, want } of CSV_FAULTS) {
  test(`parseCsv names ${name}`, () => expect(faultsOf(parseCsv, text)).toEqual(want));
}

test("parseCsv of nothing is no row and no fault", () => expect(parseCsv("\n# x\n")).toEqual({ rows: [], faults: [] }));

test("formatDocuments is the document that docs/cli.md shows", () => {
  expect(formatDocuments([view({ name: "web1", role: "worker", address: "192.0.2.50" })])).toBe(`---
apiVersion: slipway.dev/v1alpha1
kind: Machine
metadata:
  name: web1
spec:
  macs:
    - 52:54:00:00:00:0a
  role: worker
  address: 192.0.2.50
status:
  lifecycle: approved
  activity: off
  seenAt: 2026-01-02T03:04:05.000Z
`);
});

const DOCUMENT_FAULTS: { name: string; text: string; want: string[] }[] = [
  {
    name: "another kind and version",
    text: "apiVersion: v1\nkind: Pod\nspec: { macs: [a] }\n",
    want: ['f:1:13: apiVersion: must be slipway.dev/v1alpha1, found "v1"', 'f:2:7: kind: must be Machine, found "Pod"'],
  },
  {
    name: "unknown keys at each level",
    text: "apiVersion: slipway.dev/v1alpha1\nkind: Machine\nmetadata: { labels: {} }\nspec: { macs: [a], rolle: x }\nextra: 1\n",
    want: [
      "f:3:13: metadata.labels: no such key; known here: name",
      "f:4:20: spec.rolle: no such key; known here: macs, role, cluster, address, boot, uuid, serial",
      "f:5:1: extra: no such key; known here: apiVersion, kind, metadata, spec, status",
    ],
  },
  {
    name: "no spec, and a list as the document",
    text: "apiVersion: slipway.dev/v1alpha1\nkind: Machine\n---\n- a\n",
    want: [
      "f:1:1: spec: must be a map with at least macs",
      "f:4:1: must be a Machine document (a map with apiVersion, kind, metadata, spec)",
    ],
  },
  {
    name: "what is no value",
    text: "apiVersion: slipway.dev/v1alpha1\nkind: Machine\nspec:\n  macs: [[a]]\n  role: [x]\n",
    want: ["f:4:9: spec.macs: must be a list of MACs", "f:5:9: spec.role: must be one value"],
  },
  {
    name: "what is no YAML",
    text: "a: [\n",
    want: [expect.stringMatching(/^f:\d:\d: not valid YAML: /) as unknown as string],
  },
];
for (const { name, text, want } of DOCUMENT_FAULTS) {
  test(`parseDocuments names ${name}`, () => expect(faultsOf(parseDocuments, text)).toEqual(want));
}

test("parseDocuments keeps the place of each value", () => {
  const text =
    "apiVersion: slipway.dev/v1alpha1\nkind: Machine\nmetadata:\n  name: web1\nspec:\n  macs: [52:54:00:00:00:0a]\n  role: x\n";
  const { rows, faults } = parseDocuments(text);
  expect(faults).toEqual([]);
  expect(rows[0]!.places).toEqual({
    name: { line: 4, column: 9 },
    macs: { line: 6, column: 9 },
    role: { line: 7, column: 9 },
  });
});

test("placeFault turns the appliance's rows into lines of the file", () => {
  const { rows } = parseCsv("mac,role\na,b\nc,d\n");
  expect(
    formatFaults("f.csv", [
      placeFault({ at: "rows.1.role", message: "must be x" }, rows),
      placeFault({ at: "rows.1.macs", message: "m stands in row 1 already" }, rows),
      placeFault({ at: "rows.0.name", message: "no" }, rows),
    ]),
  ).toEqual(["f.csv:2:1: name: no", "f.csv:3:1: macs: m stands in line 2 already", "f.csv:3:3: role: must be x"]);
});

/** Any machine that the inventory can hold, as an import row. */
const text = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme-ascii" }).filter((t) => t.trim() === t);
const machines = fc.array(
  fc.record(
    {
      mac: fc.constantFrom("52:54:00:00:00:0a", "00:1b:21:00:00:01"),
      role: fc.constant("worker"),
      name: text,
      address: fc.ipV4(),
      serial: text,
    },
    { requiredKeys: ["mac"] },
  ),
  { maxLength: 5 },
);
const asView = ({ mac, ...rest }: Record<string, string>): MachineView => view({ macs: [mac!], ...rest });
const asRow = ({ mac, ...rest }: Record<string, string>) => ({ macs: [mac!], ...rest }) as ImportRow;

for (const [name, format, parse] of [
  ["CSV", formatCsv, parseCsv],
  ["YAML", formatDocuments, parseDocuments],
] as const) {
  test(`import reads back exactly what export wrote as ${name}`, () => {
    fc.assert(
      fc.property(machines, (list) => {
        const { rows, faults } = parse(format(list.map((m) => asView(m as never))));
        expect(faults).toEqual([]);
        expect(rows.map((r) => r.row)).toEqual(list.map((m) => asRow(m as never)));
      }),
    );
  });
}
