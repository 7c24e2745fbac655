// One UDP socket per interface and port (67, 4011; 68 to overhear other servers), bound to its device: a datagram's interface
// is known, and a broadcast leaves by the right one even without a default route (pxe.md 1.1, dependencies.md 2.2).
// Two providers of the descriptor: systemd's socket units in production, libc by koffi otherwise; dgram then adopts it.
import { createSocket, type RemoteInfo } from "node:dgram";
import type { Ipv4, Mac } from "../../inventory/address.ts";
import { SlipwayError } from "../contract/errors.ts";
import * as c from "./libc-socket.ts";
import { readPortHolder } from "./read-port-holder.ts";

/**
 * What is wanted: `port` on `interfaceName`, for all addresses or only `ip`. `isShared` lets another socket hold the port
 * too: on 68 the host's own DHCP client, on 67 our own pair (see openServerSocket).
 */
export type SocketWish = { interfaceName: string; port: number; ip?: Ipv4; isShared?: boolean };
/** Gives a bound, non-blocking descriptor that the caller owns, or undefined when this provider has none for the wish. */
export type DhcpSocketProvider = (wish: SocketWish) => number | undefined;

/** Where a datagram goes. `mac` set: the client does not answer ARP yet, the kernel is told its MAC first. */
export type SendTarget = { ip: Ipv4; port: number; mac?: Mac };

export type DhcpSocket = {
  port: number;
  /**
   * Sends from this port out of this interface. A unicast to a client that cannot be taught to the kernel
   * (no CAP_NET_ADMIN) is broadcast instead.
   * @returns how it left. Rejects with the error of the system call.
   */
  send(bytes: Uint8Array, to: SendTarget): Promise<"unicast" | "broadcast">;
  close(): void;
};

const BROADCAST = "255.255.255.255";
/**
 * The kernel doubles it: some 1,200 datagrams, a hall that powers on in the same instant. Not more, because this queue is
 * oldest-first and out of our hands: with 4 MiB an overloaded server answered what had been asked two seconds ago.
 */
const RECEIVE_BUFFER_BYTES = 512 * 1024;

/** What a failed call means, in the words of the error table. */
function faultOf(error: string, call: string, wish: SocketWish): SlipwayError {
  const where = `UDP port ${wish.port} on ${wish.interfaceName}`;
  if (error === "EADDRINUSE") {
    const holder = readPortHolder(wish.port) ?? "another program (run as root to see which)";
    return new SlipwayError("PORT_IN_USE", `${where} is held by ${holder}`, {
      remedy: `Stop that program, or set \`dhcp: off\` for ${wish.interfaceName} in slipway.yaml (its port is fixed, by the protocol).`,
    });
  }
  if (error === "EACCES" || error === "EPERM") {
    const capability = call === "bind" ? "CAP_NET_BIND_SERVICE" : "CAP_NET_RAW";
    return new SlipwayError("NO_PERMISSION", `${where} may not be opened (${call}: ${error}); it needs ${capability}`);
  }
  if (error === "ENODEV") return new SlipwayError("NO_INTERFACE", `there is no interface ${wish.interfaceName} here`);
  return new SlipwayError("INTERNAL", `${where} cannot be opened: ${call} gave ${error}`);
}

/** Makes the descriptor itself. Throws PORT_IN_USE (naming the holder), NO_PERMISSION (naming the capability), NO_INTERFACE. */
export const koffiProvider: DhcpSocketProvider = (wish) => {
  const fd = c.libc().socket(c.AF_INET, c.SOCK_DGRAM | c.SOCK_NONBLOCK_CLOEXEC, 0);
  const must = (result: number, call: string) => {
    if (result >= 0) return;
    const error = c.lastError();
    c.libc().close(fd);
    throw faultOf(error, call, wish);
  };
  if (fd < 0) throw faultOf(c.lastError(), "socket", wish);
  const set = (name: number, value: Uint8Array) => c.libc().setsockopt(fd, c.SOL_SOCKET, name, value, value.length);
  // SO_REUSEADDR would let two DHCP servers share port 67 unnoticed, so it is not set without need.
  if (wish.isShared) must(set(c.SO_REUSEADDR, c.uint32(1)), "SO_REUSEADDR");
  must(set(c.SO_BROADCAST, c.uint32(1)), "SO_BROADCAST");
  // FORCE goes over the system's limit and needs CAP_NET_ADMIN; the plain option takes what the limit allows.
  if (set(c.SO_RCVBUFFORCE, c.uint32(RECEIVE_BUFFER_BYTES)) < 0) set(c.SO_RCVBUF, c.uint32(RECEIVE_BUFFER_BYTES));
  must(set(c.SO_BINDTODEVICE, new TextEncoder().encode(`${wish.interfaceName}\0`)), "SO_BINDTODEVICE");
  must(c.libc().bind(fd, c.inetAddress(wish.ip ?? "0.0.0.0", wish.port), 16), "bind");
  return fd;
};

/**
 * Gives out descriptors inherited from systemd's socket units (`ListenDatagram=0.0.0.0:67`, `BindToDevice=eth1`), told apart
 * by what the kernel says of them, not by their names. Each is duplicated, so that an interface can be closed and opened again.
 *
 * @param env LISTEN_PID and LISTEN_FDS as sd_listen_fds(3) has them.
 * @returns undefined when nothing was inherited by this process.
 */
export function systemdProvider(env: Record<string, string | undefined>, pid: number): DhcpSocketProvider | undefined {
  const count = Number(env.LISTEN_FDS ?? 0);
  if (env.LISTEN_PID !== String(pid) || !(count > 0)) return undefined;
  const inherited = Array.from({ length: count }, (_, i) => ({ fd: 3 + i, bound: c.describeSocket(3 + i) }));
  return (wish) => {
    const found = inherited.find(
      ({ bound }) => bound?.port === wish.port && bound.interfaceName === wish.interfaceName,
    );
    return found && c.duplicate(found.fd);
  };
}

/** systemd's sockets where there are any, else our own. */
export function defaultProvider(env: Record<string, string | undefined> = process.env): DhcpSocketProvider {
  const inherited = systemdProvider(env, process.pid);
  return (wish) => inherited?.(wish) ?? koffiProvider(wish);
}

type Hearing = {
  /** Called for each datagram, in order of arrival. */
  heard: (bytes: Uint8Array, from: RemoteInfo) => void;
  /** Called when the socket itself fails later (interface gone). */
  failed: (error: Error) => void;
};

/** Opens one socket and hears it. */
export async function openDhcpSocket(
  options: Hearing & { wish: SocketWish; provider: DhcpSocketProvider },
): Promise<DhcpSocket> {
  const { wish, provider } = options;
  const fd = provider(wish);
  if (fd === undefined) throw new SlipwayError("INTERNAL", `no socket for port ${wish.port} on ${wish.interfaceName}`);
  return adopt(fd, wish, options);
}

/**
 * Opens a server's port on an interface and tells unicast from broadcast, which no call of Node does: what is sent to `ip`
 * goes to a second socket bound to that address, all else to the first (pxe.md 1.1). RENEWING and REBINDING differ in
 * nothing else.
 *
 * @param options.ip our address on the interface.
 */
export async function openServerSocket(options: {
  interfaceName: string;
  ip: Ipv4;
  port: number;
  provider: DhcpSocketProvider;
  heard: (bytes: Uint8Array, from: RemoteInfo, isUnicast: boolean) => void;
  failed: (error: Error) => void;
}): Promise<DhcpSocket> {
  const { interfaceName, ip, port, provider, heard, failed } = options;
  const wish = { interfaceName, port };
  const fd = provider(wish);
  if (fd === undefined) throw new SlipwayError("INTERNAL", `no socket for port ${port} on ${interfaceName}`);
  const unicastFd = pairWith(fd, { ...wish, ip, isShared: true });
  const main = await adopt(fd, wish, { heard: (bytes, from) => heard(bytes, from, false), failed });
  if (unicastFd === undefined) return main;
  const unicast = await adopt(unicastFd, wish, { heard: (bytes, from) => heard(bytes, from, true), failed });
  return {
    ...main,
    close() {
      main.close();
      unicast.close();
    },
  };
}

/**
 * Binds a second socket to one address beside the first one. Both may share the port only while that happens: afterwards
 * no other program can slip in. Without the right to bind (systemd gave the first socket) there is no second one.
 */
function pairWith(first: number, wish: SocketWish): number | undefined {
  setShared(first, true);
  try {
    return koffiProvider(wish);
  } catch {
    return undefined; // Then a renewal looks like a rebinding: both are answered, only NAKs are rarer.
  }
}

function setShared(fd: number, isShared: boolean): void {
  c.libc().setsockopt(fd, c.SOL_SOCKET, c.SO_REUSEADDR, c.uint32(isShared ? 1 : 0), 4);
}

async function adopt(fd: number, wish: SocketWish, { heard, failed }: Hearing): Promise<DhcpSocket> {
  // Only addresses are ever sent to; the default asks the resolver's machinery for each, a turn of the event loop later.
  const socket = createSocket({ type: "udp4", lookup: (ip, _options, done) => done(null, ip, 4) });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ fd }, () => {
      socket.off("error", reject);
      resolve();
    });
  });
  // libuv sets SO_REUSEADDR on every descriptor it adopts; while we serve, nobody shall share the port.
  if (!wish.isShared) setShared(fd, false);
  socket.on("message", heard);
  socket.on("error", failed);
  let isOpen = true;
  const sendTo = (bytes: Uint8Array, ip: Ipv4, port: number) =>
    new Promise<void>((resolve, reject) => {
      if (!isOpen)
        resolve(); // The interface went while this answer was being saved.
      else socket.send(bytes, port, ip, (error) => (error ? reject(error) : resolve()));
    });
  return {
    port: wish.port,
    async send(bytes, to) {
      const isTaught = to.mac === undefined || c.setNeighbour(fd, to.ip, to.mac, wish.interfaceName) === undefined;
      await sendTo(bytes, isTaught ? to.ip : BROADCAST, to.port);
      return isTaught && to.ip !== BROADCAST ? "unicast" : "broadcast";
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      socket.close();
    },
  };
}
