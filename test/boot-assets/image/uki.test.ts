import { expect, test } from "vitest";
import { encodeUki, type UkiSection } from "../../../boot-assets/image/uki.ts";

/** A PE32+ file with one section and room for `room` more. */
function stub(room: number): Buffer {
  const table = 0x80 + 24 + 240;
  const headers = Math.ceil((table + 40 * (1 + room)) / 512) * 512;
  const file = Buffer.alloc(headers + 512, 0xaa);
  file.fill(0, 0, headers);
  file.write("MZ", 0);
  file.writeUInt32LE(0x80, 60);
  file.write("PE\0\0", 0x80, "latin1");
  file.writeUInt16LE(1, 0x86);
  file.writeUInt32LE(0x11223344, 0x88);
  file.writeUInt16LE(240, 0x94);
  file.writeUInt32LE(headers, 0x98 + 60);
  file.writeUInt32LE(0xdead, 0x98 + 64);
  file.write(".text", table, "latin1");
  file.writeUInt32LE(500, table + 8);
  file.writeUInt32LE(0x1000, table + 12);
  file.writeUInt32LE(512, table + 16);
  file.writeUInt32LE(headers, table + 20);
  return file;
}

const SECTIONS: UkiSection[] = [
  { name: ".osrel", bytes: Buffer.from("ID=slipway\n") },
  { name: ".initrd", bytes: Buffer.alloc(5000, 1) },
  { name: ".linux", bytes: Buffer.alloc(4096, 2) },
];

test("encodeUki puts each section on a page, in the file and in memory, and says where", () => {
  const { bytes, ranges } = encodeUki(stub(3), SECTIONS);
  const file = Buffer.from(bytes);
  const table = 0x80 + 24 + 240;
  expect(file.readUInt16LE(0x86)).toBe(4);
  let memoryEnd = 0x1000 + 500;
  for (const [n, { name, bytes: content }] of SECTIONS.entries()) {
    const at = table + 40 * (n + 1);
    const range = ranges[name]!;
    expect(file.toString("latin1", at, at + 8).replaceAll("\0", "")).toBe(name);
    expect(file.readUInt32LE(at + 20)).toBe(range.offset);
    expect(range.offset % 4096).toBe(0);
    expect(file.readUInt32LE(at + 12)).toBe(Math.ceil(memoryEnd / 4096) * 4096);
    expect(file.subarray(range.offset, range.offset + range.bytes)).toEqual(content);
    memoryEnd = file.readUInt32LE(at + 12) + content.length;
  }
  expect(file.readUInt32LE(0x98 + 56)).toBe(Math.ceil(memoryEnd / 4096) * 4096);
});

test("encodeUki carries no time and no checksum, and gives the same bytes twice", () => {
  const file = Buffer.from(encodeUki(stub(3), SECTIONS).bytes);
  expect(file.readUInt32LE(0x88)).toBe(0);
  expect(file.readUInt32LE(0x98 + 64)).toBe(0);
  expect(Buffer.from(encodeUki(stub(3), SECTIONS).bytes).equals(file)).toBe(true);
});

test("encodeUki leaves the stub as it was given", () => {
  const given = stub(3);
  const copy = Buffer.from(given);
  encodeUki(given, SECTIONS);
  expect(given.equals(copy)).toBe(true);
});

test("encodeUki refuses what is no PE file, and a header without room", () => {
  expect(() => encodeUki(Buffer.from("MZ"), SECTIONS)).toThrow("no PE file");
  expect(() => encodeUki(Buffer.alloc(512), SECTIONS)).toThrow("no PE file");
  const many = Array.from({ length: 20 }, () => SECTIONS[0]!);
  expect(() => encodeUki(stub(0), many)).toThrow("no room for 20 more sections");
});
