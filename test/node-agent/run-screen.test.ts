// The screen on consoles: a picture on tty1, plain lines on serial ones, nothing twice, and nothing lost by a missing one.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openScreen } from "../../node-agent/run-screen.ts";
import { statusOf } from "../../node-agent/status.ts";
import { factsOf } from "./machine.ts";

const MAC = "52:54:00:12:34:56";
const starting = statusOf({
  ...{ facts: factsOf(MAC), standing: { kind: "starting" }, mac: MAC, server: "192.0.2.1:8443", pairingCode: "" },
  ...{ work: { kind: "none" }, running: undefined },
});

test("openScreen draws on tty1 and prints on serial consoles, once per change", () => {
  const root = mkdtempSync(join(tmpdir(), "slipway-screen-"));
  for (const dir of ["dev", "sys/class/tty/console"]) mkdirSync(join(root, dir), { recursive: true });
  writeFileSync(join(root, "sys/class/tty/console/active"), "tty0 ttyS0 ttyAMA0\n");
  for (const name of ["tty0", "tty1", "ttyS0"]) writeFileSync(join(root, "dev", name), "");
  const read = (name: string) => readFileSync(join(root, "dev", name), "latin1");
  let nowMs = 0;
  const screen = openScreen({ root }, () => nowMs);

  screen.show(starting);
  expect(read("tty1")).toMatch(/^\u001b\[H\u001b\[2J\u001b\[\?25l[\x20-\x7e\r\n]+$/);
  expect(read("tty1")).toContain("  State         starting\r\n");
  expect(read("ttyS0")).toMatch(/^\r\n[\x20-\x7e\r\n]+\r\n$/);
  expect(read("tty0")).toBe("");

  writeFileSync(join(root, "dev/ttyS0"), "");
  screen.show(starting);
  expect(read("ttyS0")).toBe("");
  screen.show({ ...starting, state: "enrolling" });
  expect(read("ttyS0")).toContain("enrolling");

  // Bytes of a step: every second on the screen, every ten on a line that scrolls.
  const step = (part: number) => screen.show({ ...starting, state: `installs: step 3 of 9: ${part} of 205 MB` });
  step(10);
  writeFileSync(join(root, "dev/ttyS0"), "");
  step(20);
  expect([read("tty1").includes("20 of 205 MB"), read("ttyS0")]).toEqual([true, ""]);
  nowMs = 10_000;
  step(30);
  expect(read("ttyS0")).toContain("30 of 205 MB");
  screen.close();
  rmSync(root, { recursive: true });
});
