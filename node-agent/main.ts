// The node agent's start: joins the loops to this machine. No rule is here; run-agent.ts is the life, world.ts what it touches.
// One bundle of this file is the agent in the image (run-bundle.ts); systemd/image/slipway-agent.service starts it.
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock, uptimeMs } from "./clock-service.ts";
import { listenLldp } from "./lldp-socket.ts";
import { openLog } from "./log.ts";
import { openNotify } from "./notify-socket.ts";
import { observeNode, readBootId, THIS_MACHINE } from "./observe.ts";
import { openLibc } from "./open-libc.ts";
import { openKernelLog } from "./read-kmsg.ts";
import { readAddresses } from "./read-nics.ts";
import { runAgent } from "./run-agent.ts";
import { openScreen } from "./run-screen.ts";
import { openStore } from "./store.ts";
import type { World } from "./world.ts";

/** systemd restarts the agent when it hears nothing for WatchdogSec=60. */
const WATCHDOG_EVERY_MS = 20_000;

// The image keeps everything at its place; a test names other directories.
const stateDir = process.env.SLIPWAY_STATE_DIR ?? "/run/slipway";
const hasScreen = process.env.SLIPWAY_SCREEN !== "off";
const machine = { ...THIS_MACHINE, root: process.env.SLIPWAY_ROOT ?? THIS_MACHINE.root };

const log = openLog(uptimeMs);
// Setting the clock, telling systemd and hearing LLDP are worth having, and never worth dying for.
const libc = await openLibc().catch((error: Error) => {
  log.warn(`The C library could not be loaded; the clock cannot be set: ${error.message}`);
  return undefined;
});
const notify = openNotify(process.env.NOTIFY_SOCKET, libc);
const lldp = listenLldp(machine, libc);
const screen = hasScreen ? openScreen(machine) : { show: () => {}, close: () => {} };
const stop = new AbortController();

const world: World = {
  store: openStore(stateDir),
  clock: systemClock(libc),
  log,
  notify,
  version: process.env.SLIPWAY_VERSION ?? "0.1.0",
  bootId: readBootId(machine),
  startedMs: uptimeMs() - process.uptime() * 1000,
  observe: () => observeNode(machine, lldp.neighbours()),
  addresses: () => readAddresses().join(),
  show: (status) => screen.show(status),
  openKernelLog: (afterSeq) => openKernelLog(afterSeq),
  wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
  chance: Math.random,
  pace: { linesMs: 500, factsMs: 60_000 },
};

for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
const watchdog = setInterval(() => notify("WATCHDOG=1"), WATCHDOG_EVERY_MS).unref();
await runAgent(world, stop.signal);
clearInterval(watchdog);
lldp.close();
screen.close();
