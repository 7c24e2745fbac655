// A virtual machine as a value: real firmware under QEMU, its console readable, its power in our hands. Called by rack.ts
// and by tests. It ends with its lab at the latest, and takes its files with it.
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { Bridge, Lab } from "./namespace.ts";
import { FIRMWARES, qemuCommand, type VmSettings } from "./qemu-arguments.ts";
import { sendControl } from "./qemu-control.ts";
import { openScratchFolder } from "./scratch-folder.ts";

export type Vm = {
  readonly mac: string;
  readonly pid: number;
  /** Milliseconds since 1970 at power-on. */
  readonly poweredOnAt: number;
  /** Where the console's output goes, raw. */
  readonly consoleFile: string;
  /** All that the console has shown, without the firmware's cursor movements. */
  console(): string;
  /** Waits for a line on the console. Throws when the time is over or the machine is off, with the console's last lines. */
  waitForConsole(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray>;
  /** The reset button. */
  reset(): Promise<void>;
  /** Presses the power button; resolves when the machine is off, or when the time is over. */
  pressPowerButton(timeoutMs: number): Promise<void>;
  /** Pulls the plug; resolves when the machine is off and its files are gone. Safe to call twice. */
  powerOff(): Promise<void>;
  /** Whether it still runs. */
  isOn(): boolean;
};

/** The console's bytes as text: cursor movements and colours are left out, carriage returns become line ends. */
export function consoleText(bytes: Buffer): string {
  return (
    bytes
      .toString("latin1")
      // biome-ignore lint/complexity/useRegexLiterals: an escape character in a literal is easily lost
      .replace(new RegExp("\\u001b(\\[[0-9;=?]*[A-Za-z]|[()][A-Z0-9]|c)", "g"), "")
      .replace(/\r+\n?/g, "\n")
  );
}

const lastLines = (text: string, count: number) =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-count)
    .join("\n");

/**
 * Powers a machine on, on a tap that the caller made on `bridge`.
 * @throws COMMAND_FAILED with QEMU's own words when it does not start.
 */
export async function startVm(lab: Lab, bridge: Bridge, settings: VmSettings): Promise<Vm> {
  const { path: dir, remove: removeFiles } = openScratchFolder();
  const files = {
    consoleFile: join(dir, "console"),
    varsFile: settings.varsFile ?? join(dir, "vars"),
    controlSocket: join(dir, "control"),
  };
  const { flash } = FIRMWARES[settings.firmware];
  if (flash && !existsSync(files.varsFile)) copyFileSync(flash.vars, files.varsFile);
  writeFileSync(files.consoleFile, "");
  const poweredOnAt = Date.now();
  // Nice: the machine under test must not take the processor from the appliance that serves it.
  const qemu = lab.spawn(bridge.ns, ["nice", "-n", "10", ...qemuCommand(settings, files)]);
  let on = true;
  const off = qemu.ended().finally(() => {
    on = false;
  });
  await Promise.race([off, new Promise((resolve) => setTimeout(resolve, 300))]);
  if (!on) {
    removeFiles();
    throw new SlipwayError("COMMAND_FAILED", `${FIRMWARES[settings.firmware].program} did not start: ${qemu.stderr()}`);
  }

  let kept: string | undefined;
  const read = () => kept ?? consoleText(readFileSync(files.consoleFile));
  const waitForConsole = async (pattern: RegExp, timeoutMs: number) => {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const match = pattern.exec(read());
      if (match) return match;
      const why = !on ? "the machine is off" : Date.now() > until ? `${timeoutMs} ms passed` : undefined;
      if (why) {
        throw new SlipwayError(
          "COMMAND_FAILED",
          `${settings.mac} (${settings.firmware}): ${why} before its console showed ${pattern}; it shows:\n${lastLines(read(), 25)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  return {
    mac: settings.mac,
    pid: qemu.pid,
    poweredOnAt,
    consoleFile: files.consoleFile,
    console: read,
    waitForConsole,
    reset: () => sendControl(files.controlSocket, "system_reset"),
    pressPowerButton: async (timeoutMs) => {
      if (!on) return;
      await sendControl(files.controlSocket, "system_powerdown");
      await Promise.race([off, new Promise((resolve) => setTimeout(resolve, timeoutMs).unref())]);
    },
    powerOff: async () => {
      await qemu.stop();
      kept = read();
      removeFiles();
    },
    isOn: () => on,
  };
}
