import { expect, test } from "vitest";
import { runAlarms } from "../../../server/appliance/run-alarms.ts";
import { isOverNow } from "../../../server/appliance/settle-alarms.ts";
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

test("an alarm is over when what comes after it says so, also after a restart, and another machine's word ends none", async () => {
  const inventory = await tempInventory().open();
  const [a, b] = ["52:54:00:00:00:0a", "52:54:00:00:00:0b"];
  const alarms = await runAlarms(inventory, () => undefined);
  const at = Date.now();
  await inventory.recordEvents([
    { kind: "disk-unheard", at, mac: a, detail: { count: 3, remedy: "look" } },
    { kind: "disk-unheard", at, mac: b, detail: { count: 3, remedy: "look" } },
    { kind: "config-refused", at, mac: a, detail: { reason: "the hours are over", remedy: "order anew" } },
    { kind: "config-refused", at, mac: b, detail: { reason: "another key has it", remedy: "look", isOtherKey: true } },
    { kind: "interface-lost", at, detail: { interface: "eth1", what: "has no carrier" } },
  ]);
  expect(alarms.list()).toHaveLength(5);
  await inventory.recordEvents([
    { kind: "ready", at, mac: a },
    { kind: "config-given", at, mac: b },
    { kind: "interface-back", at, detail: { interface: "eth1" } },
  ]);
  for (const shown of [alarms, await runAlarms(inventory, () => undefined)]) {
    expect(shown.list().map((alarm) => alarm.text)).toEqual([
      expect.stringMatching(/^52:54:00:00:00:0b was sent to its disk/),
      expect.stringMatching(/^52:54:00:00:00:0b was refused its config: another key/),
    ]);
    shown.close();
  }
});

test("a cluster's alarm stands while that is what is decided of it, and each cluster has its own", async () => {
  const inventory = await tempInventory().open();
  const decisions: Record<string, "lost" | "done" | undefined> = { rack1: "lost", rack2: "lost", rack3: undefined };
  const alarms = await runAlarms(
    inventory,
    () => undefined,
    (event) =>
      isOverNow(
        event,
        (name) => (decisions[name] ? { kind: decisions[name], reason: "", remedy: "" } : undefined),
        (name) => name in decisions,
      ),
  );
  const lost = (cluster: string) =>
    ({ kind: "cluster-lost", at: Date.now(), detail: { cluster, reason: "x", remedy: "y" } }) as const;
  await inventory.recordEvents(["rack1", "rack2", "rack3", "gone"].map(lost));
  const shown = () => alarms.list().map((alarm) => alarm.text.split(" ")[1]);
  expect(shown()).toEqual(["rack1", "rack2", "rack3"]);
  decisions.rack2 = "done";
  expect(shown()).toEqual(["rack1", "rack3"]);
  alarms.close();
});
