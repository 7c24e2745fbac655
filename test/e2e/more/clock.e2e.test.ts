// A machine whose clock is dead: it enrols all the same, with the time of the appliance.
import { afterAll, beforeAll, test } from "vitest";
import { openTestRack, type TestRack } from "../test-rack.ts";

let rack: TestRack;
beforeAll(async () => {
  rack = await openTestRack({ dhcp: "server" });
  await rack.startAppliance();
});
afterAll(() => rack?.close());

for (const clock of ["1970-01-01T00:01:00", "2040-06-01T12:00:00"]) {
  test(`a machine whose clock says ${clock} enrols`, async () => {
    const vm = await rack.powerOn({ firmware: "bios", clock });
    await rack.waitForEvent(vm, "clock-set", 300_000);
    await rack.waitForEvent(vm, "enrolled", 60_000);
    await vm.powerOff();
  });
}
