// What goes through the C library: the datagram to systemd, and a clock that may not be set.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock, uptimeMs } from "../../node-agent/clock-service.ts";
import { openNotify } from "../../node-agent/notify-socket.ts";
import { openLibc } from "../../node-agent/open-libc.ts";

/** A datagram socket as systemd has it, and what was sent to it so far. */
async function listen(path: string) {
  const libc = await openLibc();
  const fd = libc.socket(1, 2 | 0o4000, 0);
  const address = Buffer.alloc(110);
  address.writeUInt16LE(1, 0);
  const length = 2 + address.write(path.startsWith("@") ? `\0${path.slice(1)}` : path, 2);
  expect(libc.bind(fd, address, length)).toBe(0);
  const bytes = Buffer.alloc(256);
  return {
    libc,
    next: () => bytes.toString("utf8", 0, Math.max(0, Number(libc.recv(fd, bytes, bytes.length, 0)))),
    close: () => libc.close(fd),
  };
}

test("openNotify sends whole states, to a path and to an abstract name", async () => {
  const dir = mkdtempSync(join(tmpdir(), "slipway-notify-"));
  for (const path of [join(dir, "notify"), `@slipway-test-${process.pid}`]) {
    const systemd = await listen(path);
    const notify = openNotify(path, systemd.libc);
    notify("READY=1");
    notify("STATUS=waits: nobody approved it yet");
    expect([systemd.next(), systemd.next(), systemd.next()]).toEqual([
      "READY=1",
      "STATUS=waits: nobody approved it yet",
      "",
    ]);
    systemd.close();
    expect(() => notify("WATCHDOG=1")).not.toThrow();
  }
  rmSync(dir, { recursive: true });
});

test("openNotify does nothing where systemd did not ask, or asks for what cannot be", async () => {
  const libc = await openLibc();
  for (const path of [undefined, "", "relative", `/${"x".repeat(120)}`]) {
    expect(() => openNotify(path, libc)("READY=1")).not.toThrow();
  }
  expect(() => openNotify("/run/systemd/notify", undefined)("READY=1")).not.toThrow();
});

test("systemClock counts from the kernel's start", () => {
  const clock = systemClock(undefined);
  expect(clock.uptimeMs()).toBeGreaterThan(0);
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1000);
  expect(uptimeMs()).toBeGreaterThanOrEqual(clock.uptimeMs() - 1000);
});

test("systemClock says what is missing when the clock may not be set", () => {
  expect(() => systemClock(undefined).set(0)).toThrow("there is no C library");
  // In a user namespace of its own a process has CAP_SYS_TIME there, and not over the machine's clock.
  const script = `import { systemClock } from "./node-agent/clock-service.ts"; import { openLibc } from "./node-agent/open-libc.ts";
    const libc = await openLibc(); try { systemClock(libc).set(Date.now()); } catch (error) { console.log(error.message); }`;
  const node = [process.execPath, "--input-type=module-typescript", "-e", script];
  const { stdout, stderr, status } = spawnSync("unshare", ["--user", ...node], {
    encoding: "utf8",
    cwd: join(import.meta.dirname, "../.."),
  });
  // Hosts that forbid user namespaces cannot show this part.
  if (status !== 0) expect(stderr).toMatch(/unshare/);
  else expect(stdout).toContain("the clock could not be set: errno 1; CAP_SYS_TIME is needed");
});
