import { expect, test } from "vitest";
import { ByteReader, decodeLatin1 } from "../../server/byte-reader.ts";

const reader = () => new ByteReader(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0x68, 0x69, 0, 9, 10));

test("ByteReader reads big-endian fields one after the other", () => {
  const r = reader();
  expect([r.uint8("a"), r.uint16("b"), r.uint32("c")]).toEqual([1, 0x0203, 0x04050607]);
  expect([r.zeroTerminated("d"), r.offset, r.left]).toEqual(["hi", 10, 2]);
  expect(r.bytes(1, "e")).toEqual(Uint8Array.of(9));
  expect(r.rest()).toEqual(Uint8Array.of(10));
  expect(r.left).toBe(0);
});

const PAST_THE_END = [
  { name: "uint8", read: (r: ByteReader) => r.uint8("x"), at: 12, needs: 1, left: 0 },
  { name: "uint16", read: (r: ByteReader) => r.uint16("x"), at: 11, needs: 2, left: 1 },
  { name: "uint32", read: (r: ByteReader) => r.uint32("x"), at: 10, needs: 4, left: 2 },
  { name: "bytes", read: (r: ByteReader) => r.bytes(5, "x"), at: 9, needs: 5, left: 3 },
];
for (const { name, read, at, needs, left } of PAST_THE_END) {
  test(`${name} past the end names field, offset and both lengths, and moves nothing`, () => {
    const r = reader();
    r.bytes(at, "before");
    expect(() => read(r)).toThrow(
      expect.objectContaining({
        code: "MALFORMED_PACKET",
        message: `x at byte ${at} needs ${needs} bytes, ${left} are left`,
      }),
    );
    expect(r.offset).toBe(at);
  });
}

test("zeroTerminated refuses text that never ends", () => {
  const r = reader();
  r.bytes(10, "before");
  expect(() => r.zeroTerminated("name")).toThrow("name at byte 10 has no terminating zero byte in the 2 bytes");
});

test("bytes are copies: a socket's buffer is used again", () => {
  const buffer = Uint8Array.of(1, 2, 3);
  const copy = new ByteReader(buffer).bytes(3, "x");
  buffer.fill(9);
  expect(copy).toEqual(Uint8Array.of(1, 2, 3));
});

test("a reader over a view of a larger buffer counts from the view's start", () => {
  const r = new ByteReader(Uint8Array.of(1, 2, 3, 4, 5).subarray(2));
  expect([r.uint16("x"), r.offset, r.left]).toEqual([0x0304, 2, 1]);
});

test("decodeLatin1 keeps every byte", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  expect(Uint8Array.from(decodeLatin1(all), (c) => c.charCodeAt(0))).toEqual(all);
});
