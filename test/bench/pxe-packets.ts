// What the machines of pxe-load.ts send: one template per message, patched per machine, because building each packet anew
// would make the load generator slower than the servers it measures. Written here, not by server/dhcp, but for the header.
import { encodePacket } from "../../server/dhcp/packet.ts";
import { packetOf } from "../server/dhcp/lab-client.ts";

export const [DISCOVER, OFFER, REQUEST, ACK, NAK] = [1, 2, 3, 5, 6];

/** A machine by its number: the last four bytes of its MAC, client identifier and UUID. Addresses are 32-bit numbers. */
export type Speaking = { n: number; xid: number; relay: number } & (
  | { say: "discover" }
  | { say: "request"; ip: number; server: number }
  | { say: "renew"; ip: number }
);

/** Where the value of an option stands; -1 when it is not there. */
export function offsetOf(packet: Buffer, code: number): number {
  for (let at = 240; at < packet.length && packet[at] !== 255; at += packet[at] === 0 ? 1 : 2 + packet[at + 1]!) {
    if (packet[at] === code) return at + 2;
  }
  return -1;
}

/** What OVMF x64 says. */
function template(type: number, names: object): Buffer {
  const options = {
    ...names,
    vendorClass: "PXEClient:Arch:00007:UNDI:003016",
    clientArch: [7],
    clientInterface: Uint8Array.of(1, 3, 16),
    maxMessageBytes: 1472,
    requestedCodes: [
      1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97,
    ],
    clientId: Uint8Array.of(1, 0x52, 0x54, 0, 0, 0, 0),
    uuidHex: `00${"4a".repeat(12)}00000000`,
  };
  return Buffer.from(encodePacket(packetOf({ mac: "52:54:00:00:00:00", type, options }, 0)));
}

const TEMPLATES = {
  discover: template(DISCOVER, {}),
  request: template(REQUEST, { requestedIp: "0.0.0.0", serverId: "0.0.0.0" }),
  renew: template(REQUEST, {}),
};
const offsets = (packet: Buffer) => ({
  machine: [30, offsetOf(packet, 61) + 3, offsetOf(packet, 97) + 13],
  requestedIp: offsetOf(packet, 50),
  serverId: offsetOf(packet, 54),
});
const OFFSETS = {
  discover: offsets(TEMPLATES.discover),
  request: offsets(TEMPLATES.request),
  renew: offsets(TEMPLATES.renew),
};

export function pxePacket(what: Speaking): Buffer {
  const packet = Buffer.from(TEMPLATES[what.say]);
  const at = OFFSETS[what.say];
  packet.writeUInt32BE(what.xid, 4);
  for (const offset of at.machine) packet.writeUInt32BE(what.n, offset);
  if (what.relay !== 0) {
    packet[3] = 1;
    packet.writeUInt32BE(what.relay, 24);
  }
  if (what.say === "renew") packet.writeUInt32BE(what.ip, 12);
  if (what.say === "request") {
    packet.writeUInt32BE(what.ip, at.requestedIp);
    packet.writeUInt32BE(what.server, at.serverId);
  }
  return packet;
}
