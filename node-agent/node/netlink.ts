// rtnetlink messages: an address or a route comes or goes. Pure; netlink-socket.ts sends them. Little-endian, as all machines
// that Slipway OS runs on. Source: rtnetlink(7), netlink(7), linux/if_addr.h, linux/rtnetlink.h.
//
//     length(4) type(2) flags(2) sequence(4) port(4) | struct ifaddrmsg or rtmsg | length(2) type(2) value, padded to 4 …
import { ipv4Number } from "../../server/contract/machine-config/address.ts";

export type AddressChange = {
  index: number;
  ip: string;
  bits: number;
  /** The kernel takes it away by itself after so many seconds, unless it is set again. Undefined: it stays. */
  validSeconds?: number;
};
export type RouteChange = { index: number; destination: string; bits: number; gateway: string; metric: number };

const RTM = { setAddress: 20, removeAddress: 21, setRoute: 24, removeRoute: 25 } as const;
const NLM_F_REQUEST_ACK = 1 | 4;
const NLM_F_REPLACE_CREATE = 0x100 | 0x400;
const NLMSG_ERROR = 2;
const AF_INET = 2;
const FOREVER = 0xffffffff;
const IFA = { address: 1, local: 2, cacheInfo: 6 } as const;
const RTA = { destination: 1, interface: 4, gateway: 5, priority: 6 } as const;
const [RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST] = [254, 4, 0, 1];

/** Adds an address, or gives it its time again. */
export const setAddress = (change: AddressChange): Buffer =>
  message(RTM.setAddress, NLM_F_REQUEST_ACK | NLM_F_REPLACE_CREATE, address(change));
export const removeAddress = (change: AddressChange): Buffer =>
  message(RTM.removeAddress, NLM_F_REQUEST_ACK, address(change));

export const setRoute = (change: RouteChange): Buffer =>
  message(RTM.setRoute, NLM_F_REQUEST_ACK | NLM_F_REPLACE_CREATE, route(change));
export const removeRoute = (change: RouteChange): Buffer => message(RTM.removeRoute, NLM_F_REQUEST_ACK, route(change));

/** The errno that the kernel answered with; 0 for success. undefined for what is no acknowledgement. */
export function decodeAck(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 20 || view.getUint16(4, true) !== NLMSG_ERROR) return undefined;
  return Math.abs(view.getInt32(16, true));
}

function address({ index, ip, bits, validSeconds }: AddressChange): Buffer {
  const head = Buffer.from([AF_INET, bits, 0, RT_SCOPE_UNIVERSE, 0, 0, 0, 0]);
  head.writeUInt32LE(index, 4);
  const times = Buffer.alloc(16);
  // "Preferred" for no time: nothing takes the endpoint for its own source address.
  times.writeUInt32LE(validSeconds === undefined ? FOREVER : 0, 0);
  times.writeUInt32LE(validSeconds ?? FOREVER, 4);
  return Buffer.concat([
    head,
    attribute(IFA.local, ipBytes(ip)),
    attribute(IFA.address, ipBytes(ip)),
    attribute(IFA.cacheInfo, times),
  ]);
}

function route({ index, destination, bits, gateway, metric }: RouteChange): Buffer {
  const head = Buffer.alloc(12);
  head.set([AF_INET, bits, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST]);
  return Buffer.concat([
    head,
    ...(bits === 0 ? [] : [attribute(RTA.destination, ipBytes(destination))]),
    attribute(RTA.gateway, ipBytes(gateway)),
    attribute(RTA.interface, number(index)),
    attribute(RTA.priority, number(metric)),
  ]);
}

function message(type: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + body.length, 0);
  head.writeUInt16LE(type, 4);
  head.writeUInt16LE(flags, 6);
  head.writeUInt32LE(1, 8);
  return Buffer.concat([head, body]);
}

/** All values here are multiples of four bytes: none needs padding. */
function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(4 + value.length, 0);
  head.writeUInt16LE(type, 2);
  return Buffer.concat([head, value]);
}

const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
};
const ipBytes = (ip: string): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(ipv4Number(ip) ?? 0, 0);
  return bytes;
};
