// contentOf on the first and last bytes of disks: what an agent says of a disk before it knows whose machine this is.
import { describe, expect, test } from "vitest";
import { contentOf } from "../../../node-agent/install/classify-disk.ts";
import { encodeGpt } from "../../../node-agent/install/gpt.ts";
import { planLayout } from "../../../node-agent/install/layout.ts";
import { encodeMarker } from "../../../node-agent/install/marker.ts";
import { diskOf, GIB, GUIDS, MARKER } from "./disk.ts";

const SIZE = 20 * GIB;
const text = (at: number, mark: string) => ({ offset: at, bytes: Buffer.from(mark, "latin1") });

function table(sectorBytes: 512 | 4096 = 512) {
  const laid = planLayout({ sizeBytes: SIZE, sectorBytes }, "uefi-x86_64", GUIDS);
  if (laid.kind !== "layout") throw new Error(laid.reason);
  const { backup, primary } = encodeGpt(laid.layout.gpt);
  return [backup, primary];
}

const MARKS: [string, number, string][] = [
  ["LUKS", 0, "LUKS\xba\xbe"],
  ["LVM", 512, "LABELONE"],
  ["ext2, ext3 or ext4", 1080, "\x53\xef"],
  ["XFS", 0, "XFSB"],
  ["Btrfs", 65_600, "_BHRfS_M"],
  ["NTFS", 3, "NTFS    "],
  ["swap", 4086, "SWAPSPACE2"],
  ["MD RAID", 4096, "\xfc\x4e\x2b\xa9"],
];

describe("contentOf", () => {
  for (const [name, at, mark] of MARKS) {
    test(`knows ${name}`, () =>
      expect(contentOf(diskOf(SIZE, 512, [text(at, mark)]))).toEqual({ content: "foreign", detail: name }));
  }
  test("calls zeros empty", () => expect(contentOf(diskOf(SIZE, 512))).toEqual({ content: "empty", detail: "" }));
  test("calls other bytes unknown", () =>
    expect(contentOf(diskOf(SIZE, 512, [text(5000, "x")]))).toMatchObject({ content: "unknown" }));
  test("finds what only the disk's end holds", () =>
    expect(contentOf(diskOf(SIZE, 512, [text(SIZE - 512, "EFI PART")])).content).toBe("foreign"));
  for (const owner of ["a", "b"]) {
    test(`calls any owner's whole Slipway a Slipway: ${owner}`, () => {
      const marker = { ...MARKER, phase: "complete" as const, owner: owner.repeat(64) };
      const disk = diskOf(SIZE, 512, [...table(), encodeMarker(marker)]);
      expect(contentOf(disk)).toEqual({ content: "slipway", detail: "Slipway OS, install 1" });
    });
  }
  test("says that an install was cut", () =>
    expect(contentOf(diskOf(SIZE, 512, [encodeMarker(MARKER)]))).toEqual({
      content: "slipway",
      detail: "install 1 of Slipway OS, cut while partitioning",
    }));
  test("our own labels without a marker are foreign: Talos has them too", () => {
    const { content, detail } = contentOf(diskOf(SIZE, 4096, table(4096)));
    expect(content).toBe("foreign");
    expect(detail).toContain("Talos, or a Slipway OS that lost its marker: GPT with 5 partitions (EFI, BOOT");
  });
  test("reads every truncation without a fault", () => {
    const whole = diskOf(SIZE, 512, [...table(), encodeMarker(MARKER)]);
    for (let length = 0; length < 2000; length += 7) {
      const disk = { ...whole, head: whole.head.subarray(0, length), tail: whole.tail.subarray(0, length) };
      expect(() => contentOf(disk)).not.toThrow();
    }
  });
});
