// The page of the machine config has all of the table; that docs/machine-config.md is that page is test/docs.test.ts's to see.
import { expect, test } from "vitest";
import { V1ALPHA1 } from "../../../../server/contract/machine-config/fields.ts";
import { renderMachineConfigPage } from "../../../../server/contract/machine-config/page.ts";
import { listRows } from "../../../../server/contract/machine-config/shape.ts";

test("renderMachineConfigPage has a row for each field", () => {
  const shown = [...renderMachineConfigPage().matchAll(/^\| `([^`]+)` \|/gm)].map((m) => m[1]);
  expect(listRows(V1ALPHA1.fields).filter((row) => !shown.includes(row.path))).toEqual([]);
});
