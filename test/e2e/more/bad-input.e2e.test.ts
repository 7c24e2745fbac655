// Bad input on one UEFI machine through its life, each told to a person in words and mended: a disk that is too small, one that
// holds somebody's data, an appliance whose disk is full in the middle of the install, a clock that is years off, an image that
// changed on the disk. Real firmware and the base image; the machine has no cluster's programs, and its agent is enough.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EventKind } from "../../../inventory/event.ts";
import type { EventView, MachineView } from "../../../server/rest/schema.ts";
import { isNetworkEntry, putFirst } from "../../lab/firmware-variables.ts";
import { fileInCpio } from "../../lab/image-root.ts";
import type { KeptVm } from "../../lab/kept-vm.ts";
import { type Cli, openCli } from "../../lab/run-cli.ts";
import { mountSmallDisk, type SmallDisk } from "../../lab/small-disk.ts";
import { openTestRack, type TestRack } from "../test-rack.ts";
import { flipOnDisk } from "./install-rig.ts";

const NAME = "bad-1";
const MIB = 2 ** 20;
const [SMALL_BYTES, DISK_BYTES, DATA_DIR_BYTES] = [4096 * MIB, 12_288 * MIB, 256 * MIB];
/** Emulated, on a host that does other things too. */
const BOOTED_MS = 900_000;
const TOLD_MS = 120_000;

let rack: TestRack;
let dataDir: SmallDisk;
let cli: Cli;
let vm: KeptVm;
/** The root file system in its image. */
let root: Buffer;

beforeAll(async () => {
  rack = await openTestRack({ dhcp: "server" }, (dir) => {
    dataDir = mountSmallDisk(dir, `${dir}.img`, DATA_DIR_BYTES);
    return dataDir.unmount;
  });
  root = onlyBaseImage(join(dirname(rack.adminSocket), "assets/images"));
  await rack.startAppliance();
  cli = openCli(rack.adminSocket);
  await cli(["cluster", "create", "bad"]);
  vm = rack.makeVm({ firmware: "uefi", diskBytes: SMALL_BYTES });
  await cli(["set", vm.mac, "--name", NAME, "--role", "worker", "--approve"]);
});
afterAll(() => rack?.close());

/** Half as many bytes to load and to check as the whole one; copies, because a build may replace what they were lent from. */
function onlyBaseImage(images: string): Buffer {
  const dir = join(images, "amd64-base");
  for (const name of readdirSync(images)) if (name !== "amd64-base") rmSync(join(images, name), { recursive: true });
  for (const name of readdirSync(dir)) {
    const bytes = readFileSync(join(dir, name));
    rmSync(join(dir, name));
    writeFileSync(join(dir, name), bytes, { mode: 0o444 });
  }
  const uki = readFileSync(join(dir, "slipway.uki.efi"));
  return fileInCpio(uki, Buffer.from("slipway/root.squashfs\0"))!;
}

const machine = () => rack.admin.get<MachineView>(`/v1/machines/${vm.mac}`);
const oneLine = (text: string) => text.replace(/\s+/g, " ");
const screen = () => oneLine(vm.vm()?.console() ?? "");
const secondsOn = () => `${((Date.now() - vm.poweredOnAt) / 1000).toFixed(0)} s`;
const show = (what: string, text: string) => console.log(`${secondsOn()}: ${what}:\n${text.trim()}`);

async function until<T>(what: string, timeoutMs: number, look: () => Promise<T | undefined | false>): Promise<T> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(500)) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
  }
  throw new Error(`no ${what} within ${timeoutMs / 1000} s; ${await rack.timelineOf(vm.vm()!)}\n${vm.lastWords()}`);
}

const event = (kind: EventKind, afterMs = vm.poweredOnAt, timeoutMs = BOOTED_MS): Promise<EventView> =>
  until(kind, timeoutMs, async () =>
    (await rack.eventsOf(vm.vm()!)).find((each) => each.kind === kind && each.at > afterMs),
  );

/** What a person reads, in `slipway machines` and on the machine's own screen. */
async function isToldTwice(words: string | RegExp, remedy: string): Promise<void> {
  const told = async (read: () => string | Promise<string>) => {
    const text = oneLine(await read());
    return (typeof words === "string" ? text.includes(words) : words.test(text)) && text.includes(remedy);
  };
  const table = async () => (await cli(["machines"])).stdout;
  await until(`"${words}" in slipway machines`, TOLD_MS, () => told(table));
  await until(`"${words}" on the screen`, TOLD_MS, () => told(screen));
  show("slipway machines", await table());
  show("the screen", vm.lastWords());
}

async function restart(change: () => void = () => {}): Promise<void> {
  await vm.kill();
  change();
  await vm.powerOn();
}

test("a disk that is too small", { timeout: BOOTED_MS + 3 * TOLD_MS }, async () => {
  await vm.powerOn();
  await event("order-failed");
  await isToldTwice("a fixed, writable disk of 6.8 GB or more is needed; seen: vda is too small (4.3 GB)", "");
});

test("only a disk with somebody's data", { timeout: BOOTED_MS + 3 * TOLD_MS }, async () => {
  await restart(() => {
    truncateSync(vm.diskFile, DISK_BYTES);
    execFileSync("mkfs.ext4", ["-q", "-F", vm.diskFile]);
  });
  await event("order-failed");
  await isToldTwice(/vda holds data: [^.]*ext4/, "slipway install");
});

test("the appliance's disk is full in the middle of the install", { timeout: 2 * BOOTED_MS }, async () => {
  const orderedAt = Date.now();
  await cli(["install", NAME, "--wipe", "--yes"]);
  await until("bytes of the image", BOOTED_MS, async () => ((await machine()).live?.step?.bytesDone ?? 0) > 8 * MIB);
  show(`full after ${dataDir.fill()} bytes, in the step`, (await machine()).activityReason ?? "");
  await until("end of the install on the screen", BOOTED_MS, async () =>
    /installed to \/dev\/vda; restarts when/.test(screen()),
  );
  show("the screen", vm.lastWords());
  await until("alarm", TOLD_MS, async () =>
    /nothing can be written/.test((await cli(["status"], { mayFail: true })).stdout),
  );
  await sleep(30_000);
  show("slipway status", (await cli(["status"], { mayFail: true })).stdout);
  show("slipway machines", (await cli(["machines"])).stdout);
  expect((await machine()).lifecycle).toBe("approved");
  const freedAt = Date.now();
  dataDir.free();
  const { at } = await event("installed", orderedAt, TOLD_MS);
  console.log(`noted ${((at - freedAt) / 1000).toFixed(1)} s after there was room again`);
  await event("agent-contact", at);
  expect((await machine()).live?.bootSource).toBe("disk");
  expect((await rack.eventsOf(vm.vm()!)).filter(({ kind }) => kind === "installed")).toHaveLength(1);
});

for (const clock of ["1970-01-01T00:00:10", "2040-06-01T12:00:00"]) {
  test(`its clock says ${clock}, and it is heard from its disk`, { timeout: BOOTED_MS + TOLD_MS }, async () => {
    await restart(() => vm.change({ clock }));
    await event("agent-contact");
    expect((await machine()).live?.bootSource).toBe("disk");
    show("heard", await rack.timelineOf(vm.vm()!));
  });
}

test("the root on its disk has a flipped byte: told after three boots, mended by an install", {
  timeout: 6 * BOOTED_MS,
}, async () => {
  await restart(() => {
    vm.change({ clock: new Date().toISOString().slice(0, 19) });
    writeFileSync(vm.varsFile, putFirst(readFileSync(vm.varsFile), isNetworkEntry));
    flipOnDisk(vm.diskFile, root.subarray(0, 64));
  });
  await until("words of the initramfs on the screen", BOOTED_MS, async () => /Failed to mount/.test(screen()));
  show("the screen", vm.lastWords());
  await event("disk-unheard", vm.poweredOnAt, 4 * BOOTED_MS);
  show("slipway machines", (await cli(["machines"])).stdout);
  expect((await cli(["machines"])).stdout).toContain("it was sent to its disk 3 times and its agent was not heard");
  const orderedAt = Date.now();
  await cli(["install", NAME, "--yes"]);
  const { at } = await event("installed", orderedAt, 2 * BOOTED_MS);
  await event("agent-contact", at);
  expect((await machine()).live?.bootSource).toBe("disk");
});

test("a byte deep in the root is flipped: seen by the check of the whole file", {
  timeout: 2 * BOOTED_MS,
}, async () => {
  await restart(() => {
    flipOnDisk(vm.diskFile, root.subarray(root.length >> 1, (root.length >> 1) + 64));
  });
  await event("agent-contact");
  await isToldTwice(/SHA-256/, "slipway install");
});
