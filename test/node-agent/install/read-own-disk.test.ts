// findOwnDisk on a machine made of sparse files: which disk is the system's own, and what is said where there are several.
// And the firmware's variables in a directory that stands for efivarfs.
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BOOT_ORDER, bootVariable } from "../../../node-agent/install/efi-load-option.ts";
import { encodeGpt } from "../../../node-agent/install/gpt.ts";
import { type LayoutGuids, planLayout } from "../../../node-agent/install/layout.ts";
import { encodeMarker, type Marker } from "../../../node-agent/install/marker.ts";
import { readBootVariables, removeVariable, writeVariable } from "../../../node-agent/install/open-boot-variables.ts";
import {
  type DiskCalls,
  FS_IMMUTABLE,
  FS_IOC_GETFLAGS,
  FS_IOC_SETFLAGS,
} from "../../../node-agent/install/open-disk-calls.ts";
import { findOwnDisk } from "../../../node-agent/install/read-own-disk.ts";
import { GIB, GUIDS, guid, MARKER } from "./disk.ts";

let root: string;
let immutable: boolean;
let asked: number[];
/** Nothing here needs the kernel but for efivarfs's flag. */
const calls = {
  fadvise: () => 0,
  ioctl: (_: number, request: number, flags: Buffer | null) => {
    asked.push(request);
    if (request === FS_IOC_GETFLAGS) flags!.writeUInt32LE(immutable ? FS_IMMUTABLE | 0x80 : 0x80, 0);
    if (request === FS_IOC_SETFLAGS) expect(flags!.readUInt32LE(0)).toBe(0x80);
    return 0;
  },
} as unknown as DiskCalls;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slipway-own-"));
  immutable = false;
  asked = [];
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, bytes: string | Uint8Array): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), bytes);
}

const EFIVARS = "sys/firmware/efi/efivars";
const machine = () => ({ root, arch: "x64" });

/** A disk with our table and this marker; its partitions are in sysfs as the kernel has them. */
function disk(name: string, marker: Marker): void {
  const sizeBytes = 8 * GIB;
  const laid = planLayout({ sizeBytes, sectorBytes: 512 }, "uefi-x86_64", marker.guids);
  if (laid.kind !== "layout") throw new Error(laid.reason);
  const { backup, primary } = encodeGpt(laid.layout.gpt);
  put(`dev/${name}`, "");
  truncateSync(join(root, "dev", name), sizeBytes);
  const file = openSync(join(root, "dev", name), "r+");
  for (const { offset, bytes } of [backup, primary, encodeMarker(marker)])
    writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
  const place = `sys/devices/pci0000:00/virtio1/block/${name}`;
  put(`${place}/size`, `${sizeBytes / 512}\n`);
  put(`${place}/queue/logical_block_size`, "512\n");
  for (const { number } of laid.layout.partitions) {
    put(`${place}/${name}${number}/partition`, `${number}\n`);
    put(`dev/${name}${number}`, "");
  }
  mkdirSync(join(root, "sys/block"), { recursive: true });
  symlinkSync(join(root, place), join(root, "sys/block", name));
}

const others: LayoutGuids = {
  disk: guid(21),
  EFI: guid(22),
  BIOS: guid(23),
  BOOT: guid(24),
  META: guid(25),
  STATE: guid(26),
  EPHEMERAL: guid(27),
};
const complete: Marker = { ...MARKER, phase: "complete" };

describe("findOwnDisk", () => {
  test("finds the one disk with a whole system, and its partitions' devices", async () => {
    disk("vda", complete);
    expect(await findOwnDisk(machine(), calls)).toMatchObject({
      disk: "/dev/vda",
      marker: { install: 1 },
      classKind: "ours",
      partitions: {
        EFI: { partuuid: GUIDS.EFI, device: join(root, "dev/vda1") },
        STATE: { partuuid: GUIDS.STATE, device: join(root, "dev/vda4") },
      },
      reason: "the only disk with a whole Slipway OS",
    });
  });
  test("takes none whose install was cut, or that somebody used since", async () => {
    disk("vda", { ...complete, phase: "filling" });
    disk("vdb", { ...complete, guids: others });
    const file = openSync(join(root, "dev/vdb"), "r+");
    writeSync(file, Buffer.from("XFSB"), 0, 4, 0);
    closeSync(file);
    expect(await findOwnDisk(machine(), calls)).toBeUndefined();
  });
  test("of two, the newest install", async () => {
    disk("vda", complete);
    disk("vdb", { ...complete, install: 2, guids: others });
    expect(await findOwnDisk(machine(), calls)).toMatchObject({
      disk: "/dev/vdb",
      reason: "it holds the newest install (2); /dev/vda (install 1) also holds a whole Slipway OS",
    });
  });
  test("of two, the one that the loader came from, newest or not", async () => {
    disk("vda", complete);
    disk("vdb", { ...complete, install: 2, guids: others });
    const text = Buffer.from(`${GUIDS.EFI.toUpperCase()}\0`, "utf16le");
    put(`${EFIVARS}/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f`, Buffer.concat([Buffer.alloc(4), text]));
    expect(await findOwnDisk(machine(), calls)).toMatchObject({
      disk: "/dev/vda",
      reason: "the loader came from it; /dev/vdb (install 2) also holds a whole Slipway OS",
    });
  });
});

describe("boot variables", () => {
  const name = bootVariable(7);
  test("are none without efivarfs", async () => expect(await readBootVariables(machine())).toBeUndefined());
  test("are written, read and removed; others are not looked at", async () => {
    put(`${EFIVARS}/${BOOT_ORDER}`, Buffer.alloc(6));
    put(`${EFIVARS}/SecureBoot-x`, "x");
    expect(await writeVariable(machine(), name, Buffer.from("1234five"), calls)).toEqual({ kind: "done" });
    expect([...(await readBootVariables(machine()))!.keys()].sort()).toEqual([name, BOOT_ORDER].sort());
    expect(await removeVariable(machine(), name, calls)).toEqual({ kind: "done" });
    expect(await removeVariable(machine(), name, calls)).toEqual({ kind: "done" });
    expect(readdirSync(join(root, EFIVARS))).not.toContain(name);
  });
  test("lose the flag that protects them first", async () => {
    immutable = true;
    put(`${EFIVARS}/${name}`, "old");
    expect(await writeVariable(machine(), name, Buffer.from("new"), calls)).toEqual({ kind: "done" });
    expect(asked).toEqual([FS_IOC_GETFLAGS, FS_IOC_SETFLAGS]);
    expect(readFileSync(join(root, EFIVARS, name), "utf8")).toBe("new");
  });
  test("that the firmware refuses are an outcome with its word", async () => {
    mkdirSync(join(root, EFIVARS, name), { recursive: true });
    expect(await writeVariable(machine(), name, Buffer.from("x"), calls)).toEqual({
      kind: "refused",
      reason: "Boot0007: EISDIR",
    });
  });
});
