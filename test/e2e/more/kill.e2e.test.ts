// The appliance dies by kill -9 in the middle of a boot and is started again: the machine goes on, and keeps its address.
import { afterEach, expect, test } from "vitest";
import type { EventKind } from "../../../inventory/event.ts";
import { openTestRack, type TestRack } from "../test-rack.ts";

let rack: TestRack | undefined;
afterEach(() => rack?.close());

const MOMENTS: { name: string; kind: EventKind }[] = [
  { name: "while it fetches the image", kind: "image-start" },
  { name: "while its kernel starts", kind: "ticket-fetched" },
];
for (const { name, kind } of MOMENTS) {
  test(`the appliance is killed ${name}, and the machine enrols`, async () => {
    rack = await openTestRack({ dhcp: "server" });
    const appliance = await rack.startAppliance();
    const vm = await rack.powerOn({ firmware: "uefi" });
    await rack.waitForEvent(vm, kind, 180_000);
    appliance.signal("SIGKILL");
    await appliance.ended();
    // Long enough for iPXE's own connection to break and for the agent to find nobody.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    await rack.startAppliance();
    await rack.waitForEvent(vm, "enrolled", 420_000);
    console.log(`killed ${name}:\n${await rack.timelineOf(vm)}`);
    const addresses = (await rack.eventsOf(vm)).filter((e) => e.kind === "dhcp-ack").map((e) => e.detail.address);
    expect(new Set(addresses).size).toBe(1);
  });
}
