// ARP frames: who has an address, and this is mine now. Pure. RFC 826; probes and announcements by RFC 5227 §2.
//
//     destination(6) source(6) 0806 | 0001 0800 06 04 | operation(2) | sender MAC(6) IP(4) | target MAC(6) IP(4)
import { ipv4Number, ipv4Text } from "../../server/contract/machine-config/address.ts";

export type Arp = {
  operation: "request" | "reply";
  senderMac: string;
  senderIp: string;
  targetMac: string;
  targetIp: string;
};

const EVERYONE = "ff:ff:ff:ff:ff:ff";
const NOBODY = "00:00:00:00:00:00";
const NO_IP = "0.0.0.0";
const HEAD = [0x00, 0x01, 0x08, 0x00, 6, 4];
const FRAME_BYTES = 42;

/** Asks who has an address without claiming it: the sender's own is 0.0.0.0. */
export const probeFor = (mac: string, ip: string): Buffer =>
  encode({ operation: "request", senderMac: mac, senderIp: NO_IP, targetMac: NOBODY, targetIp: ip }, EVERYONE);

/** Tells everyone that an address is here now. Both forms, because some stacks only learn from one of them. */
export const announcementsOf = (mac: string, ip: string): Buffer[] => [
  encode({ operation: "request", senderMac: mac, senderIp: ip, targetMac: NOBODY, targetIp: ip }, EVERYONE),
  encode({ operation: "reply", senderMac: mac, senderIp: ip, targetMac: EVERYONE, targetIp: ip }, EVERYONE),
];

/** Reads an Ethernet frame; undefined when it is no ARP for IPv4 over Ethernet. */
export function decodeArp(frame: Uint8Array): Arp | undefined {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  if (bytes.length < FRAME_BYTES || bytes.readUInt16BE(12) !== 0x0806) return undefined;
  const operation = bytes.readUInt16BE(20);
  if (!HEAD.every((byte, index) => bytes[14 + index] === byte) || (operation !== 1 && operation !== 2))
    return undefined;
  return {
    operation: operation === 1 ? "request" : "reply",
    senderMac: macAt(bytes, 22),
    senderIp: ipv4Text(bytes.readUInt32BE(28)),
    targetMac: macAt(bytes, 32),
    targetIp: ipv4Text(bytes.readUInt32BE(38)),
  };
}

/**
 * Whose MAC a frame says an address belongs to; undefined when it is nobody else's. A stranger's probe is no claim, against
 * RFC 5227 §2.1.1: switches that track devices probe for ever (Cisco's IP device tracking), and would keep the address away.
 */
export const rivalFor = (arp: Arp, ip: string, ownMac: string): string | undefined =>
  arp.senderMac !== ownMac && arp.senderIp === ip ? arp.senderMac : undefined;

function encode({ operation, senderMac, senderIp, targetMac, targetIp }: Arp, destination: string): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.set(macBytes(destination), 0);
  frame.set(macBytes(senderMac), 6);
  frame.writeUInt16BE(0x0806, 12);
  frame.set(HEAD, 14);
  frame.writeUInt16BE(operation === "request" ? 1 : 2, 20);
  frame.set(macBytes(senderMac), 22);
  frame.writeUInt32BE(ipv4Number(senderIp) ?? 0, 28);
  frame.set(macBytes(targetMac), 32);
  frame.writeUInt32BE(ipv4Number(targetIp) ?? 0, 38);
  return frame;
}

const macBytes = (mac: string): number[] => mac.split(":").map((pair) => Number.parseInt(pair, 16));
const macAt = (bytes: Buffer, at: number): string =>
  Array.from(bytes.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, "0")).join(":");
