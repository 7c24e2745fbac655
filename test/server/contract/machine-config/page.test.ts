// docs/machine-config.md agrees with the table of fields. UPDATE_VECTORS=1 writes it.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { V1ALPHA1 } from "../../../../server/contract/machine-config/fields.ts";
import { renderMachineConfigPage } from "../../../../server/contract/machine-config/page.ts";
import { listRows } from "../../../../server/contract/machine-config/shape.ts";

const PATH = "docs/machine-config.md";

test("the page is what the table makes now, with a row for each field", () => {
  const text = renderMachineConfigPage();
  if (process.env.UPDATE_VECTORS === "1") writeFileSync(PATH, text);
  expect(readFileSync(PATH, "utf8")).toBe(text);
  const shown = [...text.matchAll(/^\| `([^`]+)` \|/gm)].map((m) => m[1]);
  expect(listRows(V1ALPHA1.fields).filter((row) => !shown.includes(row.path))).toEqual([]);
});
