// The slots' file system as mkfs.vfat (dosfstools) makes it, filled with mtools, and STATE's as mkfs.xfs does. No root.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { volumeId } from "../../../node-agent/install/install-files.ts";
import { LAYOUT } from "../../../node-agent/install/layout.ts";
import { FORMAT_ERASE_BYTES } from "../../../node-agent/install/plan-install.ts";
import { payloadPath, temporaryPath } from "../../../node-agent/install/slot-files.ts";
import { guid, MIB } from "./disk.ts";

const DIR = mkdtempSync(join(tmpdir(), "slipway-slot-"));
afterAll(() => rmSync(DIR, { recursive: true }));
const run = (...args: string[]) => execFileSync(args[0]!, args.slice(1), { encoding: "utf8", stdio: "pipe" });

function partition(label: string): string {
  const path = join(DIR, label);
  writeFileSync(path, "");
  truncateSync(path, LAYOUT.find((row) => row.label === label)!.mib * MIB);
  return path;
}

test("a slot's FAT has the id that GRUB searches, its tables lie in what is erased, payloads need one directory entry", () => {
  const slot = partition("EFI");
  const id = volumeId("1a2b3c4d-1111-4222-8333-444444444444");
  run("mkfs.vfat", "-F", "32", "-i", id.replace("-", ""), "-n", "EFI", slot);
  expect(run("blkid", "-p", "-o", "value", "-s", "UUID", slot).trim()).toBe(id);
  const info = run("minfo", "-i", slot, "::");
  const number = (name: RegExp) => Number(name.exec(info)![1]);
  const tables = number(/reserved \(boot\) sectors: (\d+)/) + 2 * number(/Big fatlen=(\d+)/);
  const cluster = number(/cluster size: (\d+)/);
  expect((tables + cluster) * 512).toBeLessThan(FORMAT_ERASE_BYTES);
  run("mmd", "-i", slot, "::/slipway");
  const payload = join(DIR, "payload");
  writeFileSync(payload, "x");
  const path = payloadPath(7, "uki");
  run("mcopy", "-i", slot, payload, `::${temporaryPath(path)}`);
  run("mren", "-i", slot, `::${temporaryPath(path)}`, `::${path}`);
  expect(run("mdir", "-b", "-i", slot, "::/slipway")).toContain("::/slipway/7.efi");
  expect(run("fsck.vfat", "-n", slot)).toMatch(/\d+ files, /);
});

test("STATE is large enough for mkfs.xfs, which takes our UUID", () => {
  const state = partition("STATE");
  run("mkfs.xfs", "-q", "-L", "STATE", "-m", `uuid=${guid(6)}`, state);
  expect(run("blkid", "-p", "-o", "value", "-s", "UUID", state).trim()).toBe(guid(6));
});
