import { expect, test } from "vitest";
import type { Machine } from "../../../inventory/machine.ts";
import { decideBoot, type Strangers } from "../../../server/boot/decide.ts";

const MACHINE: Machine = {
  id: "m1",
  macs: ["52:54:00:12:34:56"],
  lifecycle: "approved",
  activity: "firmware",
  createdAt: "2026-01-01T00:00:00.000Z",
  seenAt: "2026-01-01T00:00:00.000Z",
};
type Case = { name: string; machine?: Partial<Machine> | undefined; strangers?: Strangers; want: string; why: RegExp };
const CASES: Case[] = [
  { name: "an unknown machine where strangers boot", strangers: "boot", want: "os", why: /nobody approved/ },
  { name: "an unknown machine where strangers go to disk", strangers: "disk", want: "disk", why: /strangers: disk/ },
  {
    name: "an unknown machine where strangers are ignored",
    strangers: "ignore",
    want: "ignore",
    why: /strangers: ignore/,
  },
  {
    name: "a discovered machine, as a stranger",
    machine: { lifecycle: "discovered" },
    strangers: "disk",
    want: "disk",
    why: /nobody/,
  },
  {
    name: "a discovered machine that a person sends to the OS",
    machine: { lifecycle: "discovered", boot: "os" },
    strangers: "ignore",
    want: "os",
    why: /person/,
  },
  { name: "an approved machine", machine: {}, strangers: "ignore", want: "os", why: /not installed/ },
  {
    name: "an approved machine that a person sends to its disk",
    machine: { boot: "disk" },
    want: "disk",
    why: /person/,
  },
  { name: "an approved machine that a person ignores", machine: { boot: "ignore" }, want: "ignore", why: /person/ },
  {
    name: "an installed machine whose new install was ordered",
    machine: { installation: { installId: "i1", number: 1, disk: "/dev/vda", at: 0 } },
    want: "os",
    why: /installed anew/,
  },
  { name: "an installed machine", machine: { lifecycle: "installed" }, want: "disk", why: /on its disk/ },
  { name: "a ready machine", machine: { lifecycle: "ready" }, want: "disk", why: /on its disk/ },
  {
    name: "a retired machine, whatever a person chose before",
    machine: { lifecycle: "retired", boot: "os" },
    want: "disk",
    why: /retired/,
  },
];
for (const { name, machine, strangers = "boot", want, why } of CASES) {
  test(`decideBoot sends ${name} to ${want}`, () => {
    const decision = decideBoot(machine && { ...MACHINE, ...machine }, strangers);
    expect(decision.kind).toBe(want);
    expect(decision.reason).toMatch(why);
  });
}
