import { expect, test } from "vitest";
import { SlipwayError } from "../../../server/contract/errors.ts";
import { decodePacket, encodeDataHeader, encodePacket, type TftpPacket } from "../../../server/tftp/packet.ts";
import { seeded } from "./simulated-wire.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const PACKETS: TftpPacket[] = [
  {
    kind: "read",
    name: "ipxe.efi",
    mode: "octet",
    options: [
      ["tsize", "0"],
      ["blksize", "1468"],
    ],
  },
  { kind: "write", name: "f", mode: "octet", options: [] },
  { kind: "data", block: 65535, data: Buffer.from([1, 2, 3]) },
  { kind: "data", block: 0, data: Buffer.alloc(0) },
  { kind: "ack", block: 7 },
  { kind: "error", code: 1, message: "File not found" },
  { kind: "oack", options: [["blksize", "1468"]] },
];

for (const packet of PACKETS) {
  test(`decodePacket(encodePacket()) gives the same ${packet.kind}`, () => {
    expect(decodePacket(encodePacket(packet))).toEqual(packet);
  });
}

test("encodePacket writes the bytes of RFC 1350 and 2347", () => {
  expect(encodePacket(PACKETS[0]!)).toEqual(bytes("\0\x01ipxe.efi\0octet\0tsize\x000\0blksize\x001468\0"));
  expect(encodePacket(PACKETS[5]!)).toEqual(bytes("\0\x05\0\x01File not found\0"));
  expect(encodePacket(PACKETS[6]!)).toEqual(bytes("\0\x06blksize\x001468\0"));
});

test("encodeDataHeader wraps the block number", () => {
  expect([...encodeDataHeader(65536)]).toEqual([0, 3, 0, 0]);
  expect([...encodeDataHeader(65535)]).toEqual([0, 3, 255, 255]);
});

test("encodePacket refuses what does not fit", () => {
  expect(() => encodePacket({ kind: "ack", block: 65536 })).toThrowError("65536 does not fit into a field of 16 bits");
  expect(() => encodePacket({ kind: "error", code: 1, message: "a\0b" })).toThrowError(SlipwayError);
  expect(() => encodePacket({ kind: "error", code: 1, message: "€" })).toThrowError(
    "a character that TFTP text cannot carry",
  );
});

const BAD = [
  { name: "nothing", hex: "", says: "opcode at byte 0 needs 2 bytes, 0 are left" },
  { name: "one byte", hex: "00", says: "opcode at byte 0 needs 2 bytes, 1 are left" },
  { name: "opcode 0", hex: "0000", says: "opcode at byte 0 is 0; 1 to 6 are known" },
  { name: "opcode 7", hex: "0007", says: "opcode at byte 0 is 7" },
  { name: "opcode 65535", hex: "ffff", says: "opcode at byte 0 is 65535" },
  { name: "a name without its zero byte", hex: "000161626364", says: "name at byte 2 has no terminating zero" },
  { name: "only a name", hex: "00016100", says: "mode at byte 4 has no terminating zero" },
  { name: "a mode without its zero byte", hex: "000161006f63746574", says: "mode at byte 4 has no terminating zero" },
  { name: "an ACK of three bytes", hex: "000400", says: "block at byte 2 needs 2 bytes, 1 are left" },
  { name: "an ERROR without code", hex: "0005", says: "code at byte 2 needs 2 bytes" },
];
for (const { name, hex, says } of BAD) {
  test(`decodePacket refuses ${name}`, () => {
    expect(() => decodePacket(Buffer.from(hex, "hex"))).toThrowError(says);
  });
}

test("decodePacket leaves out an option without a value, and a value without its zero byte", () => {
  const options = (tail: string) => (decodePacket(bytes(`\0\x01f\0octet\0${tail}`)) as { options: unknown }).options;
  expect(options("tsize\x000\0blksize\0")).toEqual([["tsize", "0"]]);
  expect(options("tsize\x000\0blksize\x001468")).toEqual([["tsize", "0"]]);
  expect(options("\0\0\0")).toEqual([["", ""]]);
  expect(options("xxxx")).toEqual([]);
});

test("decodePacket takes an ERROR whose text has no zero byte", () => {
  expect(decodePacket(bytes("\0\x05\0\x08bye"))).toEqual({ kind: "error", code: 8, message: "bye" });
  expect(decodePacket(bytes("\0\x05\0\x08"))).toEqual({ kind: "error", code: 8, message: "" });
});

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
test(`20,000 mutated packets throw MALFORMED_PACKET or nothing (seed ${SEED})`, () => {
  const random = seeded(SEED);
  const below = (n: number) => Math.floor(random() * n);
  for (let i = 0; i < 20_000; i++) {
    let packet = Buffer.from(encodePacket(PACKETS[below(PACKETS.length)]!));
    for (let n = below(4); n >= 0 && packet.length > 0; n--) packet[below(packet.length)] = below(256);
    if (below(3) === 0) packet = packet.subarray(0, below(packet.length + 1));
    try {
      const decoded = decodePacket(packet);
      if (decoded.kind !== "error") decodePacket(encodePacket(decoded));
    } catch (error) {
      expect(error).toBeInstanceOf(SlipwayError);
      expect((error as SlipwayError).code).toBe("MALFORMED_PACKET");
    }
  }
});
