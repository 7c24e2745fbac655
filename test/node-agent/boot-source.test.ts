// Where the running system came from: the rule, and the traces it is told by.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decideBootSource } from "../../node-agent/boot-source.ts";
import { isInContainer } from "../../node-agent/read-boot.ts";

test("decideBootSource never takes a netbooted machine for a node, and never a container for a machine", () => {
  const source = (isContainer: boolean, hasTicket: boolean, hasOwnDisk: boolean) =>
    decideBootSource({ isContainer, hasTicket, hasOwnDisk });
  expect([source(false, true, true), source(false, true, false), source(false, false, false)]).toEqual([
    "network",
    "network",
    "network",
  ]);
  expect(source(false, false, true)).toBe("disk");
  expect([source(true, true, false), source(true, false, false)]).toEqual(["container", "container"]);
});

test("isInContainer goes by the manager's note, else by PID 1's environment", () => {
  const root = mkdtempSync(join(tmpdir(), "slipway-boot-"));
  const write = (path: string, text: string) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  expect(isInContainer({ root })).toBe(false);
  write("proc/1/environ", "TERM=linux\0xcontainer=no\0container=\0");
  expect(isInContainer({ root })).toBe(false);
  write("proc/1/environ", "TERM=linux\0container=systemd-nspawn\0");
  expect(isInContainer({ root })).toBe(true);
  write("proc/1/environ", "");
  write("run/systemd/container", "systemd-nspawn\n");
  expect(isInContainer({ root })).toBe(true);
  rmSync(root, { recursive: true });
});
