// What a rig machine runs in the agent's place: the installer by itself, on real firmware, without an appliance. Built into
// an initramfs of the test's own by install-rig.ts; no image carries it. Prints one JSON line for each thing it has to say.
import { constants, openSync, readFileSync, writeSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import {
  BOOT_ORDER,
  bootVariable,
  decodeBootOrder,
  decodeLoadOption,
} from "../../../node-agent/install/efi-load-option.ts";
import { readBootVariables } from "../../../node-agent/install/open-boot-variables.ts";
import { openDiskCalls } from "../../../node-agent/install/open-disk-calls.ts";
import { findOwnDisk, type OwnDisk } from "../../../node-agent/install/read-own-disk.ts";
import { runInstall } from "../../../node-agent/install/run-install.ts";
import { mountState, unmount } from "../../../node-agent/install/run-mounts.ts";
import { runReset } from "../../../node-agent/install/run-reset.ts";
import { isSlotWhole } from "../../../node-agent/install/run-slot-check.ts";
import { THIS_MACHINE } from "../../../node-agent/observe.ts";
import type { RigJob } from "./install-rig.ts";

const job = JSON.parse(readFileSync("/run/rig/job.json", "utf8")) as RigJob;
/** Opened and written as the agent's screen does it: a serial line may be held back by its other end. */
const line = readFileSync("/sys/class/tty/console/active", "utf8").trim().split(" ").at(-1);
const console = openSync(`/dev/${line}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
function say(what: string, value: unknown): void {
  const json = JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? Number(each) : each));
  writeSync(console, `RIG ${what} ${json}\r\n`);
}
process.on("uncaughtException", (fault) => say("fault", String(fault.stack)));
const calls = await openDiskCalls();
const never = new AbortController().signal;

/** Disks come up while the agent starts. */
async function waitForDisk(): Promise<void> {
  for (let n = 0; n < 100 && !(await readdir("/sys/block")).some((name) => /^(vd|sd|nvme)/.test(name)); n++) {
    await sleep(100);
  }
}

async function inspect(own: OwnDisk): Promise<void> {
  say("own", { ...own, marker: { phase: own.marker.phase, install: own.marker.install } });
  say("slot", await isSlotWhole(own, calls, never));
  const at = "/run/rig/state";
  await mountState(own, at, calls);
  say("state", Object.fromEntries((await readdir(at)).map((name) => [name, readFileSync(`${at}/${name}`, "utf8")])));
  unmount(at, calls);
}

const ACTIONS: Record<RigJob["action"], () => Promise<void>> = {
  install: async () => {
    const input = {
      machine: THIS_MACHINE,
      libc: calls,
      newId: () => crypto.randomUUID(),
      meta: new Map([[0x5301c0, Buffer.from(job.ownerPublicKey)]]),
      stateFiles: Object.entries(job.state).map(([name, text]) => ({
        path: `/${name}`,
        name,
        bytes: Buffer.from(text),
      })),
      ...job,
    };
    const began = performance.now();
    say("outcome", await runInstall(input, (step) => say("step", step), never));
    say("seconds", Math.round((performance.now() - began) / 100) / 10);
    say("memory", /MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]);
  },
  reset: async () => {
    say("outcome", await runReset(THIS_MACHINE, job.holder, (step) => say("step", step), calls, never));
  },
  look: async () => {},
};

/** The firmware's order, and every entry of ours that it keeps, in the order or not. */
async function sayBootEntries(): Promise<void> {
  const variables = (await readBootVariables(THIS_MACHINE)) ?? new Map<string, Uint8Array>();
  const nameOf = (variable: string) => {
    const reading = decodeLoadOption(variables.get(variable) ?? Buffer.alloc(0));
    return reading.kind === "option" ? reading.option.description : "";
  };
  say("entries", decodeBootOrder(variables.get(BOOT_ORDER)).map(bootVariable).map(nameOf));
  const all = [...variables.keys()].filter((name) => name !== BOOT_ORDER).map(nameOf);
  say("kept", all.filter((name) => name.startsWith("Slipway")).sort());
}

say("begins", process.arch);
await waitForDisk();
await ACTIONS[job.action]();
await sayBootEntries();
const own = await findOwnDisk(THIS_MACHINE, calls);
if (own === undefined) say("own", null);
else await inspect(own);
say("end", true);
