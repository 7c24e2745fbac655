// When a machine was seen: its agent's stream counts as much as its packets do, at its beginning, while it talks, at its end.
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../node-agent/machine.ts";
import { type Appliance, startAppliance } from "./appliance.ts";
import { FakeAgent } from "./fake-agent.ts";

const HOUR_MS = 3_600_000;
let appliance: Appliance;
let now: number;
beforeEach(async () => {
  appliance = await startAppliance();
  now = Date.now();
  appliance.time.now = () => now;
});
afterEach(() => appliance.close());

test("a stream that opens, talks and ends moves the machine's seenAt", async () => {
  const agent = await FakeAgent.boot(appliance);
  const seenNow = (what: string) => until(what, async () => Date.parse((await agent.record()).seenAt) === now);
  now += HOUR_MS;
  agent.hello();
  await seenNow("its stream");
  now += HOUR_MS;
  agent.say({ $case: "progress", value: { step: "wait", text: "waits", failed: false } });
  await seenNow("its report");
  now += HOUR_MS;
  agent.close();
  await seenNow("its end");
});

test("a machine that was removed does not come back by the end of its stream", async () => {
  const agent = await FakeAgent.boot(appliance);
  agent.hello();
  await until("a stream", () => appliance.server.sessionCount() === 1);
  now += HOUR_MS;
  await appliance.inventory.deleteMachines([agent.machine.id], "tester");
  await until("no stream", () => appliance.server.sessionCount() === 0);
  expect(await appliance.inventory.listMachines()).toEqual([]);
});
