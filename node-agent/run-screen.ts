// Draws the status on the machine's consoles: the whole screen on tty1, plain lines on serial ones. Edge.
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { uptimeMs } from "./clock-service.ts";
import { type Root, readText } from "./read-sysfs.ts";
import { renderScreen, type ScreenStatus } from "./screen.ts";

/** Cursor home, clear to the end, cursor off. */
const CLEAR = "\u001b[H\u001b[2J\u001b[?25l";
/** The kernel may have written over the picture meanwhile. */
const REDRAW_EVERY_MS = 60_000;
/** Serial consoles scroll: where only numbers changed (bytes of a step), this often is enough. */
const SERIAL_EVERY_MS = 10_000;

export type Screen = { show(status: ScreenStatus): void; close(): void };

/** Opens the screen. Consoles are opened anew for each drawing: a monitor or a serial line may come and go. */
export function openScreen(from: Root, nowMs: () => number = uptimeMs): Screen {
  let shown = "";
  let printed = { words: "", atMs: 0 };
  let picture: readonly string[] = [];
  const drawTerminal = () => write(join(from.root, "dev/tty1"), `${CLEAR}${picture.join("\r\n")}\r\n`);
  const timer = setInterval(() => picture.length > 0 && drawTerminal(), REDRAW_EVERY_MS).unref();
  return {
    show: (status) => {
      const lines = renderScreen(status);
      const text = lines.join("\r\n");
      if (text === shown) return;
      shown = text;
      picture = lines;
      drawTerminal();
      const words = text.replace(/[\d.]+/g, "#");
      if (words === printed.words && nowMs() - printed.atMs < SERIAL_EVERY_MS) return;
      printed = { words, atMs: nowMs() };
      for (const console of serialConsoles(from)) write(console, `\r\n${text}\r\n`);
    },
    close: () => clearInterval(timer),
  };
}

/** Consoles of the kernel command line that are no virtual terminals: `tty0 ttyS0` → /dev/ttyS0. */
function serialConsoles(from: Root): string[] {
  const active = readText(from, "sys/class/tty/console/active").split(" ");
  return active.filter((name) => /^(tty[A-Z]|hvc)\w*$/.test(name)).map((name) => join(from.root, "dev", name));
}

/** Never waits: a serial line whose other end holds it back (RTS/CTS) would stop the agent. */
function write(path: string, text: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
    writeSync(fd, text);
  } catch {
    // No such console, or it takes nothing now: the appliance shows the same state.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
