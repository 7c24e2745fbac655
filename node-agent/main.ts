// The node agent's start: joins the loops to this machine. No rule is here; run-agent.ts is the life, world.ts what it touches.
// One bundle of this file is the agent in the image (run-bundle.ts); systemd/image/slipway-agent.service starts it.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { uptimeMs } from "./clock-service.ts";
import { listenLldp } from "./lldp-socket.ts";
import { openLog } from "./log.ts";
import { openNotify } from "./notify-socket.ts";
import { readBootId, THIS_MACHINE } from "./observe.ts";
import { openLibc } from "./open-libc.ts";
import { openWorld } from "./open-world.ts";
import { runAgent } from "./run-agent.ts";
import { openScreen } from "./run-screen.ts";

/** systemd restarts the agent when it hears nothing for WatchdogSec=3min. */
const WATCHDOG_EVERY_MS = 20_000;

// The image keeps everything at its place; a test names other directories.
const machine = { ...THIS_MACHINE, root: process.env.SLIPWAY_ROOT ?? THIS_MACHINE.root };
const runDir = process.env.SLIPWAY_STATE_DIR ?? join(machine.root, "run/slipway");
const hasScreen = process.env.SLIPWAY_SCREEN !== "off";

const log = openLog(uptimeMs);
// Setting the clock, telling systemd and hearing LLDP are worth having, and never worth dying for.
const libc = await openLibc().catch((error: Error) => {
  log.warn(`The C library could not be loaded; the clock cannot be set: ${error.message}`);
  return undefined;
});
const notify = openNotify(process.env.NOTIFY_SOCKET, libc);
const screen = hasScreen ? openScreen(machine) : { show: () => {}, close: () => {} };
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
const watchdog = setInterval(() => notify("WATCHDOG=1"), WATCHDOG_EVERY_MS).unref();
// Finding the own disk may take seconds, and systemd waits for nobody on its account.
notify("READY=1");
const lldp = listenLldp(machine, libc);

const world = await openWorld(
  {
    ...{ machine, runDir, libc, log, notify },
    neighbours: () => lldp.neighbours(),
    show: (status) => screen.show(status),
    version: process.env.SLIPWAY_VERSION ?? "0.1.0",
    bootId: readBootId(machine),
    startedMs: uptimeMs() - process.uptime() * 1000,
    wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
    chance: Math.random,
    newId: randomUUID,
    pace: { linesMs: 500, factsMs: 60_000 },
  },
  stop.signal,
);
await runAgent(world.world, stop.signal);
await world.close();
clearInterval(watchdog);
lldp.close();
screen.close();
