// The table of fields against the published list of fields: every one has a row, or lies below one that is refused or taken
// whole, and the table invents none. docs/machine-config.md is held against it in machine-config-page.test.ts.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { V1ALPHA1 } from "../../../../server/contract/machine-config/fields.ts";
import { CLASSES, listRows, wordsOf } from "../../../../server/contract/machine-config/shape.ts";

const LIST = readFileSync("test/vectors/machine-config/v1alpha1-fields.txt", "utf8");
/** object → field → type. */
const OBJECTS = new Map(
  LIST.split("\n")
    .filter((line) => /^\w+: /.test(line))
    .map((line) => {
      const [name, ...rest] = line.split(": ");
      const fields = rest
        .join(": ")
        .split("; ")
        .map((f) => f.split(": ") as [string, string]);
      return [name!, new Map(fields)] as const;
    }),
);
/** Types that are written as names of Go and stand for objects of the list. */
const ALIASES: Record<string, string> = {
  NetworkDeviceList: "[]Device",
  VlanList: "[]Vlan",
  AdmissionPluginConfigList: "[]AdmissionPluginConfig",
  AuthorizationConfigAuthorizerConfigList: "[]AuthorizationConfigAuthorizerConfig",
  ClusterInlineManifests: "[]ClusterInlineManifest",
  "map RegistryMirrorConfig": "*RegistryMirrorConfig",
  "map RegistryConfig": "*RegistryConfig",
};

const ROWS = new Map(listRows(V1ALPHA1.fields).map((row) => [row.path, row.field]));

/** Paths below an object that the list knows; where our row ends (refused, whole, scalar), so does the walk. */
function published(object: string, above: string): string[] {
  return [...OBJECTS.get(object)!].flatMap(([name, type]) => {
    const path = above === "" ? name : `${above}.${name}`;
    const row = ROWS.get(path);
    if (row === undefined || !["object", "list", "map"].includes(row.shape.kind)) return [path];
    const [, mark = "", target] = /^(\[\]|\*)?(.*)$/.exec(ALIASES[type] ?? type)!;
    const below = `${path}${{ "[]": "[]", "*": ".*", "": "" }[mark]}`;
    if (/^\{.*\}$/.test(target!))
      return [
        path,
        ...target!
          .slice(1, -1)
          .split(",")
          .map((part) => `${below}.${part}`),
      ];
    return [path, ...(OBJECTS.has(target!) ? published(target!, below) : [])];
  });
}

test("the list is whole", () => {
  expect(OBJECTS.size).toBeGreaterThan(70);
  expect(OBJECTS.get("MachineConfig")?.size).toBe(27);
});

test("every published field has a row, and every row is a published field", () => {
  const wanted = published("Config", "");
  const rows = [...ROWS.keys()].filter((path) => !/\.(requests|limits)\.\*$/.test(path));
  expect(wanted.filter((path) => !ROWS.has(path))).toEqual([]);
  expect(rows.filter((path) => !wanted.includes(path))).toEqual([]);
  console.log(`${wanted.length} fields have a row`);
});

test("every row says what it is, and a refused or given one says why", () => {
  for (const [path, field] of ROWS) {
    expect([path, field.doc.length > 0, wordsOf(field.shape).length > 0]).toEqual([path, true, true]);
    expect(Object.keys(CLASSES)).toContain(field.class);
    if (field.class === "refused" || field.class === "from-image")
      expect([path, field.because]).not.toEqual([path, ""]);
  }
});
