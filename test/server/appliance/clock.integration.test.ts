// The appliance started with a dead clock: at 1970 (no battery) and at 2040. It serves, and once the clock is right every lease
// that was given is still its machine's.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lease } from "../dhcp/rig.ts";
import { type ApplianceRig, openApplianceRig } from "./rig.ts";

let rig: ApplianceRig;
beforeEach(async () => {
  rig = await openApplianceRig();
});
afterEach(() => rig.close());

/** Another clock for every `Date` of the program; timers go on as they do when only the clock is wrong. */
const CLOCK = `
const Real = Date, shift = Number(process.env.CLOCK_SHIFT_MS);
globalThis.Date = class extends Real {
  constructor(...given) { given.length === 0 ? super(Real.now() + shift) : super(...given); }
  static now() { return Real.now() + shift; }
};`;
function startAt(time: string) {
  const preload = join(rig.home, "clock.mjs");
  writeFileSync(preload, CLOCK);
  const env = { NODE_OPTIONS: `--import=${preload}`, CLOCK_SHIFT_MS: String(Date.parse(time) - Date.now()) };
  return rig.start({ env });
}

for (const year of [1970, 2040]) {
  test(`a first start in ${year} serves, and its leases and keys are good when the clock is right`, async () => {
    const wrong = await startAt(`${year}-01-02T03:04:05Z`);
    const client = await rig.client();
    const one = await lease(client, "52:54:00:00:00:01");
    expect(await rig.cli(["set", "52:54:00:00:00:01", "--role", "worker"])).toMatchObject({ code: 0 });
    expect(await wrong.stop()).toBe(0);
    const right = await rig.start();
    const two = await lease(client, "52:54:00:00:00:02");
    expect(two.yourIp).not.toBe(one.yourIp);
    expect((await lease(client, "52:54:00:00:00:01")).yourIp).toBe(one.yourIp);
    expect(await rig.cli(["audit", "--verify"])).toMatchObject({ code: 0 });
    expect((await rig.cli(["machines", "52:54:00:00:00:01"])).stdout).toContain("worker");
    expect(await right.stop()).toBe(0);
  });
}

test("a clock that falls back to 1970 between two starts gives nobody another machine's address", async () => {
  const right = await rig.start();
  const client = await rig.client();
  const one = await lease(client, "52:54:00:00:00:01");
  await right.stop();
  const wrong = await startAt("1970-01-02T03:04:05Z");
  expect((await lease(client, "52:54:00:00:00:02")).yourIp).not.toBe(one.yourIp);
  expect((await lease(client, "52:54:00:00:00:01")).yourIp).toBe(one.yourIp);
  expect(await wrong.stop()).toBe(0);
});
