import { expect, test } from "vitest";
import { machinePage, machineTable } from "../../../server/cli/machine-table.ts";
import { plain, renderPairs, renderTable } from "../../../server/cli/table.ts";
import type { MachineView } from "../../../server/rest/schema.ts";

/** Clears the screen, sets the window's title, turns the line's direction, begins a line of its own. */
const HOSTILE = "a\u001b[2Jb\u001b]0;x\u0007c\u202ed\u009be\nf\u2028g";
const TAMED = "a\ufffd[2Jb\ufffd]0;x\ufffdc\ufffdd\ufffde\ufffdf\ufffdg";
const STEERS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

test("plain leaves nothing that steers a terminal, and keeps every other script", () => {
  expect(plain(HOSTILE)).toBe(TAMED);
  expect(plain("Gerät 機\tx")).toBe("Gerät 機 x");
});

test("renderTable and renderPairs tame every cell and value", () => {
  expect(renderTable(["A", "B"], [[HOSTILE, HOSTILE]])).toBe(`A${" ".repeat(TAMED.length + 1)}B\n${TAMED}  ${TAMED}\n`);
  expect(renderPairs([["a", HOSTILE]])).toBe(`a: ${TAMED}\n`);
});

test("machineTable and machinePage show no field that a machine says of itself as it came", () => {
  const hostile = Object.fromEntries(
    ["serial", "arch", "firmware", "product", "installDisk", "activityReason", "leasedAddress"].map((key) => [
      key,
      HOSTILE,
    ]),
  );
  const at = "2026-11-24T20:00:00.000Z";
  const machine = {
    ...{ id: "1", macs: ["52:54:00:00:00:01"], lifecycle: "discovered", activity: "failed", createdAt: at, seenAt: at },
    ...hostile,
  } as MachineView;
  for (const text of [machinePage(machine, 0), machineTable([machine], 0)]) {
    expect(text).toContain("\ufffd");
    expect(text.replaceAll("\n", "")).not.toMatch(STEERS);
  }
});
