import { expect, test } from "vitest";
import { runAlarms } from "../../../server/appliance/run-alarms.ts";
import { tempInventory } from "../../inventory/temp-inventory.ts";

test("runAlarms shows each cause once, whatever a flood of another one does, also after a restart", async () => {
  const inventory = await tempInventory().open();
  const alarms = await runAlarms(inventory, () => undefined);
  const foreign = { interface: "eth1", server: "192.0.2.66", consequence: "no lease is opened" };
  await inventory.recordEvents([{ kind: "foreign-dhcp", at: Date.now(), detail: foreign }]);
  const full = { kind: "dhcp-pool-full" as const, at: Date.now(), detail: { pool: "192.0.2.0/24" } };
  await inventory.recordEvents(
    Array.from({ length: 300 }, (_, n) => ({ ...full, mac: `52:54:00:00:00:${(n % 90) + 10}` })),
  );
  for (const shown of [alarms, await runAlarms(inventory, () => undefined)]) {
    const texts = shown.list().map((alarm) => alarm.text);
    expect(texts).toHaveLength(2);
    expect(texts[0]).toContain("another DHCP server answers on eth1: 192.0.2.66");
    expect(texts[1]).toMatch(/got no address: the pool 192.0.2.0\/24 is full \(300 times\)$/);
    shown.close();
  }
});
