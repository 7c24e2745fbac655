// One boot per firmware, from power-on to the agent's enrolment, against the real appliance on a wire of its own.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EventKind } from "../../inventory/event.ts";
import { describeSplit, splitBoot } from "../lab/boot-split.ts";
import type { Firmware } from "../lab/qemu-arguments.ts";
import { openTestRack, type TestRack } from "./test-rack.ts";

let rack: TestRack;
beforeAll(async () => {
  rack = await openTestRack({ dhcp: "server" });
  await rack.startAppliance();
});
afterAll(() => rack?.close());

/** What every boot's timeline shows, and what only this firmware's does. */
const EVERY: EventKind[] = [
  ...(["discovered", "dhcp-discover", "dhcp-offer", "dhcp-ack", "script", "image-done", "ticket-fetched"] as const),
  ...(["agent-contact", "enrolled", "waiting"] as const),
];
const FIRMWARE_SHOWS: Record<Firmware, { own: EventKind[]; arch: string }> = {
  bios: { own: [], arch: "amd64" },
  uefi: { own: ["tftp-start", "tftp-done"], arch: "amd64" },
  "uefi-http": { own: ["loader-fetched"], arch: "amd64" },
  arm64: { own: ["tftp-start", "tftp-done"], arch: "arm64" },
};

for (const [firmware, { own, arch }] of Object.entries(FIRMWARE_SHOWS) as [
  Firmware,
  { own: EventKind[]; arch: string },
][]) {
  test(`${firmware}: from power-on to enrolled`, async () => {
    const vm = await rack.powerOn({ firmware });
    await rack.waitForEvent(vm, "enrolled", 420_000);
    await rack.waitForEvent(vm, "waiting", 30_000);
    const events = await rack.eventsOf(vm);
    console.log(`${firmware}: ${describeSplit(splitBoot(vm.poweredOnAt, events))}`);
    const kinds = events.map((event) => event.kind);
    for (const kind of [...EVERY, ...own]) expect(kinds).toContain(kind);
    const machine = await rack.machineOf(vm);
    expect(machine).toMatchObject({ lifecycle: "discovered", activity: "waiting", arch });
    expect(machine.pairingCode).toBeTruthy();
    // What a person compares: the code on the machine's own screen.
    await vm.waitForConsole(new RegExp(machine.pairingCode!), 30_000);
    await vm.powerOff();
  });
}
