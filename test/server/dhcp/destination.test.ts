import { expect, test } from "vitest";
import { nakCopy, replyDestination } from "../../../server/dhcp/destination.ts";
import { type DhcpPacket, decodePacket } from "../../../server/dhcp/packet.ts";
import { vectorBytes } from "./vectors.ts";

const request = decodePacket(vectorBytes("grub-discover"));
const reply: DhcpPacket = { ...request, op: 2, yourIp: "10.0.0.5", options: { messageType: 2 } };
const nak = { options: { messageType: 6 }, yourIp: "0.0.0.0" };
const inform = { options: { messageType: 8 } };

const CASES: { name: string; over: Partial<DhcpPacket>; reply?: Partial<DhcpPacket>; port?: 4011; to: string }[] = [
  {
    name: "4011: back to the source, before everything else",
    over: { relayIp: "10.0.9.1" },
    port: 4011,
    to: "10.0.0.7:4011",
  },
  { name: "relayed: to the relay's server port", over: { relayIp: "10.0.9.1" }, to: "10.0.9.1:67" },
  {
    name: "relayed with ciaddr: the relay still",
    over: { relayIp: "10.0.9.1", clientIp: "10.0.0.5" },
    to: "10.0.9.1:67",
  },
  { name: "a relayed NAK: the relay", over: { relayIp: "10.0.9.1" }, reply: nak, to: "10.0.9.1:67" },
  { name: "INFORM: to ciaddr", over: { clientIp: "10.0.0.5", ...inform }, to: "10.0.0.5:68" },
  { name: "INFORM without ciaddr: to where it came from", over: inform, to: "10.0.0.7:68" },
  { name: "NAK: broadcast, even with ciaddr", over: { clientIp: "10.0.0.5" }, reply: nak, to: "255.255.255.255:68" },
  { name: "renewing: to the client's address", over: { clientIp: "10.0.0.5" }, to: "10.0.0.5:68" },
  { name: "broadcast flag: broadcast", over: { flags: 0x8000 }, to: "255.255.255.255:68" },
  { name: "no flag: the new address, with the MAC to teach", over: {}, to: "10.0.0.5:68 52:54:00:12:34:56" },
  { name: "no flag, no Ethernet: broadcast", over: { hardwareType: 32 }, to: "255.255.255.255:68" },
  { name: "no flag, no address (proxy): broadcast", over: {}, reply: { yourIp: "0.0.0.0" }, to: "255.255.255.255:68" },
];
for (const { name, over, reply: replied, port = 67, to } of CASES) {
  test(name, () => {
    const source = { ip: "10.0.0.7", port: 4011 };
    const found = replyDestination({ ...request, ...over }, { ...reply, ...replied }, { port, source })!;
    expect(`${found.ip}:${found.port}${found.mac ? ` ${found.mac}` : ""}`).toBe(to);
  });
}
test("INFORM without any address: nowhere", () => {
  expect(
    replyDestination({ ...request, ...inform }, reply, { port: 67, source: { ip: "0.0.0.0", port: 68 } }),
  ).toBeUndefined();
});
test("nakCopy goes to the address that the client still uses", () => {
  expect(nakCopy({ ...request, clientIp: "10.0.0.5" })).toEqual({ ip: "10.0.0.5", port: 68 });
});
