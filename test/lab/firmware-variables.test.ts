import { expect, test } from "vitest";
import { isNetworkEntry, putFirst, readBootOrder, readVariables } from "./firmware-variables.ts";

const GUID = Buffer.from("61dfe48bca93d211aa0d00e098032b8c", "hex");

/** One variable as the firmware writes it. */
function variable(name: string, data: Buffer, state = 0x3f): Buffer {
  const text = Buffer.from(`${name}\0`, "utf16le");
  const header = Buffer.alloc(60);
  header.writeUInt16LE(0x55aa, 0);
  header[2] = state;
  header.writeUInt32LE(text.length, 36);
  header.writeUInt32LE(data.length, 40);
  GUID.copy(header, 44);
  const all = Buffer.concat([header, text, data]);
  return Buffer.concat([all, Buffer.alloc((4 - (all.length % 4)) % 4, 0xff)]);
}
const option = (description: string) =>
  Buffer.concat([Buffer.alloc(6), Buffer.from(`${description}\0`, "utf16le"), Buffer.alloc(8)]);
const order = (...numbers: number[]) => {
  const data = Buffer.alloc(2 * numbers.length);
  for (const [i, number] of numbers.entries()) data.writeUInt16LE(number, 2 * i);
  return data;
};

const FLASH = Buffer.concat([
  Buffer.alloc(100, 0xff),
  variable("BootOrder", order(9, 9, 9), 0x3c), // deleted
  variable("Boot0001", option("UEFI PXEv4 (MAC:525400000001)")),
  variable("Boot0002", option("Slipway OS")),
  variable("Boot000A", option("UEFI HTTPv4 (MAC:525400000001)")),
  variable("BootOrder", order(2, 1, 10)),
  Buffer.alloc(64, 0xff),
]);

test("readBootOrder reads the entries in force, not the deleted ones", () => {
  expect(readBootOrder(FLASH).map(({ name, description }) => [name, description])).toEqual([
    ["Boot0002", "Slipway OS"],
    ["Boot0001", "UEFI PXEv4 (MAC:525400000001)"],
    ["Boot000A", "UEFI HTTPv4 (MAC:525400000001)"],
  ]);
});

test("putFirst changes the order and nothing else", () => {
  const changed = putFirst(FLASH, isNetworkEntry);
  expect(readBootOrder(changed).map(({ number }) => number)).toEqual([1, 10, 2]);
  const at = readVariables(FLASH).get("BootOrder")!.dataAt;
  expect(changed.subarray(0, at).equals(FLASH.subarray(0, at))).toBe(true);
  expect(changed.subarray(at + 6).equals(FLASH.subarray(at + 6))).toBe(true);
});

test("readVariables finds none in a flash that holds no store", () => {
  expect(readVariables(Buffer.alloc(4096, 0xff)).size).toBe(0);
});
