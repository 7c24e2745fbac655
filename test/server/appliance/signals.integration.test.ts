// How the appliance ends, and what must not end it: signals before, during and after its start, a second one, kill -9, a log
// whose reader is gone or whose disk is full.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lease } from "../dhcp/rig.ts";
import { type ApplianceRig, openApplianceRig, START_MS, until } from "./rig.ts";

let rig: ApplianceRig;
beforeEach(async () => {
  rig = await openApplianceRig();
});
afterEach(() => rig.close());

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  test(`${signal} ends it cleanly, also with somebody who follows its events`, async () => {
    const running = await rig.start();
    const follower = rig.lab.spawn(rig.serverNs, [
      ...[join(import.meta.dirname, "../../../slipway"), "events", "--follow", "--socket", rig.socket],
    ]);
    await follower.waitFor(/the appliance started/, START_MS);
    running.signal(signal);
    expect(await running.ended(START_MS)).toBe(0);
    expect(running.stdout()).toMatch(new RegExp(`Stopping \\(${signal}\\)\\.\\n.*Stopped\\.\\n$`));
    expect(running.stderr()).toBe("");
    await follower.waitFor(/The appliance is gone; waiting/, START_MS);
  });
}

test("SIGTERM at any moment of the start ends it, and the next start finds all as it should be", async () => {
  // From before Node has read the program to after it serves; what is opened by then differs each time.
  for (const waitMs of [50, 400, 700, 1000, 1300, 1600]) {
    const running = rig.spawn();
    await new Promise((wake) => setTimeout(wake, waitMs));
    running.signal("SIGTERM");
    const code = await running.ended(START_MS);
    // 143: killed before it could listen for signals.
    expect([0, 143], `after ${waitMs} ms: ${running.stdout()}${running.stderr()}`).toContain(code);
    expect(running.stderr()).toBe("");
  }
  const running = await rig.start();
  expect(await rig.cli(["audit", "--verify"])).toMatchObject({ code: 0 });
  expect(await running.stop()).toBe(0);
});

test("a lease that was acknowledged before kill -9 is the same afterwards", async () => {
  const running = await rig.start();
  const client = await rig.client();
  const before = await lease(client, "52:54:00:00:00:01");
  running.signal("SIGKILL");
  await running.ended();
  const next = await rig.start();
  const [again] = await client.ask({
    ...{ mac: "52:54:00:00:00:01", type: 3 },
    options: { requestedIp: before.yourIp },
  });
  expect(again).toMatchObject({ type: 5, yourIp: before.yourIp });
  expect((await lease(client, "52:54:00:00:00:02")).yourIp).not.toBe(before.yourIp);
  expect(await next.stop()).toBe(0);
});

test("a log whose reader has ended costs lines, an alarm, and not the appliance", async () => {
  const fifo = join(rig.home, "log");
  execFileSync("mkfifo", [fifo]);
  const reader = rig.lab.spawn(rig.serverNs, ["cat", fifo]);
  const running = rig.spawn({ wrap: ["sh", "-c", `exec "$@" > ${fifo}`, "sh"] });
  await reader.waitFor(/Slipway [\d.]+ serves/, START_MS);
  await reader.stop();
  const client = await rig.client();
  // Each of these is a line; the first one finds the pipe closed.
  await rig.lab.exec(rig.serverNs, ["ip", "address", "add", "192.0.2.2/24", "dev", "eth0"]);
  await until(rig.status, ({ alarms }) =>
    alarms.some(({ text }) => /log on standard output.*reader|log.*has ended/.test(text)),
  );
  expect((await lease(client, "52:54:00:00:00:01")).serverId).toBe("192.0.2.1");
  running.signal("SIGTERM");
  expect(await running.ended(START_MS)).toBe(0);
});

test("standard output and error closed from the beginning: it serves all the same", async () => {
  const running = rig.spawn({ wrap: ["sh", "-c", `exec "$@" >&- 2>&-`, "sh"] });
  await until(
    () => rig.cli(["status"]),
    ({ code }) => code === 0,
  );
  expect((await lease(await rig.client(), "52:54:00:00:00:01")).serverId).toBe("192.0.2.1");
  running.signal("SIGTERM");
  expect(await running.ended(START_MS)).toBe(0);
});

test("a log on a full disk costs lines, which are counted, and comes back by itself", async () => {
  const small = join(rig.home, "small");
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "slipway-test", small]);
  try {
    const log = join(small, "log");
    writeFileSync(log, "");
    const running = rig.spawn({ wrap: ["sh", "-c", `exec "$@" >> ${log}`, "sh"] });
    await until(
      async () => readFileSync(log, "utf8"),
      (text) => /Slipway [\d.]+ serves/.test(text),
    );
    execFileSync("sh", [
      "-c",
      `dd if=/dev/zero of=${small}/ballast bs=4k 2>/dev/null; yes >> ${log} 2>/dev/null; true`,
    ]);
    const blink = async () => {
      await rig.lab.exec(rig.serverNs, ["ip", "address", "add", "192.0.2.2/24", "dev", "eth0"]);
      await rig.lab.exec(rig.serverNs, ["ip", "address", "del", "192.0.2.1/24", "dev", "eth0"]);
    };
    await blink();
    await until(rig.status, ({ alarms }) =>
      alarms.some(({ text }) => /log on standard output .* its disk was full/.test(text)),
    );
    rmSync(join(small, "ballast"));
    writeFileSync(log, "");
    await rig.lab.exec(rig.serverNs, ["ip", "address", "add", "192.0.2.3/24", "dev", "eth0"]);
    await until(
      async () => readFileSync(log, "utf8"),
      (text) => /\d+ lines of this log were lost: its disk was full/.test(text),
    );
    running.signal("SIGTERM");
    expect(await running.ended(START_MS)).toBe(0);
  } finally {
    execFileSync("umount", ["-l", small]);
  }
});
