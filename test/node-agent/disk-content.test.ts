// readContent on the first bytes of disks: each mark that it knows, and what it does with none.
import { describe, expect, test } from "vitest";
import { CONTENT_BYTES, readContent } from "../../node-agent/disk-content.ts";

const head = (at: number, mark: string): Buffer => {
  const bytes = Buffer.alloc(CONTENT_BYTES);
  bytes.write(mark, at, "latin1");
  return bytes;
};

/** A GPT with these labels (UEFI 2.10 §5.3.2). */
function gpt(labels: readonly string[], sectorBytes = 512): Buffer {
  const bytes = Buffer.alloc(CONTENT_BYTES);
  bytes.set([0x55, 0xaa], 510);
  bytes[450] = 0xee;
  bytes.write("EFI PART", sectorBytes, "latin1");
  bytes.writeUInt32LE(128, sectorBytes + 80);
  bytes.writeUInt32LE(128, sectorBytes + 84);
  for (const [index, label] of labels.entries()) {
    const at = sectorBytes * 2 + index * 128;
    bytes.fill(0x11, at, at + 16);
    bytes.write(label, at + 56, "utf16le");
  }
  return bytes;
}

const MARKS: [string, number, string][] = [
  ["LUKS", 0, "LUKS\xba\xbe"],
  ["LVM", 536, "LVM2 001"],
  ["ext4", 1080, "\x53\xef"],
  ["XFS", 0, "XFSB"],
  ["Btrfs", 65_600, "_BHRfS_M"],
  ["NTFS", 3, "NTFS    "],
  ["exFAT", 3, "EXFAT   "],
  ["swap", 4086, "SWAPSPACE2"],
  ["squashfs", 0, "hsqs"],
  ["MD RAID", 4096, "\xfc\x4e\x2b\xa9"],
  ["ISO 9660", 32_769, "CD001"],
];

describe("readContent", () => {
  for (const [name, at, mark] of MARKS) {
    test(`knows ${name}`, () => expect(readContent(head(at, mark))).toEqual({ content: "foreign", detail: name }));
  }
  test("calls zeros empty", () =>
    expect(readContent(Buffer.alloc(CONTENT_BYTES))).toEqual({ content: "empty", detail: "" }));
  test("calls other bytes unknown", () => expect(readContent(head(5000, "x")).content).toBe("unknown"));
  test("names a GPT's partitions", () =>
    expect(readContent(gpt(["EFI", "Linux root"]))).toEqual({
      content: "foreign",
      detail: "GPT with 2 partitions (EFI, Linux root)",
    }));
  test("reads a GPT of 4096-byte sectors", () =>
    expect(readContent(gpt(["data"], 4096)).detail).toBe("GPT with 1 partition (data)"));
  test("calls a GPT without partitions empty", () => expect(readContent(gpt([])).content).toBe("empty"));
  test("knows its own layout", () =>
    expect(readContent(gpt(["EFI", "BOOT", "META", "STATE", "EPHEMERAL"])).content).toBe("slipway"));
  test("leaves control characters of a label out", () =>
    expect(readContent(gpt(["a\u001b[2Jb"])).detail).toBe("GPT with 1 partition (a[2Jb)"));
  test("counts MBR partitions", () => {
    const bytes = head(510, "\x55\xaa");
    bytes[450] = 0x83;
    bytes[466] = 0x07;
    expect(readContent(bytes)).toEqual({ content: "foreign", detail: "MBR with 2 partitions" });
  });
  test("reads every truncation and any counts without a fault", () => {
    const bytes = gpt(["EFI", "META"]);
    for (let length = 0; length < 2000; length++) expect(() => readContent(bytes.subarray(0, length))).not.toThrow();
    bytes.writeUInt32LE(0xffffffff, 592);
    bytes.writeUInt32LE(0xffffffff, 596);
    expect(() => readContent(bytes)).not.toThrow();
  });
});
