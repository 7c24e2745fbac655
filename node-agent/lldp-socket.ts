// Listens for LLDP on all cables: switches say every thirty seconds who they are and which port this is. Edge.
// A packet socket is the only way to such frames; without CAP_NET_RAW nothing is heard and nothing else is lost.
import type { Neighbour } from "../server/contract/generated/agent.ts";
import { decodeLldp } from "./lldp.ts";
import type { Libc } from "./open-libc.ts";
import { type Root, readNames, readNumber } from "./read-sysfs.ts";

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const ETH_P_LLDP_BE = 0xcc88;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_MULTICAST = 0;
/** "Nearest bridge": no switch forwards frames to this address (IEEE 802.1AB §7.1). */
const LLDP_ADDRESS = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e];
/** A frame that arrives later than this after the last look waits in the kernel's queue. */
const LOOK_EVERY_MS = 5000;

/**
 * Starts listening on every interface with hardware behind it.
 * @returns what was heard so far, the newest per interface; and the way to stop.
 */
export function listenLldp(from: Root, libc: Libc | undefined): { neighbours(): Neighbour[]; close(): void } {
  const sockets = libc === undefined ? [] : openSockets(from, libc);
  const heard = new Map<string, Neighbour>();
  const frame = Buffer.alloc(2048);
  const look = () => {
    for (const { nic, fd, libc } of sockets) {
      for (let n = libc.recv(fd, frame, frame.length, 0); n > 0; n = libc.recv(fd, frame, frame.length, 0)) {
        const neighbour = decodeLldp(frame.subarray(0, n));
        if (neighbour !== undefined) heard.set(nic, { nic, ...neighbour });
      }
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS).unref();
  return {
    neighbours: () => [...heard.values()],
    close: () => {
      clearInterval(timer);
      for (const { libc, fd } of sockets) libc.close(fd);
    },
  };
}

function openSockets(from: Root, libc: Libc): { nic: string; fd: number; libc: Libc }[] {
  const nics = readNames(from, "sys/class/net").filter(
    (nic) => readNames(from, `sys/class/net/${nic}/device`).length > 0,
  );
  return nics.flatMap((nic) => {
    const index = readNumber(from, `sys/class/net/${nic}/ifindex`);
    const fd = libc.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, ETH_P_LLDP_BE);
    if (fd < 0) return [];
    const join = packetMreq(index);
    const ok =
      libc.bind(fd, sockaddrLl(index), 20) === 0 &&
      libc.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, join, join.length) === 0;
    if (ok) return [{ nic, fd, libc }];
    libc.close(fd);
    return [];
  });
}

/** struct sockaddr_ll: family, protocol (network order), interface index. */
function sockaddrLl(index: number): Buffer {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16LE(ETH_P_LLDP_BE, 2);
  address.writeInt32LE(index, 4);
  return address;
}

/** struct packet_mreq: interface index, kind, length and bytes of the address. */
function packetMreq(index: number): Buffer {
  const request = Buffer.alloc(16);
  request.writeInt32LE(index, 0);
  request.writeUInt16LE(PACKET_MR_MULTICAST, 4);
  request.writeUInt16LE(LLDP_ADDRESS.length, 6);
  request.set(LLDP_ADDRESS, 8);
  return request;
}
