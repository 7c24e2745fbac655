// A machine for tests of the agent's loops: its facts, clock, ticket and screen, all in memory but for the state directory.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { NO_RULES } from "../../node-agent/clock.ts";
import { openLog } from "../../node-agent/log.ts";
import type { KernelLog } from "../../node-agent/read-kmsg.ts";
import { runAgent } from "../../node-agent/run-agent.ts";
import type { ScreenStatus } from "../../node-agent/screen.ts";
import { openStore } from "../../node-agent/store.ts";
import type { World } from "../../node-agent/world.ts";
import type { Disk, Facts, NodeStatus } from "../../server/contract/generated/agent.ts";

export const DISK: Disk = {
  name: "vda",
  sizeBytes: 32_000_000_000n,
  model: "",
  serial: "",
  wwid: "",
  bus: "virtio",
  removable: false,
  rotational: false,
  readOnly: false,
  content: "empty",
  contentDetail: "",
  bootMedium: false,
  modalias: "",
  uuid: "",
  busPath: "",
  sectorBytes: 512,
};

export const factsOf = (mac: string, over: Partial<Facts> = {}): Facts => ({
  arch: "amd64",
  firmware: "uefi",
  vendor: "QEMU",
  product: "Standard PC",
  serial: "",
  uuid: "",
  firmwareVersion: "",
  cpuModel: "",
  cpuCount: 1,
  memoryBytes: 1_073_741_824n,
  kernel: "6.12.0",
  osVersion: "Slipway OS test",
  disks: [DISK],
  nics: [{ name: "eth0", mac, driver: "virtio_net", carrier: true, speedMbps: 0, addresses: ["192.0.2.7/24"] }],
  neighbours: [],
  ...over,
});

/** A node's status before it said anything. */
export const NO_STATUS: NodeStatus = {
  ...{ installId: "", ready: false, reason: "", components: [], etcd: undefined, bootstrapObstacle: "" },
  ...{ holdsEndpoint: false, nodes: [], pendingPods: [], configNotes: [], memoryAvailableBytes: 0n },
};

export type TestMachine = {
  world: World;
  /** How far this machine's clock is off, in milliseconds. */
  clock: { offsetMs: number; canSet: boolean };
  screens: ScreenStatus[];
  /** What the screen says now. */
  state(): string;
  said: string[];
  dir: string;
  putTicket(ticket: { token: string; caFingerprint: string; server: string; mac: string }): void;
  start(): void;
  /** What ended the agent, when it ended by itself: systemd would start it again. */
  crash(): unknown;
  stop(): Promise<void>;
  dispose(): Promise<void>;
};

/** Waits are cut to a hundredth, so that backoff is seen without its seconds. */
export function testMachine(mac: string, over: Partial<World> = {}, facts: Facts = factsOf(mac)): TestMachine {
  const dir = mkdtempSync(join(tmpdir(), "slipway-agent-"));
  const clock = { offsetMs: 0, canSet: true };
  const screens: ScreenStatus[] = [];
  const said: string[] = [];
  const uptimeMs = () => performance.now() + 5000;
  let ids = 0;
  const world: World = {
    bootSource: "network",
    store: openStore({ run: dir, keep: dir, say: (text) => void said.push(text) }),
    nodeStore: undefined,
    stateFault: undefined,
    clockRules: () => NO_RULES,
    clockConfirmed: () => {},
    clock: {
      now: () => Date.now() + clock.offsetMs,
      uptimeMs,
      set: (toMs) => {
        if (!clock.canSet) throw new Error("CAP_SYS_TIME is needed");
        clock.offsetMs = toMs - Date.now();
      },
    },
    log: openLog(uptimeMs, (text) => void said.push(text)),
    notify: () => {},
    version: "test",
    bootId: "11111111-2222-3333-4444-555555555555",
    startedMs: uptimeMs(),
    observe: () => facts,
    addresses: () => "192.0.2.7/24",
    show: (status) => void screens.push(status),
    openKernelLog: () => undefined,
    wait: (ms, signal) => sleep(ms / 100, undefined, { signal }).catch(() => {}),
    chance: () => 0,
    pace: { linesMs: 20, factsMs: 100 },
    newId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, "0")}`,
    checkImage: async () => undefined,
    installer: {
      install: async () => ({ kind: "failed", reason: "this test has no disk", remedy: "none" }),
      reset: async () => ({ kind: "failed", reason: "this test has no disk", remedy: "none" }),
    },
    power: { reboot: async () => void said.push("reboot"), powerOff: async () => void said.push("power off") },
    openNode: () => {
      throw new Error("this test has no node");
    },
    ...over,
  };
  let running: { stop: AbortController; done: Promise<void> } | undefined;
  let crash: unknown;
  const stop = async () => {
    running?.stop.abort();
    await running?.done;
    running = undefined;
  };
  return {
    world,
    clock,
    screens,
    said,
    dir,
    state: () => screens.at(-1)?.state ?? "",
    putTicket: (ticket) =>
      writeFileSync(join(dir, "ticket.json"), JSON.stringify({ schema: 1, attempt: "attempt-1", ...ticket })),
    start: () => {
      const controller = new AbortController();
      crash = undefined;
      const done = runAgent(world, controller.signal).catch((error: unknown) => {
        crash = error;
      });
      running = { stop: controller, done };
    },
    crash: () => crash,
    stop,
    dispose: async () => {
      await stop();
      rmSync(dir, { recursive: true });
    },
  };
}

/** Polls until `seen` holds; the message says what was there instead. */
export async function until(what: string, seen: () => boolean | Promise<boolean>, now = () => ""): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await seen()) return;
    await sleep(20);
  }
  throw new Error(`${what} did not come within 10 s; now: ${now()}`);
}

/** A kernel log with these texts, numbered from 0. */
export function kernelLogOf(texts: readonly string[]): World["openKernelLog"] {
  return (afterSeq): KernelLog => {
    let next = afterSeq + 1;
    const take = (most: number) => {
      const lines = texts
        .slice(next, next + most)
        .map((text, index) => ({ seq: next + index, level: 6, uptimeUs: 1000, text }));
      next += lines.length;
      return { lines, lost: 0 };
    };
    return { take, close: () => {} };
  };
}
