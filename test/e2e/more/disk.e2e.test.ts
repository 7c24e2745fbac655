// "Go on to your disk" on each firmware: the appliance says so, and the machine's disk says that it was booted.
import { afterAll, beforeAll, expect, test } from "vitest";
import { DISK_SAYS, makeTalkingDisk } from "../../lab/disk.ts";
import { FIRMWARES, type Firmware } from "../../lab/qemu-arguments.ts";
import { openTestRack, type TestRack } from "../test-rack.ts";

let rack: TestRack;
let disk: string;
beforeAll(async () => {
  rack = await openTestRack({ dhcp: "server", strangers: "disk" });
  disk = rack.scratchFile("disk.img");
  makeTalkingDisk(disk);
  await rack.startAppliance();
});
afterAll(() => rack?.close());

for (const firmware of Object.keys(FIRMWARES) as Firmware[]) {
  test(`${firmware}: a machine told to go on to its disk boots from it`, async () => {
    const vm = await rack.powerOn({ firmware, disk });
    // OVMF gives up HTTP over IPv6 only after 71 s (docs/lab.md).
    await vm.waitForConsole(new RegExp(DISK_SAYS), 240_000);
    console.log(`${firmware}: on its disk after ${((Date.now() - vm.poweredOnAt) / 1000).toFixed(1)} s`);
    const kinds = (await rack.eventsOf(vm)).map((event) => event.kind);
    expect(kinds).toContain("to-disk");
    expect(kinds).not.toContain("image-start");
    await vm.powerOff();
  });
}
