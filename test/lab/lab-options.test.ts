import { expect, test } from "vitest";
import { parseTopology } from "../../server/cluster/topology-document.ts";
import { parseShape, planNodes, slowRoles } from "./cluster-shape.ts";
import { parseLabOptions } from "./lab-options.ts";

test("parseLabOptions reads a cluster of virtual machines with firmwares by turns", () => {
  const args = ["--cluster", "1+2", "--vm", "--firmware", "uefi,bios", "--order", "workers-first"];
  expect(parseLabOptions(args)).toMatchObject({
    firmwares: ["uefi", "bios"],
    cluster: { shape: { controlPlanes: 1, workers: 2 }, isVm: true, order: "workers-first", agent: "image" },
  });
});

test("parseLabOptions without options is one UEFI machine", () => {
  expect(parseLabOptions([])).toEqual({
    ...{ firmwares: ["uefi"], machines: 1, mode: "server", keep: false, start: false, dataDir: "data" },
  });
});

const REFUSED = [
  { args: ["--cluster", "0+2"], says: 'at least 1+0), found "0+2"' },
  { args: ["--cluster", "three"], says: 'found "three"' },
  { args: ["--vm"], says: "goes with --cluster" },
  { args: ["--firmware", "uefi,coreboot"], says: 'found "coreboot"' },
  { args: ["--cluster", "1+0", "--order", "backwards"], says: 'found "backwards"' },
  { args: ["--machines", "0"], says: "from 1 to 64" },
];
for (const { args, says } of REFUSED) {
  test(`parseLabOptions refuses ${args.join(" ")}`, () => expect(() => parseLabOptions(args)).toThrow(says));
}

test("planNodes names control planes first", () => {
  expect(planNodes("lab", parseShape("1+2")!).map(({ name }) => name)).toEqual(["lab-cp1", "lab-w1", "lab-w2"]);
});

test("slowRoles is a topology that `slipway apply` takes", () => {
  const parsed = parseTopology([{ name: "roles.yaml", text: slowRoles() }]);
  expect(parsed).toMatchObject({ kind: "topology", roles: [{ name: "controlplane" }, { name: "worker" }] });
});

const STARTS = [
  { args: ["--start", "--keep"], start: true },
  { args: ["--start", "--firmware", "bios"], start: true },
  { args: ["--start", "--cluster", "1+1"], start: false },
  { args: ["--start", "--machines", "3"], start: false },
  { args: ["--start", "--firmware", "arm64"], start: false },
];
for (const { args, start } of STARTS) {
  test(`parseLabOptions: ${args.join(" ")} is ${start ? "a" : "no"} first start`, () =>
    expect(parseLabOptions(args).start).toBe(start));
}
