import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { decodeMeta, encodeMeta, META_COPY_BYTES, SLIPWAY_TAGS, TALOS_TAGS } from "../../../node-agent/install/meta.ts";
import { chanceOf } from "./disk.ts";

const TAGS = new Map<number, Uint8Array>([
  [TALOS_TAGS.upgrade, new Uint8Array(Buffer.from("A"))],
  [TALOS_TAGS.uuidOverride, new Uint8Array(0)],
  [SLIPWAY_TAGS.ownerPublicKey, new Uint8Array(Buffer.from("-----BEGIN PUBLIC KEY-----\n"))],
]);

function partition(tags = TAGS): Buffer {
  const bytes = Buffer.alloc(1024 * 1024);
  for (const { offset, bytes: copy } of encodeMeta(tags)) bytes.set(copy, offset);
  return bytes;
}

/** One copy by the format's own description, not by our encoder. */
function byHand(tag: number, value: string): Buffer {
  const copy = Buffer.alloc(META_COPY_BYTES);
  copy.write("5a4b3c2d", 0, "hex");
  copy.writeUInt32BE(tag, 4);
  copy.writeUInt32BE(value.length, 8);
  copy.write(value, 12);
  copy.write("a5b4c3d2", META_COPY_BYTES - 4, "hex");
  createHash("sha256")
    .update(copy)
    .digest()
    .copy(copy, META_COPY_BYTES - 36);
  return copy;
}

describe("encodeMeta and decodeMeta", () => {
  test("give the same tags", () =>
    expect(decodeMeta(partition())).toEqual({ kind: "meta", tags: TAGS, copy: 1, faults: [] }));
  test("write what the format's description says, twice", () => {
    const [first, second] = encodeMeta(new Map([[6, Buffer.from("A")]]));
    expect(Buffer.compare(first.bytes, byHand(6, "A"))).toBe(0);
    expect(Buffer.compare(second.bytes, byHand(6, "A"))).toBe(0);
    expect([first.offset, second.offset]).toEqual([0, 262_144]);
  });
  test("call an untouched partition blank", () =>
    expect(decodeMeta(Buffer.alloc(1024 * 1024))).toEqual({ kind: "blank" }));

  const PLACES: [string, number, number][] = [
    ["the first magic", 0, 0],
    ["a value", 13, META_COPY_BYTES - 36],
    ["the checksum", META_COPY_BYTES - 36, META_COPY_BYTES - 36],
    ["the last magic", META_COPY_BYTES - 1, META_COPY_BYTES - 4],
  ];
  for (const [name, byte, fault] of PLACES) {
    test(`decodeMeta takes the second copy when ${name} is wrong, and says where`, () => {
      const bytes = partition();
      bytes[byte]! ^= 1;
      expect(decodeMeta(bytes)).toMatchObject({ kind: "meta", tags: TAGS, copy: 2, faults: [{ at: fault }] });
      bytes[META_COPY_BYTES + byte]! ^= 1;
      expect(decodeMeta(bytes)).toMatchObject({
        kind: "damaged",
        faults: [{ at: fault }, { at: META_COPY_BYTES + fault }],
      });
    });
  }
  test("decodeMeta names a value that goes beyond the copy", () => {
    const copy = byHand(6, "A");
    copy.writeUInt32BE(300_000, 8);
    copy.fill(0, META_COPY_BYTES - 36, META_COPY_BYTES - 4);
    createHash("sha256")
      .update(copy)
      .digest()
      .copy(copy, META_COPY_BYTES - 36);
    expect(decodeMeta(copy)).toMatchObject({
      kind: "damaged",
      faults: [{ at: 4, message: /tag 6 has 300000 bytes/ }, {}],
    });
  });
  test("a write that was cut at any point leaves the old or the new tags", () => {
    const next = new Map([[6, new Uint8Array(Buffer.from("B"))]]);
    const [first, second] = encodeMeta(next);
    for (const cut of [0, 1, 512, 4096, 100_000, META_COPY_BYTES - 5, META_COPY_BYTES]) {
      const bytes = partition();
      bytes.set(first.bytes.subarray(0, cut), first.offset);
      expect(decodeMeta(bytes), `first copy, ${cut} bytes`).toMatchObject({
        kind: "meta",
        tags: cut >= META_COPY_BYTES ? next : TAGS,
      });
      bytes.set(first.bytes, first.offset);
      bytes.set(second.bytes.subarray(0, cut), second.offset);
      expect(decodeMeta(bytes), `second copy, ${cut} bytes`).toMatchObject({ kind: "meta", tags: next });
    }
  });
  test("encodeMeta fills a copy to the last byte and refuses one more", () => {
    const most = META_COPY_BYTES - 40 - 8;
    expect(decodeMeta(partition(new Map([[6, new Uint8Array(most).fill(7)]])))).toMatchObject({
      kind: "meta",
      copy: 1,
    });
    expect(() => encodeMeta(new Map([[6, new Uint8Array(most + 1)]]))).toThrow(/262097 bytes; 262096 are left/);
  });
  test("encodeMeta refuses tag 0, which ends the list", () =>
    expect(() => encodeMeta(new Map([[0, new Uint8Array(1)]]))).toThrow(/META tag 0/));
  test("our tags are out of the API's reach, and no reader of 8 bits takes them for Talos's", () => {
    for (const tag of Object.values(SLIPWAY_TAGS)) {
      expect(tag).toBeGreaterThan(255);
      expect(Object.values<number>(TALOS_TAGS)).not.toContain(tag & 0xff);
    }
  });
  test("random bytes never escape as an exception", () => {
    const seed = 11;
    const chance = chanceOf(seed);
    for (let round = 0; round < 30; round++) {
      const bytes = partition();
      for (let n = 0; n < 20; n++) bytes[Math.floor(chance() * 600)] = Math.floor(chance() * 256);
      const cut = bytes.subarray(0, Math.floor(chance() * bytes.length));
      expect(() => decodeMeta(round % 2 ? bytes : cut), `seed ${seed}, round ${round}`).not.toThrow();
    }
  });
});
