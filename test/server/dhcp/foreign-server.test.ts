// What of all that is overheard proves another DHCP server: rows of message, sender and verdict.
import { expect, test } from "vitest";
import { foreignServerOf } from "../../../server/dhcp/foreign-server.ts";
import { BOOT_REPLY, type DhcpPacket, MESSAGE } from "../../../server/dhcp/packet.ts";
import { probePacket } from "../../../server/dhcp/probe-packet.ts";

const OWN = ["192.0.2.1", "198.51.100.1"];
const ROUTER = "192.0.2.254";
const base = probePacket("52:54:00:00:00:01", 1);
const offer = {
  op: BOOT_REPLY,
  yourIp: "192.0.2.50",
  options: { messageType: MESSAGE.offer, serverId: ROUTER },
} as const;
const request = { options: { messageType: MESSAGE.request, serverId: ROUTER, requestedIp: "192.0.2.50" } };

const ROWS: { name: string; over: Partial<DhcpPacket>; from?: string; want: string | undefined }[] = [
  { name: "an OFFER", over: offer, want: ROUTER },
  { name: "an ACK", over: { ...offer, options: { messageType: MESSAGE.ack, serverId: ROUTER } }, want: ROUTER },
  {
    name: "an OFFER without option 54 counts by its sender",
    over: { ...offer, options: { messageType: MESSAGE.offer } },
    want: ROUTER,
  },
  {
    name: "our own OFFER, by loopback",
    over: { ...offer, options: { messageType: MESSAGE.offer, serverId: OWN[0]! } },
    want: undefined,
  },
  {
    name: "our own OFFER through a relay",
    over: { ...offer, options: { messageType: MESSAGE.offer, serverId: OWN[1]! } },
    want: undefined,
  },
  { name: "a proxy's OFFER without an address", over: { ...offer, yourIp: "0.0.0.0" }, want: undefined },
  { name: "a NAK", over: { ...offer, options: { messageType: MESSAGE.nak, serverId: ROUTER } }, want: undefined },
  {
    name: "an OFFER naming 0.0.0.0",
    over: { ...offer, options: { messageType: MESSAGE.offer, serverId: "0.0.0.0" } },
    want: undefined,
  },
  { name: "a REQUEST that took another's offer", over: request, want: ROUTER },
  { name: "a REQUEST that took ours", over: { options: { ...request.options, serverId: OWN[0]! } }, want: undefined },
  { name: "a relayed REQUEST speaks of another wire", over: { ...request, relayIp: "10.30.1.1" }, want: undefined },
  {
    name: "a renewal names nobody",
    over: { clientIp: "192.0.2.50", options: { messageType: MESSAGE.request } },
    want: undefined,
  },
  { name: "a DISCOVER", over: {}, want: undefined },
  {
    name: "a RELEASE to a server of before",
    over: { options: { messageType: MESSAGE.release, serverId: ROUTER } },
    want: undefined,
  },
];
for (const { name, over, from = ROUTER, want } of ROWS) {
  test(`foreignServerOf: ${name}`, () => expect(foreignServerOf({ ...base, ...over }, from, OWN)).toBe(want));
}
