// The installer on real firmware: a blank disk is installed, then booted by its firmware alone. Lines that break, the plug
// pulled in the middle, a second install over the first, bytes flipped afterwards, the reset. No appliance takes part.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { RigImage, type RigJob, RigMachine } from "./install-rig.ts";

const HOLDER = { owner: "a".repeat(64), machine: "node-1" };
/** Emulated, on a busy host. */
const DONE_MS = 900_000;
const BOOTED = /Slipway OS \d[\s\S]*State /;
const OURS = ["", " (again 1)", " (again 2)", " (again 3)", " (second slot)"].map((end) => `Slipway OS${end}`);

/** What the set-up built; the rig signs it with a key of its own. */
const IMAGES = join(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))), "data/assets/images");

let image: RigImage;
let port: number;
let machine: RigMachine | undefined;
beforeAll(async () => {
  image = new RigImage(join(IMAGES, "amd64-base"));
  port = await image.listen();
});
afterAll(() => image.close());
afterEach(async () => {
  await machine?.close();
  machine = undefined;
  image.cuts = [];
  image.spoil.clear();
});

function jobFor(over: Partial<RigJob> = {}): RigJob {
  return {
    action: "install",
    order: "order-1",
    imageUrl: `http://10.0.2.2:${port}/image/x/`,
    mayWipe: false,
    install: {},
    holder: HOLDER,
    ownerPublicKey: image.ownerPublicKey,
    state: { "config.yaml": "machine: {}\n" },
    ...over,
  };
}

async function runJob(over: Partial<RigJob> = {}): Promise<RigMachine> {
  await machine!.boot(jobFor(over));
  await machine!.waitFor(/^RIG end/m, DONE_MS);
  await machine!.powerOff();
  return machine!;
}

async function bootsFromDisk(pattern = BOOTED): Promise<void> {
  machine!.bootDisk();
  await machine!.waitFor(pattern, DONE_MS);
  await machine!.powerOff();
}

describe("UEFI, x86-64", () => {
  test("installs over a line that breaks three times, and boots from its own disk", async () => {
    machine = new RigMachine({ firmware: "uefi", image, memoryMiB: 1024 });
    image.cuts = [5_000_000, 20_000_000, 1000];
    image.requests = [];
    await runJob();
    expect(machine.heard("outcome")).toEqual({ kind: "installed", installNumber: 1, disk: "/dev/vda" });
    expect(image.requests.filter((each) => each.startsWith("uki bytes="))).toHaveLength(3);
    expect(machine.heard("slot")).toMatchObject({ kind: "whole", files: 1 });
    expect(machine.heard("state")).toEqual({ "config.yaml": "machine: {}\n" });
    expect(machine.heard<string[]>("entries")!.slice(0, 5)).toEqual(OURS);
    await bootsFromDisk();
    // Five installs would only repeat the second one: equal entries keep their numbers.
    await runJob({ order: "order-2" });
    expect(machine.heard("outcome")).toMatchObject({ installNumber: 2 });
    expect(machine.heard<string[]>("entries")!.filter((name) => name.startsWith("Slipway"))).toEqual(OURS);
    expect(machine.heard("kept")).toEqual([...OURS].sort());
    machine.flip(image.part("uki").subarray(40_000_000, 40_000_064));
    await runJob({ action: "look" });
    expect(machine.heard("slot")).toMatchObject({ kind: "damaged" });
    await runJob({ action: "reset" });
    expect(machine.heard("outcome")).toEqual({ kind: "reset", disks: ["/dev/vda"] });
    expect(machine.heard("own")).toBeNull();
    expect(machine.heard("kept")).toEqual([]);
  }, 4_500_000);

  test("the plug pulled at random moments: the same order completes", async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 100_000);
    const cuts = Number(process.env.CUTS ?? 2);
    console.log(`seed ${seed}, ${cuts} cuts`);
    machine = new RigMachine({ firmware: "uefi", image });
    for (let n = 0; n < cuts; n++) {
      await machine.boot(jobFor());
      await machine.waitFor(/^RIG (step|outcome)/m, DONE_MS);
      await new Promise((resolve) => setTimeout(resolve, (seed * (n + 1) * 7919) % 20_000));
      console.log(`cut ${n + 1}: ${JSON.stringify(machine.heard<{ text: string }>("step")?.text)}`);
      await machine.powerOff();
    }
    await runJob();
    expect(machine.heard("outcome"), `seed ${seed}`).toEqual({ kind: "installed", installNumber: 1, disk: "/dev/vda" });
    expect(machine.heard("slot")).toMatchObject({ kind: "whole" });
    await bootsFromDisk();
  }, 4_500_000);
});

test("UEFI, arm64: installs, and boots from its own disk", async () => {
  const arm64 = new RigImage(join(IMAGES, "arm64-base"));
  const imageUrl = `http://10.0.2.2:${await arm64.listen()}/image/x/`;
  try {
    machine = new RigMachine({ firmware: "arm64", image: arm64 });
    await runJob({ imageUrl, ownerPublicKey: arm64.ownerPublicKey });
    expect(machine.heard("outcome")).toEqual({ kind: "installed", installNumber: 1, disk: "/dev/vda" });
    expect(machine.heard("slot")).toMatchObject({ kind: "whole", files: 1 });
    expect(machine.heard<string[]>("entries")!.slice(0, 5)).toEqual(OURS);
    await bootsFromDisk();
  } finally {
    arm64.close();
  }
}, 3_600_000);

describe("BIOS", () => {
  test("installs, boots from its own disk through GRUB, and does not start an image with a flipped byte", async () => {
    machine = new RigMachine({ firmware: "bios", image });
    await runJob();
    expect(machine.heard("outcome")).toEqual({ kind: "installed", installNumber: 1, disk: "/dev/vda" });
    expect(machine.heard("slot")).toMatchObject({ kind: "whole", files: 2 });
    await bootsFromDisk();
    machine.flip(image.part("initrd").subarray(40_000_000, 40_000_064));
    await bootsFromDisk(/do not match their SHA-256/);
  }, 3_600_000);
});

test("a byte flipped on its way ends before anything can boot", async () => {
  machine = new RigMachine({ firmware: "uefi", image });
  image.spoil.set("uki", (bytes) => {
    const copy = Buffer.from(bytes);
    copy[bytes.length >> 1]! ^= 1;
    return copy;
  });
  await runJob();
  expect(machine.heard("outcome")).toMatchObject({ kind: "failed" });
  expect(machine.heard<{ reason: string }>("outcome")!.reason).toMatch(/uki came with SHA-256/);
  expect(machine.heard("own")).toBeNull();
}, 900_000);
