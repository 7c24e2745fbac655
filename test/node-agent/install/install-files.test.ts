import { describe, expect, test } from "vitest";
import { type DiskOp, dirOf, fileOps } from "../../../node-agent/install/disk-ops.ts";
import { slotVolumes, volumeId } from "../../../node-agent/install/install-files.ts";
import type { FileSpec } from "../../../node-agent/install/install-step.ts";
import { GUIDS } from "./disk.ts";

const FILE: FileSpec = {
  on: "EFI",
  path: "/EFI/BOOT/BOOTX64.EFI",
  content: { kind: "asset", asset: "loader" },
  bytes: 9,
  sha256: "ab",
};

const words = (op: DiskOp): string =>
  [op.op, "from" in op ? op.from : "", "path" in op ? op.path : "", "to" in op ? op.to : ""]
    .filter((w) => w !== "")
    .join(" ");

describe("fileOps", () => {
  test("writes a file in the one order that survives a cut", () =>
    expect(fileOps(FILE).map(words)).toEqual([
      "make-dir /EFI",
      "sync-dir /",
      "make-dir /EFI/BOOT",
      "sync-dir /EFI",
      "write /EFI/BOOT/BOOTX64.EFI.new",
      "sync-file /EFI/BOOT/BOOTX64.EFI.new",
      "verify /EFI/BOOT/BOOTX64.EFI.new",
      "rename /EFI/BOOT/BOOTX64.EFI.new /EFI/BOOT/BOOTX64.EFI",
      "sync-file /EFI/BOOT/BOOTX64.EFI",
      "sync-dir /EFI/BOOT",
    ]));
  test("dirOf names the root with a slash", () => expect([dirOf("/a"), dirOf("/a/b")]).toEqual(["/", "/a"]));
});

describe("volumeId", () => {
  test("is the GUID's first half as FAT tools write it", () => {
    expect(volumeId("1a2b3c4d-1111-4222-8333-444444444444")).toBe("1A2B-3C4D");
    expect(slotVolumes(GUIDS)).toEqual({ EFI: "0000-0002", BOOT: "0000-0004" });
  });
});
