import { mkdirSync, statSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { openDataDir } from "../../inventory/open-data-dir.ts";
import { silent } from "./quiet-log.ts";
import { tempInventory } from "./temp-inventory.ts";

const before = process.umask();
afterEach(() => void process.umask(before));
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

for (const umask of [0o000, 0o022, 0o077]) {
  test(`openDataDir lets the admin group through each directory it makes, under a umask of ${umask.toString(8)}`, () => {
    const { dataDir, path } = tempInventory();
    const above = modeOf(dataDir);
    process.umask(umask);
    openDataDir(path("srv", "slipway", "data"), silent);
    for (const made of [["srv"], ["srv", "slipway"], ["srv", "slipway", "data"]])
      expect(modeOf(path(...made))).toBe("711");
    expect(modeOf(dataDir)).toBe(above);
  });
}

test("openDataDir leaves the mode of a directory that was there, but for others' right to write", () => {
  const { path } = tempInventory();
  process.umask(0);
  mkdirSync(path("mine"), { mode: 0o750 });
  mkdirSync(path("ours"), { mode: 0o770 });
  for (const name of ["mine", "ours"]) openDataDir(path(name), silent);
  expect([modeOf(path("mine")), modeOf(path("ours"))]).toEqual(["750", "750"]);
});
