import { describe, expect, test } from "vitest";
import { encodeGpt } from "../../../node-agent/install/gpt.ts";
import { decodeGpt } from "../../../node-agent/install/gpt-decode.ts";
import { type Firmware, type Layout, leastDiskBytes, planLayout } from "../../../node-agent/install/layout.ts";
import { diskOf, GIB, GUIDS, MIB } from "./disk.ts";

function laidOut(sizeBytes: number, firmware: Firmware = "uefi-x86_64", sectorBytes: 512 | 4096 = 512): Layout {
  const outcome = planLayout({ sizeBytes, sectorBytes }, firmware, GUIDS);
  if (outcome.kind !== "layout") throw new Error(outcome.reason);
  return outcome.layout;
}

const rows = (layout: Layout) =>
  layout.partitions.map((p) => `${p.number} ${p.label} ${p.offset / MIB}+${p.bytes / MIB} ${p.format}`);

describe("planLayout", () => {
  test("lays a UEFI disk out", () =>
    expect(rows(laidOut(20 * GIB))).toEqual([
      "1 EFI 1+1024 fat32",
      "2 BOOT 1025+1024 fat32",
      "3 META 2049+1 none",
      "4 STATE 2050+320 xfs",
      "5 EPHEMERAL 2370+18109 xfs",
    ]));
  test("gives a BIOS disk a place for GRUB's core", () =>
    expect(rows(laidOut(20 * GIB, "bios"))).toEqual([
      "1 EFI 1+1024 fat32",
      "2 BIOS 1025+1 none",
      "3 BOOT 1026+1024 fat32",
      "4 META 2050+1 none",
      "5 STATE 2051+320 xfs",
      "6 EPHEMERAL 2371+18108 xfs",
    ]));
  test("marks the protective MBR as active on BIOS only", () => {
    expect(laidOut(20 * GIB, "bios").gpt.isMbrActive).toBe(true);
    expect(laidOut(20 * GIB, "uefi-arm64").gpt.isMbrActive).toBe(false);
  });
  test("gives the same places with sectors of 4096 bytes", () =>
    expect(rows(laidOut(20 * GIB, "uefi-x86_64", 4096))).toEqual(rows(laidOut(20 * GIB))));
  test("fits an eMMC of 8 GB (7,818,182,656 bytes)", () =>
    expect(laidOut(7_818_182_656).partitions.at(-1)!.bytes).toBeGreaterThanOrEqual(4096 * MIB));

  for (const firmware of ["uefi-x86_64", "uefi-arm64", "bios"] as const) {
    for (const sectorBytes of [512, 4096] as const) {
      test(`takes the least disk and refuses a sector less: ${firmware}, ${sectorBytes}`, () => {
        const least = leastDiskBytes(firmware);
        const layout = laidOut(least, firmware, sectorBytes);
        expect(layout.partitions.at(-1)!.bytes).toBe(4096 * MIB);
        expect(() => encodeGpt(layout.gpt)).not.toThrow();
        expect(planLayout({ sizeBytes: least - sectorBytes, sectorBytes }, firmware, GUIDS)).toMatchObject({
          kind: "too-small",
          neededBytes: least,
          sizeBytes: least - sectorBytes,
        });
      });
    }
  }
  test("says both numbers when the disk is too small", () => {
    const outcome = planLayout({ sizeBytes: 4 * GIB, sectorBytes: 512 }, "uefi-x86_64", GUIDS);
    expect(outcome).toMatchObject({ reason: "the disk has 4096 MiB; the partitions need 6467 MiB" });
  });
  test("makes a table that decodes, at any size", () => {
    for (let n = 0; n < 40; n++) {
      const sizeBytes = 8 * GIB + n * 512 * 997;
      const { gpt } = laidOut(sizeBytes);
      const { backup, primary } = encodeGpt(gpt);
      expect(decodeGpt(diskOf(sizeBytes, 512, [backup, primary]))).toMatchObject({
        gpt: { partitions: gpt.partitions },
        faults: [],
      });
    }
  });
});
