// The whole install and the whole reset against a loop device: from a blank disk, over foreign data, cut at random places,
// with disks that fail. Needs root; the slots' FAT and real firmware are test/e2e/more/install.e2e.test.ts's.
import { execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { classifyDisk } from "../../../node-agent/install/classify-disk.ts";
import { readDiskBytes } from "../../../node-agent/install/open-disk.ts";
import { openDiskCalls } from "../../../node-agent/install/open-disk-calls.ts";
import { digestFile } from "../../../node-agent/install/read-volume.ts";
import { type InstallOutcome, runInstall } from "../../../node-agent/install/run-install.ts";
import { runReset } from "../../../node-agent/install/run-reset.ts";
import type { InstallStep } from "../../../server/contract/generated/agent.ts";
import { chanceOf, GIB, MIB } from "./disk.ts";
import { LoopMachine } from "./loop-machine.ts";

const calls = await openDiskCalls();
const HOLDER = { owner: "a".repeat(64), machine: "node-1" };
const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const OWNER = publicKey.export({ type: "spki", format: "pem" }) as string;
const sized = (bytes: Uint8Array) => ({
  bytes: bytes.length,
  sha256: createHash("sha256").update(bytes).digest("hex"),
});

const PARTS: Record<string, Buffer> = {
  uki: randomBytes(9 * MIB),
  kernel: randomBytes(2 * MIB),
  initrd: randomBytes(7 * MIB),
  "grub-core": randomBytes(170_000),
  "grub-boot": randomBytes(440),
};
const manifestFor = (over: object = {}) =>
  Buffer.from(
    JSON.stringify({
      ...{ schema: 1, arch: "amd64", version: "1.2.3", cmdline: "quiet" },
      ...{ uki: sized(PARTS.uki!), kernel: sized(PARTS.kernel!), initrd: sized(PARTS.initrd!) },
      ...{ grubCore: sized(PARTS["grub-core"]!), grubBoot: sized(PARTS["grub-boot"]!), ...over },
    }),
  );

let server: Server;
let served: Record<string, Buffer>;
let asked: string[] = [];
let machine: LoopMachine | undefined;

beforeAll(async () => {
  server = createServer((request, response) => {
    const name = request.url!.split("/").at(-1)!;
    asked.push(name);
    const bytes = served[name];
    if (bytes === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => server.close());
afterEach(() => {
  const left = machine?.isMounted();
  machine?.close();
  machine = undefined;
  expect(left, "something was left mounted").not.toBe(true);
});

function serve(manifest = manifestFor(), over: Record<string, Buffer> = {}): void {
  asked = [];
  served = { ...PARTS, "manifest.json": manifest, "manifest.sig": sign(null, manifest, privateKey), ...over };
}

type Over = {
  order?: string;
  mayWipe?: boolean;
  wipe?: boolean;
  config?: Buffer;
  key?: string;
  signal?: AbortSignal;
};

function install(
  on: LoopMachine,
  over: Over = {},
  onStep: (step: InstallStep) => void = () => {},
): Promise<InstallOutcome> {
  const input = {
    machine: on.machine,
    order: over.order ?? "order-1",
    imageUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/image/x/`,
    mayWipe: over.mayWipe ?? false,
    install: over.wipe === undefined ? {} : { wipe: over.wipe },
    holder: HOLDER,
    ownerPublicKey: OWNER,
    stateFiles: [
      { path: "config.yaml", name: "config", bytes: over.config ?? Buffer.from("machine: {}\n") },
      { path: "key.pem", name: "key", bytes: Buffer.from(over.key ?? "key 1") },
      { path: "time.json", name: "time", bytes: Buffer.from(String(performance.now())), isLiving: true },
    ],
    meta: new Map(),
    newId: randomUUID,
    libc: on.calls,
    place: on.place(HOLDER),
  };
  return runInstall(input, onStep, over.signal ?? new AbortController().signal);
}

const classOf = async (on: LoopMachine) => classifyDisk(await readDiskBytes(on.machine, on.name, on.calls), HOLDER);

function readState(on: LoopMachine, name: string): string {
  const at = join(on.dir, "look");
  mkdirSync(at, { recursive: true });
  on.mount(on.partition(5), at);
  try {
    return readFileSync(join(at, name), "utf8");
  } finally {
    on.calls.umount(at, 0);
  }
}

async function assertInstalled(on: LoopMachine, number = 1): Promise<void> {
  expect(await classOf(on)).toMatchObject({ kind: "ours", state: "complete", marker: { install: number } });
  expect(on.read(1, `slipway/${number}.lin`).equals(PARTS.kernel!)).toBe(true);
  expect(on.read(1, `slipway/${number}.ird`).equals(PARTS.initrd!)).toBe(true);
  expect(on.read(3, "grub/grub.cfg").toString()).toContain("Slipway OS");
  expect(readState(on, "config.yaml")).toBe("machine: {}\n");
  const { head } = await readDiskBytes(on.machine, on.name, on.calls);
  expect(PARTS["grub-boot"]!.equals(head.subarray(0, 440))).toBe(true);
}

describe("runInstall", () => {
  test("installs to a blank disk, tells each stage with its bytes, and is done when asked again", async () => {
    serve();
    machine = new LoopMachine(calls);
    const steps: InstallStep[] = [];
    expect(await install(machine, {}, (step) => steps.push(step))).toEqual({
      kind: "installed",
      installNumber: 1,
      disk: `/dev/${machine.name}`,
    });
    await assertInstalled(machine);
    const ends = steps.filter(({ done }) => done);
    expect(ends.map(({ number }) => number)).toEqual(ends.map((_, n) => n + 1));
    expect(ends.at(-1)).toMatchObject({ number: ends.length, of: ends.length, text: "marks the install as complete" });
    expect(ends.find(({ text }) => text.startsWith("writes the initramfs"))?.bytesDone).toBe(BigInt(7 * MIB));
    asked = [];
    expect(await install(machine)).toMatchObject({ kind: "installed", installNumber: 1 });
    expect(asked).toEqual([]);
  });
  test("met again by a machine that enrolled anew, a complete install gets its key and no second image", async () => {
    serve();
    machine = new LoopMachine(calls);
    await install(machine);
    const time = readState(machine, "time.json");
    asked = [];
    expect(await install(machine, { key: "key 2" })).toMatchObject({ kind: "installed", installNumber: 1 });
    expect(asked).toEqual(["manifest.json", "manifest.sig"]);
    expect(readState(machine, "key.pem")).toBe("key 2");
    expect(readState(machine, "time.json")).toBe(time);
    await assertInstalled(machine);
    asked = [];
    expect(await install(machine, { key: "key 2" })).toMatchObject({ kind: "installed", installNumber: 1 });
    expect(asked).toEqual([]);
  });
  test("leaves foreign data alone, until a person says that it may go", async () => {
    serve();
    machine = new LoopMachine(calls);
    execFileSync("mkfs.ext4", ["-q", "-F", `/dev/${machine.name}`]);
    const before = (await readDiskBytes(machine.machine, machine.name, calls)).head;
    expect(await install(machine)).toMatchObject({ kind: "failed", reason: /holds data: ext2, ext3 or ext4/ });
    const after = (await readDiskBytes(machine.machine, machine.name, calls)).head;
    expect(Buffer.from(before).equals(after)).toBe(true);
    expect(await install(machine, { wipe: true })).toMatchObject({ kind: "installed" });
    await assertInstalled(machine);
  });
  test("another order installs anew under the next number", async () => {
    serve();
    machine = new LoopMachine(calls);
    await install(machine);
    expect(await install(machine, { order: "order-2" })).toMatchObject({ kind: "installed", installNumber: 2 });
    expect(machine.read(1, "slipway/entry.cfg").toString()).toContain("slot_install=2");
    expect(await classOf(machine)).toMatchObject({ marker: { install: 2, phase: "complete" } });
  });
  test("stopped at random places, it completes with the same order", async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 100_000);
    console.log(`seed ${seed}`);
    const chance = chanceOf(seed);
    serve();
    machine = new LoopMachine(calls);
    for (let attempt = 0; attempt < 6; attempt++) {
      const stop = new AbortController();
      let left = Math.floor(chance() * 40);
      const watched = {
        ...machine.calls,
        fadvise: (...args: Parameters<typeof calls.fadvise>) => count() ?? calls.fadvise(...args),
      };
      const count = () => (left-- <= 0 ? void stop.abort() : undefined);
      Object.assign(machine.calls, { fadvise: watched.fadvise });
      const outcome = await install(machine, { signal: stop.signal }, () => void count());
      if (outcome.kind === "failed") expect(outcome.reason).toBe("the agent was stopped in the middle of the install");
    }
    Object.assign(machine.calls, { fadvise: calls.fadvise });
    expect(await install(machine), `seed ${seed}`).toMatchObject({ kind: "installed", installNumber: 1 });
    await assertInstalled(machine);
  });

  const flipped = (bytes: Buffer) => {
    const copy = Buffer.from(bytes);
    copy[copy.length >> 1]! ^= 1;
    return copy;
  };
  const REFUSED: [string, () => void, RegExp][] = [
    [
      "a manifest that was changed",
      () => serve(manifestFor(), { "manifest.json": manifestFor({ version: "9" }) }),
      /not signed by/,
    ],
    ["no signature", () => serve(manifestFor(), { "manifest.sig": Buffer.alloc(0) }), /not signed by/],
    [
      "the other arch's image",
      () => serve(manifestFor({ arch: "arm64", grubCore: undefined, grubBoot: undefined })),
      /image is for arm64; this machine \(bios\)/,
    ],
    ["an image without GRUB", () => serve(manifestFor({ grubCore: undefined })), /has no grub-core: a BIOS starts it/],
  ];
  for (const [name, prepare, says] of REFUSED) {
    test(`refuses ${name} before anything is written`, async () => {
      prepare();
      machine = new LoopMachine(calls);
      const outcome = await install(machine);
      expect(outcome).toMatchObject({ kind: "failed" });
      expect((outcome as { reason: string }).reason).toMatch(says);
      expect(await classOf(machine)).toMatchObject({ kind: "blank" });
      expect(statSync(machine.file).blocks).toBe(0);
    });
  }
  test("refuses a part with a flipped byte before anything points to it, and goes on once it is right", async () => {
    serve(manifestFor(), { initrd: flipped(PARTS.initrd!) });
    machine = new LoopMachine(calls);
    const outcome = await install(machine);
    expect(outcome).toMatchObject({ kind: "failed" });
    expect((outcome as { reason: string }).reason).toMatch(/initrd came with SHA-256/);
    expect(await classOf(machine)).toMatchObject({ kind: "ours", state: "cut" });
    expect(() => machine!.read(1, "slipway/entry.cfg")).toThrow("ENOENT");
    serve();
    expect(await install(machine)).toMatchObject({ kind: "installed", installNumber: 1 });
    await assertInstalled(machine);
  });
  test("tells that STATE has no room", async () => {
    serve();
    machine = new LoopMachine(calls);
    const outcome = await install(machine, { config: Buffer.alloc(400 * MIB) });
    expect(outcome).toMatchObject({ kind: "failed" });
    expect((outcome as { reason: string }).reason).toContain("no room left (ENOSPC)");
  });
  test("tells that the disk is write-protected", async () => {
    serve();
    machine = new LoopMachine(calls, 8 * GIB, undefined, ["--read-only"]);
    const outcome = await install(machine);
    expect(outcome).toMatchObject({ kind: "failed" });
    expect((outcome as { reason: string }).reason).toMatch(/read-only|refuses to be written/);
  });
  test("tells that the disk fails writes", async () => {
    serve();
    const full = mkdtempSync(join(tmpdir(), "slipway-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", full]);
    try {
      // A loop device answers EIO for what its file system has no room for.
      machine = new LoopMachine(calls, 8 * GIB, join(full, "disk"));
      const outcome = await install(machine);
      expect(outcome).toMatchObject({ kind: "failed" });
      expect((outcome as { reason: string }).reason).toMatch(/^\/dev\/loop\d+ (fails|has no room left)/);
    } finally {
      machine?.close();
      machine = undefined;
      execFileSync("umount", [full]);
      rmSync(full, { recursive: true });
    }
  });
  test("does not take a disk that is in use", async () => {
    serve();
    machine = new LoopMachine(calls);
    execFileSync("mkfs.xfs", ["-q", "-f", `/dev/${machine.name}`]);
    const at = join(machine.dir, "used");
    mkdirSync(at);
    execFileSync("mount", [`/dev/${machine.name}`, at]);
    try {
      const outcome = await install(machine, { mayWipe: true });
      expect((outcome as { reason: string }).reason).toContain("in use: mounted");
    } finally {
      execFileSync("umount", [at]);
    }
  });
});

describe("runReset", () => {
  test("leaves a blank disk, and none of STATE's bytes", async () => {
    serve();
    machine = new LoopMachine(calls);
    const secret = randomBytes(16).toString("hex");
    await install(machine, { config: Buffer.from(secret) });
    const steps: InstallStep[] = [];
    const signal = new AbortController().signal;
    const outcome = await runReset(
      machine.machine,
      HOLDER,
      (step) => steps.push(step),
      machine.calls,
      signal,
      machine.place(HOLDER),
    );
    expect(outcome).toEqual({ kind: "reset", disks: [`/dev/${machine.name}`] });
    expect(await classOf(machine)).toMatchObject({ kind: "blank" });
    expect(() => execFileSync("grep", ["-c", secret, machine!.file])).toThrow();
    expect(steps.at(-1)).toMatchObject({ done: true, order: "" });
    serve();
    expect(await install(machine, { order: "order-2" })).toMatchObject({ kind: "installed", installNumber: 1 });
  });
  test("does not touch a disk of another owner", async () => {
    serve();
    machine = new LoopMachine(calls);
    await install(machine);
    const other = { ...HOLDER, owner: "b".repeat(64) };
    const signal = new AbortController().signal;
    const outcome = await runReset(machine.machine, other, () => {}, machine.calls, signal, machine.place(other));
    expect(outcome).toEqual({ kind: "reset", disks: [] });
    expect(await classOf(machine)).toMatchObject({ kind: "ours", state: "complete" });
  });
});

describe("digestFile", () => {
  test("reads the disk, not what the kernel remembers: a byte flipped below is seen", async () => {
    machine = new LoopMachine(calls, 512 * MIB);
    execFileSync("mkfs.xfs", ["-q", "-f", `/dev/${machine.name}`]);
    const at = join(machine.dir, "xfs");
    mkdirSync(at);
    execFileSync("mount", [`/dev/${machine.name}`, at]);
    try {
      const bytes = Buffer.concat([randomBytes(MIB), Buffer.from("slipway-flips-this-byte"), randomBytes(MIB)]);
      writeFileSync(join(at, "file"), bytes, { flush: true });
      const place = readFileSync(machine.file).indexOf("slipway-flips-this-byte");
      expect(place).toBeGreaterThan(0);
      const below = openSync(machine.file, "r+");
      writeSync(below, Buffer.from("S"), 0, 1, place);
      closeSync(below);
      // The plain read-back that the installer must not trust: it still sees what was written.
      expect(readFileSync(join(at, "file")).equals(bytes)).toBe(true);
      bytes[MIB] = "S".charCodeAt(0);
      expect(await digestFile(join(at, "file"), calls)).toEqual(sized(bytes));
    } finally {
      execFileSync("umount", [at]);
    }
  });
});
