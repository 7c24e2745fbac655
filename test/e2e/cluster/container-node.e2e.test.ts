// A container node as a machine: how soon its agent is in touch, what outlives its power, and what it leaves on the host.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EventView } from "../../../server/rest/schema.ts";
import type { Container } from "../../lab/container.ts";
import { openTestRack, type TestRack } from "../test-rack.ts";

const INOTIFY = "/proc/sys/fs/inotify/max_user_instances";
const limitBefore = readFileSync(INOTIFY, "utf8");

let rack: TestRack;
let node: Container;
beforeAll(async () => {
  rack = await openTestRack({ dhcp: "server" });
  await rack.startAppliance();
  node = rack.makeContainer();
});
afterAll(() => rack?.close());

async function secondsUntil(kind: EventView["kind"]): Promise<number> {
  for (let tries = 0; tries < 120; tries++) {
    const query = { machine: node.mac, limit: 1000 };
    const { events } = await rack.admin.get<{ events: EventView[] }>("/v1/events", query);
    const found = events.find((event) => event.kind === kind && event.at >= node.poweredOnAt);
    if (found !== undefined) return (found.at - node.poweredOnAt) / 1000;
    await sleep(250);
  }
  throw new Error(`no ${kind} within 30 s; its journal:\n${node.journal()}`);
}

test("its agent is in touch within seconds, by a ticket of its own", async () => {
  await node.powerOn();
  const seconds = await secondsUntil("enrolled");
  console.log(`container node: enrolled ${seconds.toFixed(2)} s after power-on`);
  const machine = await rack.admin.get<{ lifecycle: string; pairingCode?: string }>(`/v1/machines/${node.mac}`);
  expect(machine).toMatchObject({ lifecycle: "discovered" });
  expect(machine.pairingCode).toBeTruthy();
  // A fraction of it on a quiet machine.
  expect(seconds).toBeLessThan(15);
});

test("its root is read-only, the host's clock and kernel settings are out of its reach", () => {
  expect(() => writeFileSync(node.path("/usr/bin/mine"), "")).toThrow(/EROFS/);
  const panic = readFileSync("/proc/sys/kernel/panic", "utf8");
  writeFileSync(node.path("/proc/sys/kernel/panic"), "11\n");
  expect(readFileSync("/proc/sys/kernel/panic", "utf8")).toBe(panic);
});

test("what is on its /var outlives a clean stop and a kill; nothing of it stays running", async () => {
  writeFileSync(node.path("/var/kept"), "once");
  await node.powerOff();
  expect(node.isOn()).toBe(false);
  await node.powerOn();
  expect(readFileSync(node.path("/var/kept"), "utf8")).toBe("once");
  const leader = node.leader();
  await node.kill();
  expect(existsSync(`/proc/${leader}`)).toBe(false);
  await node.powerOn();
  expect(readFileSync(node.path("/var/kept"), "utf8")).toBe("once");
});

test("a restart that it makes itself needs nobody", async () => {
  const leader = node.leader();
  for (let tries = 0; tries < 240 && (node.leader() === leader || !node.isOn()); tries++) {
    // Its systemd has only just begun, and may not take the word yet: it is given again every five seconds.
    if (tries % 20 === 0 && node.leader() === leader)
      await node.exec(["/usr/bin/systemctl", "reboot", "--force"], { mayFail: true });
    await sleep(250);
  }
  expect(node.isOn()).toBe(true);
  expect(node.leader()).not.toBe(leader);
});

test("wiped it is as new", async () => {
  await node.kill();
  node.wipe();
  await node.powerOn();
  expect(existsSync(node.path("/var/kept"))).toBe(false);
});

test("closed it leaves no control group, no namespace and no raised limit behind", async () => {
  await node.close();
  const groups = readdirSync("/sys/fs/cgroup", { recursive: false }).flatMap((name) => {
    const dir = `/sys/fs/cgroup/${name}`;
    return existsSync(`${dir}/cgroup.procs`) ? readdirSync(dir).map(String) : [];
  });
  expect(groups.filter((name) => name.startsWith(`slipway-lab-${process.pid}-`))).toEqual([]);
  const others = readdirSync("/run/slipway-lab-inotify").some((name) => name.startsWith("user-"));
  if (!others) expect(readFileSync(INOTIFY, "utf8")).toBe(limitBefore);
});
