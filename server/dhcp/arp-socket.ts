// Asks the wire who has an address: before an address is offered for the first time (pxe.md 1.12), and for a gateway's or a
// foreign server's MAC. An AF_PACKET socket for ARP frames only, read without blocking every few milliseconds while somebody
// waits and not at all otherwise. Node cannot poll such a socket; a thread that blocks in recv would hold one of libuv's
// four for ever; and the kernel's own ARP (a poke by UDP, then /proc/net/arp) puts our address into strangers' tables,
// leaves failed entries behind, and knows no subnet but our own. Called by service.ts and run-mode.ts.
import type { Ipv4, Mac } from "../../inventory/address.ts";
import type { ServedInterface } from "../boot/served-interface.ts";
import { SlipwayError } from "../contract/errors.ts";
import { decodeArpSender, encodeArpRequest } from "./arp-frame.ts";
import * as c from "./libc-socket.ts";

export type ArpSocket = {
  /** The MAC that answers for `ip` within `timeoutMs`, or undefined: nobody does. Asks as nobody (RFC 5227). */
  probeAddress(ip: Ipv4, timeoutMs: number): Promise<Mac | undefined>;
  /** The same, asking with our own address: what an ordinary program would do to reach a gateway. */
  findMac(ip: Ipv4, timeoutMs: number): Promise<Mac | undefined>;
  close(): void;
};

const ETH_P_ARP = 0x0806;
const BROADCAST_MAC = "ff:ff:ff:ff:ff:ff";
const LOOK_EVERY_MS = 5;
/** A second and third request, for answers lost and radios asleep. */
const ASK_AGAIN_AFTER_MS = [0, 80, 200];
/** Frames read per look at most, so that a storm cannot hold the event loop. */
const FRAMES_PER_LOOK = 256;

type Waiter = { settle: (mac: Mac | undefined) => void };

/** Opens the socket for one interface. Throws NO_PERMISSION without CAP_NET_RAW, NO_INTERFACE when it has gone. */
export function openArpSocket(at: ServedInterface): ArpSocket {
  const fd = openPacketSocket(at);
  const frame = new Uint8Array(64);
  /** By the address they ask for: a hall that boots asks for a thousand at once, and other machines' ARP goes on meanwhile. */
  const waiters = new Map<Ipv4, Set<Waiter>>();
  const destination = c.packetAddress(ETH_P_ARP, at.index, BROADCAST_MAC);
  let timer: NodeJS.Timeout | undefined;
  let isOpen = true;

  const look = () => {
    for (let i = 0; i < FRAMES_PER_LOOK && isOpen; i++) {
      const length = c.libc().recv(fd, frame, frame.length, 0);
      if (length < 0) break;
      const sender = decodeArpSender(frame.subarray(0, length));
      if (sender === undefined || sender.mac === at.mac) continue;
      for (const waiter of [...(waiters.get(sender.ip) ?? [])]) waiter.settle(sender.mac);
    }
  };
  const ask = (ip: Ipv4, senderIp: Ipv4, timeoutMs: number) =>
    new Promise<Mac | undefined>((resolve) => {
      if (!isOpen) return resolve(undefined);
      // What lies in the buffer from before proves nothing about now.
      if (waiters.size === 0) look();
      const request = encodeArpRequest({ mac: at.mac, ip: senderIp }, ip);
      const send = () => void c.libc().sendto(fd, request, request.length, 0, destination, destination.length);
      const timers = ASK_AGAIN_AFTER_MS.filter((ms) => ms < timeoutMs).map((ms) => setTimeout(send, ms));
      const settle = (mac: Mac | undefined) => {
        for (const one of timers) clearTimeout(one);
        const others = waiters.get(ip);
        others?.delete(waiter);
        if (others?.size === 0) waiters.delete(ip);
        if (waiters.size === 0) clearInterval(timer);
        resolve(mac);
      };
      const waiter: Waiter = { settle };
      timers.push(setTimeout(() => settle(undefined), timeoutMs));
      if (waiters.size === 0) timer = setInterval(look, LOOK_EVERY_MS);
      waiters.set(ip, (waiters.get(ip) ?? new Set()).add(waiter));
    });

  return {
    probeAddress: (ip, timeoutMs) => ask(ip, "0.0.0.0", timeoutMs),
    findMac: (ip, timeoutMs) => ask(ip, at.address ?? "0.0.0.0", timeoutMs),
    close() {
      if (!isOpen) return;
      isOpen = false;
      for (const waiter of [...waiters.values()].flatMap((set) => [...set])) waiter.settle(undefined);
      c.libc().close(fd);
    },
  };
}

function openPacketSocket(at: ServedInterface): number {
  // Protocol 0 first: with ETH_P_ARP it would hear every interface until it is bound.
  const fd = c.libc().socket(c.AF_PACKET, c.SOCK_DGRAM | c.SOCK_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) {
    const why = `the ARP socket on ${at.name} may not be opened (${c.lastError()}); it needs CAP_NET_RAW`;
    throw new SlipwayError("NO_PERMISSION", why);
  }
  const address = c.packetAddress(ETH_P_ARP, at.index, at.mac);
  if (c.libc().bind(fd, address, address.length) < 0) {
    const error = c.lastError();
    c.libc().close(fd);
    throw new SlipwayError("NO_INTERFACE", `the ARP socket cannot be bound to ${at.name}: ${error}`);
  }
  return fd;
}
