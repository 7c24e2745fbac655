// What this machine is, and where its memory lies: a container, a machine with a ticket, one without anything. An installed disk
// is a virtual machine's to show (test/e2e).
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLog } from "../../node-agent/log.ts";
import { openWorld } from "../../node-agent/open-world.ts";

let root: string;
let stop: AbortController;
let waits: number;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slipway-world-"));
  mkdirSync(join(root, "run/slipway"), { recursive: true });
  mkdirSync(join(root, "run/systemd"), { recursive: true });
  stop = new AbortController();
  waits = 0;
});
afterEach(() => {
  stop.abort();
  rmSync(root, { recursive: true });
});

const open = async () => {
  const { world } = await openWorld(
    {
      machine: { root, arch: "x64" },
      runDir: join(root, "run/slipway"),
      libc: undefined,
      log: openLog(
        () => 0,
        () => {},
      ),
      ...{ notify: () => {}, neighbours: () => [], show: () => {}, version: "test", bootId: "", startedMs: 0 },
      // Looks for a disk count and take no time; whatever waits longer waits for the end.
      wait: async (ms, signal) => {
        if (ms > 1000) return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
        waits++;
      },
      ...{ chance: () => 0, newId: () => "id", pace: { linesMs: 1, factsMs: 1 } },
    },
    stop.signal,
  );
  return world;
};

test("a container keeps key and node on its own /var, and waits for no disk", async () => {
  writeFileSync(join(root, "run/systemd/container"), "systemd-nspawn\n");
  const world = await open();
  world.store.key();
  expect(world.bootSource).toBe("container");
  expect(world.nodeStore?.read()).toEqual({ kind: "blank" });
  const state = join(root, "var/lib/slipway/state");
  expect([existsSync(join(state, "key.pem")), statSync(state).mode & 0o777]).toEqual([true, 0o700]);
  expect(world.openKernelLog(0)).toBeUndefined();
  expect(world.clockRules().isOthers).toBe(true);
});

test("a machine with a ticket is netbooted at once, and stays so when the ticket is spent", async () => {
  for (const name of ["ticket.json", "identity.json"]) {
    const file = join(root, "run/slipway", name);
    writeFileSync(file, "{}");
    waits = 0;
    const world = await open();
    expect([world.bootSource, world.nodeStore, waits]).toEqual(["network", undefined, 0]);
    world.store.key();
    expect(existsSync(join(root, "run/slipway/key.pem"))).toBe(true);
    rmSync(file);
    stop.abort();
    stop = new AbortController();
  }
});

test("a machine without a ticket and without a disk of ours waits for the disk's driver, then counts as netbooted", async () => {
  const world = await open();
  expect([world.bootSource, world.stateFault]).toEqual(["network", undefined]);
  expect(waits).toBeGreaterThan(10);
});
