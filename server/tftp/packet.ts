// TFTP datagrams ↔ values (RFC 1350, 2347). Called by server.ts and run-transfer.ts. Pure: bytes in, values out.
//
//   RRQ  | 00 01 | name 0 | mode 0 | option 0 value 0 | …      WRQ the same with 00 02
//   DATA | 00 03 | block 2 bytes | 0 to blksize bytes
//   ACK  | 00 04 | block
//   ERR  | 00 05 | code 2 bytes | text 0
//   OACK | 00 06 | option 0 value 0 | …

import { ByteReader, decodeLatin1 } from "../byte-reader.ts";
import { SlipwayError } from "../contract/errors.ts";

export type OptionPair = readonly [name: string, value: string];
export type TftpPacket =
  | { kind: "read" | "write"; name: string; mode: string; options: OptionPair[] }
  | { kind: "data"; block: number; data: Uint8Array }
  | { kind: "ack"; block: number }
  | { kind: "error"; code: number; message: string }
  | { kind: "oack"; options: OptionPair[] };

type Kind = TftpPacket["kind"];
const OPCODES = { read: 1, write: 2, data: 3, ack: 4, error: 5, oack: 6 } as const satisfies Record<Kind, number>;

/** Error codes that Slipway sends (RFC 1350 §5). U-Boot stops on 1 and 2 only, any other makes it start again. */
export const TFTP_ERROR = { missing: 1, access: 2, illegal: 4, unknownTransfer: 5 } as const;

const DECODERS: Record<number, (reader: ByteReader) => TftpPacket> = {
  [OPCODES.read]: (reader) => decodeRequest("read", reader),
  [OPCODES.write]: (reader) => decodeRequest("write", reader),
  [OPCODES.data]: (reader) => ({ kind: "data", block: reader.uint16("block"), data: reader.rest() }),
  [OPCODES.ack]: (reader) => ({ kind: "ack", block: reader.uint16("block") }),
  [OPCODES.error]: (reader) => ({ kind: "error", code: reader.uint16("code"), message: looseText(reader.rest()) }),
  [OPCODES.oack]: (reader) => ({ kind: "oack", options: decodeOptionPairs(reader) }),
};

/**
 * Reads one datagram.
 * @throws MALFORMED_PACKET naming the field and its offset; nothing else.
 */
export function decodePacket(bytes: Uint8Array): TftpPacket {
  const reader = new ByteReader(bytes);
  const opcode = reader.uint16("opcode");
  const decode = DECODERS[opcode];
  if (decode === undefined) {
    throw new SlipwayError("MALFORMED_PACKET", `opcode at byte 0 is ${opcode}; 1 to 6 are known`);
  }
  return decode(reader);
}

function decodeRequest(kind: "read" | "write", reader: ByteReader): TftpPacket {
  const name = reader.zeroTerminated("name");
  const mode = reader.zeroTerminated("mode");
  return { kind, name, mode, options: decodeOptionPairs(reader) };
}

/** Whole pairs only: an option without a value, or a value without its zero byte, ends the list (ROMs pad with rubbish). */
function decodeOptionPairs(reader: ByteReader): OptionPair[] {
  const texts = decodeLatin1(reader.rest()).split("\0").slice(0, -1);
  const pairs: OptionPair[] = [];
  for (let i = 0; i + 1 < texts.length; i += 2) pairs.push([texts[i]!, texts[i + 1]!]);
  return pairs;
}

/** Text up to its zero byte, or all of it: some ROMs leave the zero out of their last words. */
function looseText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeLatin1(end < 0 ? bytes : bytes.subarray(0, end));
}

type Encoders = { [K in Kind]: (packet: Extract<TftpPacket, { kind: K }>) => (string | number | Uint8Array)[] };
const zero = (text: string) => `${assertText(text)}\0`;
const zeroPairs = (pairs: readonly OptionPair[]) => pairs.flat().map(zero).join("");

/** Numbers are sixteen-bit fields, text is Latin-1. */
const ENCODERS: Encoders = {
  read: ({ name, mode, options }) => [zero(name), zero(mode), zeroPairs(options)],
  write: ({ name, mode, options }) => [zero(name), zero(mode), zeroPairs(options)],
  data: ({ block, data }) => [block, data],
  ack: ({ block }) => [block],
  error: ({ code, message }) => [code, zero(message)],
  oack: ({ options }) => [zeroPairs(options)],
};

/** Writes one datagram. @throws MALFORMED_PACKET for a number that is no uint16 or text that Latin-1 cannot hold. */
export function encodePacket(packet: TftpPacket): Buffer {
  const encode = ENCODERS[packet.kind] as (packet: TftpPacket) => (string | number | Uint8Array)[];
  const fields = [OPCODES[packet.kind], ...encode(packet)];
  return Buffer.concat(fields.map((field) => (typeof field === "object" ? field : encodeField(field))));
}

/** The four bytes before a block's data; the data itself goes out as a slice of the file, uncopied. */
export function encodeDataHeader(block: number): Buffer {
  const header = Buffer.allocUnsafe(4);
  header.writeUInt16BE(OPCODES.data, 0);
  header.writeUInt16BE(block & 0xffff, 2);
  return header;
}

function encodeField(field: string | number): Buffer {
  if (typeof field === "string") return Buffer.from(field, "latin1");
  if (!Number.isInteger(field) || field < 0 || field > 0xffff) {
    throw new SlipwayError("MALFORMED_PACKET", `${field} does not fit into a field of 16 bits`);
  }
  return Buffer.from([field >> 8, field & 255]);
}

function assertText(text: string): string {
  if (/[^\x01-\xff]/.test(text)) {
    throw new SlipwayError("MALFORMED_PACKET", `${JSON.stringify(text)} holds a character that TFTP text cannot carry`);
  }
  return text;
}
