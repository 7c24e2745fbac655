import { describe, expect, test } from "vitest";
import { crc32 } from "../../../node-agent/install/crc32.ts";
import { encodeMarker, findMarker, type Marker, PHASES } from "../../../node-agent/install/marker.ts";
import { chanceOf, diskOf, GIB, GUIDS, MARKER } from "./disk.ts";

describe("encodeMarker and findMarker", () => {
  for (const phase of PHASES) {
    test(`give the same marker: ${phase}`, () => {
      const marker = { ...MARKER, phase };
      expect(findMarker(diskOf(GIB, 512, [encodeMarker(marker)]))).toEqual(marker);
    });
  }
  test("take turns between two copies, on whole sectors of either size", () => {
    const offsets = [1, 2, 3].map((sequence) => encodeMarker({ ...MARKER, sequence }).offset);
    expect(offsets).toEqual([790_528, 786_432, 790_528]);
    expect(offsets.every((offset) => offset % 4096 === 0)).toBe(true);
  });
  test("the higher sequence number holds", () => {
    const writes = [1, 2].map((sequence) => encodeMarker({ ...MARKER, sequence }));
    expect(findMarker(diskOf(GIB, 512, writes))?.sequence).toBe(2);
  });
  test("a write that was torn at any sector leaves the earlier marker", () => {
    const before = encodeMarker({ ...MARKER, sequence: 1 });
    const older = encodeMarker({ ...MARKER, sequence: 0 });
    const next = encodeMarker({ ...MARKER, sequence: 2, phase: "filling" });
    for (let bytes = 0; bytes < 4096; bytes += 512) {
      const torn = { offset: next.offset, bytes: next.bytes.subarray(0, bytes) };
      const found = findMarker(diskOf(GIB, 512, [older, before, torn]))!;
      // The text ends before byte 1024: from there on the whole of it is on the disk.
      expect(found.sequence, `${bytes} bytes written`).toBe(bytes < 1024 ? 1 : 2);
    }
  });
  test("find none on a blank disk", () => expect(findMarker(diskOf(GIB, 512))).toBeUndefined());
  test("encodeMarker refuses what does not fit a copy", () =>
    expect(() => encodeMarker({ ...MARKER, erases: Array(200).fill("XFS@0#00000000-and-more") })).toThrow(/4072 fit/));

  const WRONG: [string, object][] = [
    ["another schema", { schema: 2 }],
    ["a negative number", { install: -1 }],
    ["an owner with a control character", { owner: "a\u001b" }],
    ["an unknown phase", { phase: "done" }],
    ["a GUID that is none", { guids: { ...GUIDS, EFI: "x" } }],
    ["no GUIDs", { guids: null }],
    ["erases that are no list", { erases: "all" }],
  ];
  for (const [name, change] of WRONG) {
    test(`findMarker takes ${name} for no marker`, () => {
      const write = encodeMarker({ ...MARKER, ...change } as Marker);
      expect(findMarker(diskOf(GIB, 512, [write]))).toBeUndefined();
    });
  }
  test("findMarker takes text that is no JSON, and JSON that is no object, for no marker", () => {
    for (const text of ["{", "null"]) {
      const { offset, bytes } = encodeMarker(MARKER);
      const copy = Buffer.from(bytes);
      copy.writeUInt32LE(text.length, 16);
      copy.writeUInt32LE(crc32(Buffer.from(text)), 20);
      copy.write(text, 24);
      expect(findMarker(diskOf(GIB, 512, [{ offset, bytes: copy }]))).toBeUndefined();
    }
  });
  test("findMarker survives any damage", () => {
    const seed = 7;
    const chance = chanceOf(seed);
    for (let round = 0; round < 500; round++) {
      const write = encodeMarker(MARKER);
      const at = Math.floor(chance() * 700);
      write.bytes[at] = Math.floor(chance() * 256);
      const found = findMarker(diskOf(GIB, 512, [write]));
      if (found !== undefined) expect(found, `seed ${seed}, byte ${at}`).toEqual(MARKER);
    }
  });
});
