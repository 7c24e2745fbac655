// ARP on one network card: asks whether an address is free, announces one, hears who else claims it. Edge: a packet socket,
// as lldp-socket.ts has it. run-vip.ts and run-addresses.ts use it.
import type { Libc } from "../open-libc.ts";
import { announcementsOf, decodeArp, probeFor, rivalFor } from "./arp.ts";

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const ETH_P_ARP = 0x0806;
const ETH_P_ARP_BE = 0x0608;
const PROBES = 3;
const PROBE_WAIT_MS = 200;
const LOOK_EVERY_MS = 20;
/** More than this at one look is a storm; what is left waits for the next. */
const MOST_FRAMES = 500;

export type Arping = {
  /** Sends three probes, 200 ms each. Resolves with the MAC of whoever has the address; undefined if free. */
  probe(ip: string): Promise<string | undefined>;
  announce(ip: string): void;
  /** Reads what came since the last call: the MAC of another machine that claims the address. */
  rival(ip: string): string | undefined;
  close(): void;
};

/**
 * Opens a socket on one card.
 * @param wait resolves after so many milliseconds.
 * @returns undefined without CAP_NET_RAW, a C library or the card.
 */
export function openArp(
  libc: Libc | undefined,
  card: { index: number; mac: string },
  wait: (ms: number) => Promise<void>,
): Arping | undefined {
  if (libc === undefined || card.index === 0) return undefined;
  const fd = libc.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, ETH_P_ARP_BE);
  if (fd < 0) return undefined;
  const link = sockaddrLl(card.index);
  if (libc.bind(fd, link, link.length) !== 0) {
    libc.close(fd);
    return undefined;
  }
  const frame = Buffer.alloc(2048);
  const send = (bytes: Buffer) => void libc.sendto(fd, bytes, bytes.length, 0, link, link.length);
  const hear = (ip: string): string | undefined => {
    let rival: string | undefined;
    for (let count = 0; count < MOST_FRAMES; count++) {
      const n = Number(libc.recv(fd, frame, frame.length, 0));
      if (n <= 0) break;
      const arp = decodeArp(frame.subarray(0, n));
      if (arp !== undefined) rival = rivalFor(arp, ip, card.mac) ?? rival;
    }
    return rival;
  };
  return {
    probe: async (ip) => {
      // What was heard before this probe is history: its sender may be gone.
      hear(ip);
      for (let probe = 0; probe < PROBES; probe++) {
        send(probeFor(card.mac, ip));
        for (let waited = 0; waited < PROBE_WAIT_MS; waited += LOOK_EVERY_MS) {
          await wait(LOOK_EVERY_MS);
          const rival = hear(ip);
          if (rival !== undefined) return rival;
        }
      }
      return undefined;
    },
    announce: (ip) => {
      for (const bytes of announcementsOf(card.mac, ip)) send(bytes);
    },
    rival: (ip) => hear(ip),
    close: () => void libc.close(fd),
  };
}

/** struct sockaddr_ll: family, protocol (network order), interface index. */
function sockaddrLl(index: number): Buffer {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ARP, 2);
  address.writeInt32LE(index, 4);
  return address;
}
