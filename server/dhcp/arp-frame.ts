// ARP for Ethernet and IPv4 (RFC 826), the 28 bytes after the Ethernet header. Pure; arp-socket.ts sends and reads them.
//
//   0 hardware type 1 | 2 protocol 0x0800 | 4 sizes 6, 4 | 6 operation 1 request, 2 reply
//   8 sender MAC | 14 sender IPv4 | 18 target MAC | 24 target IPv4
import { formatMac, type Ipv4, type Mac } from "../../inventory/address.ts";

const ARP_BYTES = 28;
const ipBytes = (ip: Ipv4) => ip.split(".").map(Number);
const macBytes = (mac: Mac) => mac.split(":").map((part) => Number.parseInt(part, 16));

/**
 * Asks who has `target`. A sender address of 0.0.0.0 makes it a probe (RFC 5227 §2.1.1), which changes nobody's ARP table.
 */
export function encodeArpRequest(sender: { mac: Mac; ip: Ipv4 }, target: Ipv4): Uint8Array {
  const from = [...macBytes(sender.mac), ...ipBytes(sender.ip)];
  return Uint8Array.of(0, 1, 8, 0, 6, 4, 0, 1, ...from, 0, 0, 0, 0, 0, 0, ...ipBytes(target));
}

/** Who sent an ARP frame, request or reply: both prove that the address is in use. Undefined when it is none of Ethernet and IPv4. */
export function decodeArpSender(frame: Uint8Array): { ip: Ipv4; mac: Mac } | undefined {
  const isArp = [0, 1, 8, 0, 6, 4].every((byte, at) => frame[at] === byte);
  if (frame.length < ARP_BYTES || !isArp) return undefined;
  return { mac: formatMac(frame.subarray(8, 14)), ip: frame.subarray(14, 18).join(".") };
}
