import { expect, test } from "vitest";
import { machinePage, machineTable } from "../../../server/cli/machine-table.ts";
import { plain, renderPairs, renderSentences, renderTable } from "../../../server/cli/table.ts";
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

test("renderSentences goes on under the last column where the terminal is narrow", () => {
  const rows = [["1", "name nothing → web1; role nothing → worker"]];
  expect(renderSentences(["NO", "WHAT"], rows, 28)).toBe(
    "NO  WHAT\n1   name nothing → web1;\n    role nothing → worker\n",
  );
  expect(renderSentences(["NO", "WHAT"], rows)).toBe("NO  WHAT\n1   name nothing → web1; role nothing → worker\n");
});

const at = "2026-11-24T20:00:00.000Z";
const known: MachineView = {
  ...{ id: "1", macs: ["52:54:00:00:00:01"], lifecycle: "discovered", activity: "off", createdAt: at, seenAt: at },
};
const SEEN = [
  { name: "one that was written down", over: { role: "worker" }, seen: "never" },
  { name: "one that boots", over: { role: "worker", activity: "firmware" }, seen: "5 s" },
  { name: "one that only the wire shows", over: {}, seen: "5 s" },
  { name: "one that came back", over: { role: "worker", seenAt: "2026-11-24T20:00:03.000Z" }, seen: "2 s" },
];
for (const { name, over, seen } of SEEN) {
  test(`machineTable says when ${name} was seen`, () => {
    expect(machineTable([{ ...known, ...over }], Date.parse(at) + 5000).split("\n")[1]).toMatch(
      new RegExp(` ${seen}$`),
    );
  });
}

test("machinePage says from when on an address is reserved", () => {
  const page = (lifecycle: string) => machinePage({ ...known, lifecycle, address: "192.0.2.9" }, 0);
  expect(page("discovered")).toContain("192.0.2.9 (reserved as soon as it is approved)");
  expect(page("approved")).toContain("192.0.2.9 (reserved)");
});
