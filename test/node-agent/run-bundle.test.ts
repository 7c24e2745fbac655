// The agent as it ships: the bundle, started by Node as a process of its own, against the real gRPC server on loopback.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleAgent } from "../../node-agent/run-bundle.ts";
import { type Appliance, MAC, startAppliance } from "../server/grpc/appliance.ts";
import { until } from "./machine.ts";

let dir: string;
let appliance: Appliance;
const children: ChildProcess[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "slipway-bundle-"));
  await bundleAgent(join(dir, "agent"), "amd64");
  appliance = await startAppliance();
  writeMachine(join(dir, "root"));
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await appliance.close();
  rmSync(dir, { recursive: true });
});

/** As much of /sys as a machine needs to have the ticket's network card. */
function writeMachine(root: string): void {
  const device = join(root, "sys/devices/pci0000:00/virtio0/net/eth0");
  mkdirSync(join(device, "device"), { recursive: true });
  mkdirSync(join(root, "sys/class/net"), { recursive: true });
  writeFileSync(join(device, "address"), `${MAC}\n`);
  writeFileSync(join(device, "carrier"), "1\n");
  symlinkSync("../../devices/pci0000:00/virtio0/net/eth0", join(root, "sys/class/net/eth0"));
}

function startAgent(): { child: ChildProcess; said: () => string } {
  const env = {
    SLIPWAY_STATE_DIR: join(dir, "state"),
    SLIPWAY_ROOT: join(dir, "root"),
    SLIPWAY_SCREEN: "off",
  };
  const child = spawn(process.execPath, [join(dir, "agent", "agent.mjs")], {
    env,
    stdio: ["ignore", "inherit", "pipe"],
  });
  children.push(child);
  let said = "";
  child.stderr!.on("data", (bytes) => {
    said += bytes;
  });
  return { child, said: () => said };
}

const exitOf = (child: ChildProcess) =>
  new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));

test("bundleAgent gives the same bytes in another directory, and names no directory of this host", async () => {
  const other = join(dir, "elsewhere", "deep");
  const first = await bundleAgent(other, "amd64");
  for (const path of [first.entry, first.native]) {
    const hash = (base: string) =>
      createHash("sha256")
        .update(readFileSync(join(base, path)))
        .digest("hex");
    expect(hash(other)).toBe(hash(join(dir, "agent")));
  }
  const text = readFileSync(join(other, first.entry), "utf8");
  expect(text).not.toContain(join(import.meta.dirname, "../.."));
  expect(text).not.toMatch(/from"(?!node:)[a-z@]/);
  // Nothing of Node's is imported: that would load what only some of its names need.
  expect(text.match(/^import .*from .*/gm)).toEqual(['import { createRequire as slipwayRequire } from "node:module";']);
});

test("the bundle enrols, survives a kill, and ends cleanly on SIGTERM", async () => {
  const { token, machine } = await appliance.boot();
  const { authority, address } = appliance;
  mkdirSync(join(dir, "state"), { mode: 0o700 });
  const ticket = { schema: 1, attempt: "a", token, caFingerprint: authority.fingerprint, server: address, mac: MAC };
  writeFileSync(join(dir, "state", "ticket.json"), JSON.stringify(ticket));
  const activity = async () => (await appliance.inventory.findMachineById(machine.id))?.activity;

  const first = startAgent();
  await until("the wait", async () => (await activity()) === "waiting", first.said);
  first.child.kill("SIGKILL");
  await until("the loss", async () => (await appliance.events()).includes("agent-lost"), first.said);

  const second = startAgent();
  await until("the session", () => appliance.server.sessionCount() === 1, second.said);
  const exited = exitOf(second.child);
  second.child.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect((await appliance.events()).filter((kind) => kind === "enrolled")).toHaveLength(1);
  expect(first.said() + second.said()).not.toContain(token);
});

test("the bundle runs where koffi's native part is missing", async () => {
  const bare = join(dir, "bare");
  mkdirSync(bare);
  cpSync(join(dir, "agent", "agent.mjs"), join(bare, "agent.mjs"));
  const env = {
    SLIPWAY_STATE_DIR: join(dir, "bare-state"),
    SLIPWAY_ROOT: join(dir, "root"),
    NOTIFY_SOCKET: "/nowhere",
  };
  const child = spawn(process.execPath, [join(bare, "agent.mjs")], {
    env: { ...env, SLIPWAY_SCREEN: "off" },
    stdio: ["ignore", "inherit", "pipe"],
  });
  children.push(child);
  let said = "";
  child.stderr.on("data", (bytes) => {
    said += bytes;
  });
  await until(
    "the complaint",
    () => said.includes("The C library could not be loaded"),
    () => said,
  );
  const exited = exitOf(child);
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
});
