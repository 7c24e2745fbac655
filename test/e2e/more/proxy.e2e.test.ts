// Proxy mode: a real dnsmasq gives out the addresses and knows nothing of booting; the appliance says what to boot.
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeSplit, splitBoot } from "../../lab/boot-split.ts";
import type { LabProcess } from "../../lab/namespace-process.ts";
import { openTestRack, type TestRack } from "../test-rack.ts";

let rack: TestRack;
let router: LabProcess;
beforeAll(async () => {
  rack = await openTestRack({ dhcp: "proxy" });
  router = await rack.startRouter();
  await rack.startAppliance();
});
afterAll(() => rack?.close());

for (const firmware of ["uefi", "bios"] as const) {
  test(`${firmware} boots through us beside the site's own DHCP server`, async () => {
    const vm = await rack.powerOn({ firmware });
    await rack.waitForEvent(vm, "enrolled", 420_000);
    const events = await rack.eventsOf(vm);
    console.log(`${firmware}, proxy: ${describeSplit(splitBoot(vm.poweredOnAt, events))}`);
    const kinds = events.map((event) => event.kind);
    expect(kinds).toContain("dhcp-proxy-offer");
    expect(kinds).not.toContain("dhcp-ack");
    // The router's own log: the address was its promise.
    const said = router.stdout() + router.stderr();
    expect(said).toMatch(new RegExp(`DHCPACK\\(lan\\) 192\\.0\\.2\\.\\d+ ${vm.mac}`));
    await vm.powerOff();
  });
}
