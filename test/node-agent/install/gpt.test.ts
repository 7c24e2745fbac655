import { crc32 as zlibCrc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../../node-agent/install/crc32.ts";
import { encodeGpt, type Gpt, type GptPartition } from "../../../node-agent/install/gpt.ts";
import { decodeGpt } from "../../../node-agent/install/gpt-decode.ts";
import { decodeGuid, encodeGuid } from "../../../node-agent/install/guid.ts";
import { chanceOf, diskOf, GIB, guid, MIB } from "./disk.ts";

const PARTITION: GptPartition = {
  number: 1,
  typeGuid: "0fc63daf-8483-4772-8e79-3d69d8477de4",
  guid: guid(2),
  firstLba: 2048,
  lastLba: 4095,
  attributes: 0n,
  label: "META",
};
const GPT: Gpt = { diskGuid: guid(1), sectorBytes: 512, sectors: GIB / 512, partitions: [PARTITION] };
const SECOND: GptPartition = { ...PARTITION, number: 7, guid: guid(3), firstLba: 4096, lastLba: 9000, label: "größe" };

const sizeOf = (gpt: Gpt) => gpt.sectors * gpt.sectorBytes;
function written(gpt: Gpt) {
  const { backup, primary } = encodeGpt(gpt);
  return diskOf(sizeOf(gpt), gpt.sectorBytes, [backup, primary]);
}

describe("crc32", () => {
  test("is the one of zlib", () => {
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, n) => (n * 7) & 0xff));
    for (const length of [0, 1, 92, 512, 1000])
      expect(crc32(bytes.subarray(0, length))).toBe(zlibCrc32(bytes.subarray(0, length)));
  });
});

describe("encodeGuid", () => {
  test("stores the first three groups little-endian", () =>
    expect(encodeGuid("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").toString("hex")).toBe(
      "28732ac11ff8d211ba4b00a0c93ec93b",
    ));
  test("decodeGuid is the way back", () => expect(decodeGuid(encodeGuid(PARTITION.typeGuid))).toBe(PARTITION.typeGuid));
  test("refuses another spelling", () => expect(() => encodeGuid("C12A7328")).toThrow(/is no GUID/));
});

describe("encodeGpt and decodeGpt", () => {
  const FOUR_K: Gpt = {
    ...GPT,
    sectorBytes: 4096,
    sectors: GIB / 4096,
    partitions: [{ ...PARTITION, firstLba: 256, lastLba: 511, attributes: (1n << 63n) | 4n }],
  };
  const SOUND: [string, Gpt][] = [
    ["one partition", GPT],
    ["none", { ...GPT, partitions: [] }],
    ["numbers with a gap and a label that is not ASCII", { ...GPT, partitions: [PARTITION, SECOND] }],
    ["sectors of 4096 bytes, attributes", FOUR_K],
  ];
  for (const [name, gpt] of SOUND) {
    test(`give the same table: ${name}`, () => {
      const disk = written(gpt);
      expect(decodeGpt(disk)).toEqual({ kind: "gpt", gpt, from: "primary", faults: [] });
      disk.head.fill(0);
      expect(decodeGpt(disk)).toMatchObject({
        kind: "gpt",
        gpt,
        from: "backup",
        faults: [{ at: gpt.sectorBytes, message: expect.stringContaining("no primary") }],
      });
    });
  }
  test("mark the protective MBR as active only when asked", () => {
    expect(encodeGpt(GPT).primary.bytes.subarray(446, 462)).toEqual(
      Buffer.from("00000200eeffffff01000000ffff1f00", "hex"),
    );
    expect(encodeGpt({ ...GPT, isMbrActive: true }).primary.bytes[446]).toBe(0x80);
  });
  test("call a disk without a table none", () => expect(decodeGpt(diskOf(GIB, 512))).toEqual({ kind: "none" }));

  const over = (change: Partial<GptPartition>) => ({ ...GPT, partitions: [{ ...PARTITION, ...change }] });
  const REFUSED: [string, Gpt, RegExp][] = [
    ["an overlap", { ...GPT, partitions: [PARTITION, { ...SECOND, firstLba: 2048 }] }, /partition 1 .* starts at 2048/],
    ["the table's own LBAs", over({ firstLba: 0 }), /at LBA 0 to 4095; usable are 34 to 2097118/],
    ["LBAs past the end", over({ lastLba: 2097119 }), /to 2097119; usable are 34 to 2097118/],
    ["an end before the start", over({ lastLba: 2047 }), /at LBA 2048 to 2047/],
    ["a start off 1 MiB", over({ firstLba: 2049 }), /off 1 MiB/],
    ["number 0", over({ number: 0 }), /no number from 1 to 128/],
    ["number 129", over({ number: 129 }), /no number from 1 to 128/],
    ["a number used twice", { ...GPT, partitions: [PARTITION, { ...SECOND, number: 1 }] }, /number 1 is used twice/],
    ["a GUID used twice", { ...GPT, partitions: [PARTITION, { ...SECOND, guid: guid(2) }] }, /is used twice/],
    ["a GUID of zeros", over({ guid: "00000000-0000-0000-0000-000000000000" }), /GUID of zeros/],
    ["a disk GUID of zeros", { ...GPT, diskGuid: "00000000-0000-0000-0000-000000000000" }, /disk's GUID is all zeros/],
    ["a label of 37 units", over({ label: "x".repeat(37) }), /37 units; 36 fit/],
  ];
  for (const [name, gpt, message] of REFUSED) {
    test(`encodeGpt refuses ${name}`, () => expect(() => encodeGpt(gpt)).toThrow(message));
  }

  /** Damage to both copies alike: byte of the header (primary at 512, backup at the end), and what is said of it. */
  const DAMAGED: [string, number, RegExp][] = [
    ["revision", 10, /revision 0x10000|revision 0x/],
    ["header length", 13, /header of \d+ bytes/],
    ["any other byte", 60, /does not match its checksum/],
  ];
  for (const [name, byte, message] of DAMAGED) {
    test(`decodeGpt names a wrong ${name} with its place`, () => {
      const disk = written(GPT);
      disk.head[512 + byte]! ^= 0xff;
      const reading = decodeGpt(disk);
      expect(reading).toMatchObject({ kind: "gpt", from: "backup" });
      disk.tail[disk.tail.length - 512 + byte]! ^= 0xff;
      const both = decodeGpt(disk);
      expect(both).toMatchObject({ kind: "damaged", faults: [{ message: expect.stringMatching(message) }, {}] });
      if (both.kind === "damaged") expect(both.faults[1]!.at).toBeGreaterThan(GIB - 512);
    });
  }
  test("decodeGpt falls back when the primary's entries are damaged, and says where", () => {
    const disk = written(GPT);
    disk.head[1024 + 3]! ^= 1;
    expect(decodeGpt(disk)).toMatchObject({ from: "backup", faults: [{ at: 1024 }] });
  });
  test("decodeGpt names a missing backup (a disk that was grown)", () => {
    const grown = { ...written(GPT), sizeBytes: 2 * GIB, tail: Buffer.alloc(MIB) };
    expect(decodeGpt(grown)).toMatchObject({
      from: "primary",
      faults: [{ message: expect.stringContaining("no backup") }],
    });
  });
  /** Changes the primary and makes its checksums right again: a table that some program wrote so. */
  function rewritten(change: (head: Buffer) => void) {
    const disk = written({ ...GPT, partitions: [PARTITION, SECOND] });
    const head = disk.head as Buffer;
    change(head);
    head.writeUInt32LE(crc32(head.subarray(1024, 1024 + 16_384)), 512 + 88);
    head.writeUInt32LE(0, 512 + 16);
    head.writeUInt32LE(crc32(head.subarray(512, 512 + 92)), 512 + 16);
    return decodeGpt(disk);
  }
  test("decodeGpt names partitions outside of the disk and over each other, with their places", () => {
    const reading = rewritten((head) => {
      head.writeBigUInt64LE(99_999_999n, 1024 + 6 * 128 + 40);
      head.writeBigUInt64LE(3000n, 1024 + 6 * 128 + 32);
    });
    expect(reading).toMatchObject({
      kind: "gpt",
      from: "primary",
      faults: [
        { at: 1024 + 6 * 128 + 32, message: expect.stringContaining("partition 7 is at LBA 3000 to 99999999") },
        { at: 1024, message: expect.stringContaining("partition 1 (META) ends at LBA 4095") },
      ],
    });
  });
  const ODD: [string, (head: Buffer) => void, RegExp][] = [
    ["entries far away", (head) => head.writeBigUInt64LE(900_000n, 512 + 72), /lie outside of what was read/],
    ["a million entries", (head) => head.writeUInt32LE(1_000_000, 512 + 80), /1000000 entries/],
    ["another place of its own", (head) => head.writeBigUInt64LE(7n, 512 + 24), /says LBA 7; it stands at 1/],
  ];
  for (const [name, change, message] of ODD) {
    test(`decodeGpt takes the backup for a header with ${name}`, () => {
      expect(rewritten(change)).toMatchObject({
        from: "backup",
        faults: [{ message: expect.stringMatching(message) }],
      });
    });
  }
  test("random damage never escapes as an exception", () => {
    const seed = 20261124;
    const chance = chanceOf(seed);
    for (let round = 0; round < 300; round++) {
      const disk = written(GPT);
      for (let flips = 0; flips < 1 + chance() * 8; flips++) {
        disk.head[512 + Math.floor(chance() * 600)] = Math.floor(chance() * 256);
        disk.tail[disk.tail.length - 1 - Math.floor(chance() * 600)] = Math.floor(chance() * 256);
      }
      if (round % 3 === 0) {
        const cut = Math.floor(chance() * 2000);
        expect(
          () => decodeGpt({ ...disk, head: disk.head.subarray(0, cut) }),
          `seed ${seed}, round ${round}`,
        ).not.toThrow();
      }
      expect(() => decodeGpt(disk), `seed ${seed}, round ${round}`).not.toThrow();
    }
  });
});
