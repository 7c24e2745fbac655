// A DHCP message: bytes ↔ value. Called by socket.ts; reply.ts builds what is encoded. Never logs, never decides.
//
//    0  op  htype  hlen  hops | 4  xid | 8  secs  flags | 12 ciaddr | 16 yiaddr | 20 siaddr | 24 giaddr
//   28  chaddr (16) | 44  sname (64) | 108  file (128) | 236  cookie 63 82 53 63 | 240  options      RFC 2131 §2
import type { Ipv4 } from "../../inventory/address.ts";
import { ByteReader, decodeLatin1 } from "../byte-reader.ts";
import { SlipwayError } from "../contract/errors.ts";
import { doesNotFit, encodeIpv4, encodeLatin1, formatIpv4 } from "./option-codecs.ts";
import { collectOptions, type DhcpOptions, decodeOptions, encodeOptions, type OptionPieces } from "./options.ts";

/** `op` of the header. */
export const BOOT_REQUEST = 1;
export const BOOT_REPLY = 2;

/** Values of option 53 that Slipway reads or sends (RFC 2132 §9.6). */
export const MESSAGE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

/** Bit 15 of `flags`: the client cannot receive unicast yet (RFC 2131 §2). */
export const BROADCAST_FLAG = 0x8000;
export const NO_IP: Ipv4 = "0.0.0.0";

/** One message. Field names are ours, the RFC's are in brackets. */
export type DhcpPacket = {
  op: typeof BOOT_REQUEST | typeof BOOT_REPLY;
  /** Hardware type [htype], 1 = Ethernet. */
  hardwareType: number;
  /** Length of the hardware address [hlen], 0..16. */
  hardwareLength: number;
  hops: number;
  xid: number;
  /** Never used for logic: GRUB, iPXE and Windows each put something else there (pxe.md 1.4). */
  secs: number;
  flags: number;
  /** [ciaddr] */
  clientIp: Ipv4;
  /** [yiaddr] */
  yourIp: Ipv4;
  /** [siaddr]: where the boot file is. */
  nextServerIp: Ipv4;
  /** [giaddr] */
  relayIp: Ipv4;
  /** [chaddr], all 16 bytes. */
  hardwareAddress: Uint8Array;
  /** [sname]; empty when option 52 put options there. */
  serverName: string;
  /** [file]; empty when option 52 put options there. */
  bootFile: string;
  options: DhcpOptions;
};

const HEADER_BYTES = 236;
const COOKIE = 0x63825363;
/** RFC 951's size: BOOTP relays and old clients drop what is shorter (pxe.md 1.2). */
const MIN_BYTES = 300;

/**
 * Decodes a UDP payload.
 *
 * @throws MALFORMED_PACKET below 240 bytes, with a wrong cookie, an `op` that is neither 1 nor 2, or hlen over 16; and
 *   nothing else. Odd options are kept as bytes, not refused: what real clients send is in test/vectors.
 */
export function decodePacket(bytes: Uint8Array): DhcpPacket {
  const reader = new ByteReader(bytes);
  const op = reader.uint8("op");
  if (op !== BOOT_REQUEST && op !== BOOT_REPLY) throw malformed(`op at byte 0 is ${op}, expected 1 or 2`);
  const hardwareType = reader.uint8("htype");
  const hardwareLength = reader.uint8("hlen");
  if (hardwareLength > 16) throw malformed(`hlen at byte 2 is ${hardwareLength}, chaddr has 16 bytes`);
  const header = {
    op,
    hardwareType,
    hardwareLength,
    hops: reader.uint8("hops"),
    xid: reader.uint32("xid"),
    secs: reader.uint16("secs"),
    flags: reader.uint16("flags"),
    clientIp: formatIpv4(reader.bytes(4, "ciaddr")),
    yourIp: formatIpv4(reader.bytes(4, "yiaddr")),
    nextServerIp: formatIpv4(reader.bytes(4, "siaddr")),
    relayIp: formatIpv4(reader.bytes(4, "giaddr")),
    hardwareAddress: reader.bytes(16, "chaddr"),
  } as const;
  const sname = reader.bytes(64, "sname");
  const file = reader.bytes(128, "file");
  const cookie = reader.uint32("magic cookie");
  if (cookie !== COOKIE) {
    throw malformed(`magic cookie at byte ${HEADER_BYTES} is ${cookie.toString(16).padStart(8, "0")}, not 63825363`);
  }
  return { ...header, ...decodeTail(reader, sname, file) };
}

/** Options, and `file` and `sname`, which option 52 may fill with more options: `file` first (RFC 2131 §4.1). */
function decodeTail(
  reader: ByteReader,
  sname: Uint8Array,
  file: Uint8Array,
): Pick<DhcpPacket, "serverName" | "bootFile" | "options"> {
  const pieces: OptionPieces = new Map();
  collectOptions(reader, pieces);
  const overload = pieces.get(52)?.[0]?.[0] ?? 0;
  if (overload >= 1 && overload <= 3) pieces.delete(52);
  const inFile = overload === 1 || overload === 3;
  const inSname = overload === 2 || overload === 3;
  if (inFile) collectOptions(new ByteReader(file), pieces);
  if (inSname) collectOptions(new ByteReader(sname), pieces);
  return {
    serverName: inSname ? "" : untilNul(sname),
    bootFile: inFile ? "" : untilNul(file),
    options: decodeOptions(pieces),
  };
}

/**
 * Encodes a message, zero-padded *behind* END to at least 300 bytes.
 *
 * @param order the client's option 55, see {@link encodeOptions}.
 * @throws DOES_NOT_FIT when a value does not fit its field. Nothing is ever cut: a machine would ask for a file name
 *   that does not exist.
 */
export function encodePacket(packet: DhcpPacket, order: readonly number[] = []): Uint8Array {
  const options = encodeOptions(packet.options, order, packet.op === BOOT_REQUEST);
  const bytes = new Uint8Array(Math.max(MIN_BYTES, HEADER_BYTES + 4 + options.length));
  const view = new DataView(bytes.buffer);
  bytes.set([packet.op, packet.hardwareType, packet.hardwareLength, packet.hops], 0);
  view.setUint32(4, packet.xid);
  view.setUint16(8, packet.secs);
  view.setUint16(10, packet.flags);
  bytes.set(encodeIpv4(packet.clientIp), 12);
  bytes.set(encodeIpv4(packet.yourIp), 16);
  bytes.set(encodeIpv4(packet.nextServerIp), 20);
  bytes.set(encodeIpv4(packet.relayIp), 24);
  bytes.set(packet.hardwareAddress.subarray(0, 16), 28);
  bytes.set(zeroEnded(packet.serverName, 64, "sname"), 44);
  bytes.set(zeroEnded(packet.bootFile, 128, "file"), 108);
  view.setUint32(HEADER_BYTES, COOKIE);
  bytes.set(options, HEADER_BYTES + 4);
  return bytes;
}

/** Bytes that {@link encodePacket} would need without padding. */
export function encodedBytes(options: DhcpOptions): number {
  return HEADER_BYTES + 4 + encodeOptions(options).length;
}

/** Whether text fits a header field of `size` bytes with the NUL that ends it. */
export const fitsField = (value: string, size: 64 | 128): boolean => value.length < size;

function zeroEnded(value: string, size: 64 | 128, field: string): Uint8Array {
  if (!fitsField(value, size)) {
    throw doesNotFit(`${field} "${value}" is ${value.length} bytes long, at most ${size - 1} fit`);
  }
  return encodeLatin1(value);
}

/** Up to the first NUL; a field that is full without one is legal to read (pxe.md 1.2). */
function untilNul(field: Uint8Array): string {
  const end = field.indexOf(0);
  return decodeLatin1(end < 0 ? field : field.subarray(0, end));
}

const malformed = (what: string) => new SlipwayError("MALFORMED_PACKET", `DHCP: ${what}`);
