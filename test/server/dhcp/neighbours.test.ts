// ARP frames and the kernel's tables, byte by byte and line by line as Linux has them.
import { expect, test } from "vitest";
import { decodeArpSender, encodeArpRequest } from "../../../server/dhcp/arp-frame.ts";
import { parseDefaultGateway, parseNeighbour } from "../../../server/dhcp/read-neighbours.ts";
import { parseInodes } from "../../../server/dhcp/read-port-holder.ts";

const ME = { mac: "52:54:00:00:00:01", ip: "0.0.0.0" };

test("encodeArpRequest makes RFC 5227's probe: sender address zero", () => {
  const hex = Buffer.from(encodeArpRequest(ME, "192.0.2.128")).toString("hex");
  expect(hex).toBe("0001080006040001" + "525400000001" + "00000000" + "000000000000" + "c0000280");
});

test("decodeArpSender reads requests and replies, padded or not, and refuses the rest", () => {
  const request = encodeArpRequest({ ...ME, ip: "192.0.2.9" }, "192.0.2.128");
  const sender = { mac: ME.mac, ip: "192.0.2.9" };
  expect(decodeArpSender(request)).toEqual(sender);
  expect(decodeArpSender(Uint8Array.of(...request.with(7, 2), ...new Uint8Array(18)))).toEqual(sender);
  for (let length = 0; length < request.length; length++)
    expect(decodeArpSender(request.subarray(0, length))).toBeUndefined();
  for (const at of [1, 2, 4, 5]) expect(decodeArpSender(request.with(at, 99))).toBeUndefined();
});

const ARP = `IP address       HW type     Flags       HW address            Mask     Device
192.0.2.254      0x1         0x2         52:54:00:AA:00:01     *        eth0
192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        eth0
`;
test("parseNeighbour takes complete entries only", () => {
  expect(parseNeighbour(ARP, "192.0.2.254")).toBe("52:54:00:aa:00:01");
  expect(parseNeighbour(ARP, "192.0.2.9")).toBeUndefined();
  expect(parseNeighbour(ARP, "192.0.2.2")).toBeUndefined();
  expect(parseNeighbour("", "192.0.2.2")).toBeUndefined();
});

const ROUTES = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth1\t00000000\tFE0200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
`;
test("parseDefaultGateway reads the little-endian address of the interface's default route", () => {
  expect(parseDefaultGateway(ROUTES, "eth1")).toBe("192.0.2.254");
  expect(parseDefaultGateway(ROUTES, "eth0")).toBeUndefined();
  expect(parseDefaultGateway(ROUTES, "tun0")).toBeUndefined();
});

const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  133: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 28122 2 0000000000000000 0
  134: 0100007F:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 28123 2 0000000000000000 0
`;
test("parseInodes finds the sockets of a port", () => {
  expect(parseInodes(UDP, 67)).toEqual(["28122"]);
  expect(parseInodes(UDP, 69)).toEqual([]);
});
