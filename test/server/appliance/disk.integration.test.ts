// A full disk under the whole appliance: while it runs, and at its start. Nothing is promised that is not on disk, one alarm
// says so, and it goes on by itself when there is room.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lease } from "../dhcp/rig.ts";
import { type ApplianceRig, openApplianceRig, START_MS, until } from "./rig.ts";

let rig: ApplianceRig;
beforeEach(async () => {
  rig = await openApplianceRig();
  mkdirSync(rig.dataDir);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m,mode=0755", "slipway-test", rig.dataDir]);
});
afterEach(async () => {
  execFileSync("umount", ["-l", rig.dataDir]);
  await rig.close();
});

const ballast = () => join(rig.dataDir, "ballast");
/** Takes all that is free, to the last page. */
function fill(): void {
  for (const size of [65_536, 4096, 1]) {
    try {
      for (;;) writeFileSync(ballast(), Buffer.alloc(size), { flag: "a" });
    } catch (cause) {
      expect((cause as NodeJS.ErrnoException).code).toBe("ENOSPC");
    }
  }
}
const macOf = (n: number) => `52:54:00:00:00:${n}`;
const curl = (path: string) =>
  rig.lab.exec(rig.serverNs, ["curl", "-s", `http://192.0.2.1:8080${path}`], { mayFail: true });

test("a disk that fills up: no ACK, one alarm with its remedy, no change is half made, and service again with room", async () => {
  const running = await rig.start();
  const client = await rig.client();
  const known = await lease(client, macOf(10));
  fill();
  const silent: string[] = [];
  for (let n = 11; n < 90 && silent.length < 3; n++) await lease(client, macOf(n)).catch(() => silent.push(macOf(n)));
  expect(silent).toHaveLength(3);
  const full = await rig.status();
  expect(full.alarms).toHaveLength(1);
  expect(full.alarms[0]).toMatchObject({
    text: expect.stringMatching(/^nothing can be written.*inventory\.db cannot be written: the file system is full/),
    remedy: expect.stringMatching(/^Free space on the file system of dataDir/),
  });
  expect(await rig.cli(["set", macOf(10), "--role", "worker"])).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/the file system is full\n {2}Free space/),
  });
  const script = await curl("/boot/script?mac=52:54:00:00:00:10&arch=x86_64&platform=efi");
  expect(script.stdout).toMatch(/^#!ipxe/);
  for (const word of ["Events cannot be written", "Leases cannot be written"])
    expect(running.stdout().match(new RegExp(word, "g"))).toHaveLength(1);

  rmSync(ballast());
  const tryLease = () => lease(client, silent[0]!).catch(() => undefined);
  const late = await until(tryLease, (ack) => ack !== undefined);
  expect(late!.yourIp).not.toBe(known.yourIp);
  await running.waitFor(/Leases can be written again; DHCP clients are answered/, START_MS);
  await running.waitFor(/Events can be written again after \d+ s: \d+ were kept, 0 lost/, START_MS);
  const after = await rig.status();
  expect(after.alarms.map((alarm) => alarm.text)).toEqual([
    expect.stringMatching(/^nothing could be written for \d+ s/),
  ]);
  // What happened meanwhile is in the timeline of the machine that it happened to.
  const told = (await rig.events()).filter((event) => event.mac === silent[2]).map((event) => event.kind);
  expect(told).toContain("dhcp-discover");
  expect(await rig.cli(["machines", macOf(10), "-o", "json"])).toMatchObject({
    stdout: expect.not.stringContaining("worker"),
  });
  expect(await running.stop()).toBe(0);

  const next = await rig.start();
  expect((await lease(client, macOf(10))).yourIp).toBe(known.yourIp);
  expect((await lease(client, silent[0]!)).yourIp).toBe(late!.yourIp);
  expect(await next.stop()).toBe(0);
});

test("kill -9 on a full disk: what was acknowledged is there afterwards", async () => {
  const running = await rig.start();
  const client = await rig.client();
  fill();
  const held = new Map<string, string>();
  for (let n = 10; n < 60; n++) {
    const ack = await lease(client, macOf(n)).catch(() => undefined);
    if (ack === undefined) break;
    held.set(macOf(n), ack.yourIp);
  }
  running.signal("SIGKILL");
  await running.ended();
  rmSync(ballast());
  const next = await rig.start();
  for (const [mac, ip] of held) expect((await lease(client, mac)).yourIp).toBe(ip);
  expect(await rig.cli(["audit", "--verify"])).toMatchObject({ code: 0 });
  expect(await next.stop()).toBe(0);
});

test("a disk that is full at the start, the first and a later one, is named with its remedy", async () => {
  fill();
  const first = await rig.fail();
  expect(first).toMatchObject({ code: 3, err: expect.stringMatching(/the file system is full\n {2}Free space/) });
  rmSync(ballast());
  await (await rig.start()).stop();
  fill();
  const later = await rig.fail();
  expect(later).toMatchObject({ code: 3, err: expect.stringMatching(/the file system is full\n {2}Free space/) });
  rmSync(ballast());
  expect(await (await rig.start()).stop()).toBe(0);
});
