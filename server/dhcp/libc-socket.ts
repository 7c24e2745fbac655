// The few system calls that Node's dgram has no word for: SO_BINDTODEVICE, SIOCSARP, AF_PACKET (dependencies.md 2.1).
// koffi calls libc in this process; nothing here blocks, all sockets are O_NONBLOCK. Called by socket.ts, arp-socket.ts.
import koffi from "koffi";
import type { Ipv4, Mac } from "../../inventory/address.ts";

type Libc = {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, bytes: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, bytes: number): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, bytes: Uint8Array): number;
  getsockname(fd: number, address: Uint8Array, bytes: Uint8Array): number;
  sendto(fd: number, data: Uint8Array, size: number, flags: number, address: Uint8Array, bytes: number): number;
  recv(fd: number, data: Uint8Array, size: number, flags: number): number;
  ioctl(fd: number, request: number, value: Uint8Array): number;
  fcntl(fd: number, command: number, value: number): number;
  close(fd: number): number;
};

let loaded: Libc | undefined;

/** libc, opened on first use so that a machine without it (not Linux) can still import this file. */
export function libc(): Libc {
  if (loaded) return loaded;
  const lib = koffi.load("libc.so.6");
  loaded = {
    socket: lib.func("int socket(int, int, int)"),
    bind: lib.func("int bind(int, const void *, uint32_t)"),
    setsockopt: lib.func("int setsockopt(int, int, int, const void *, uint32_t)"),
    getsockopt: lib.func("int getsockopt(int, int, int, _Out_ void *, _Inout_ void *)"),
    getsockname: lib.func("int getsockname(int, _Out_ void *, _Inout_ void *)"),
    sendto: lib.func("long sendto(int, const void *, size_t, int, const void *, uint32_t)"),
    recv: lib.func("long recv(int, _Out_ void *, size_t, int)"),
    // Both are variadic in C; on amd64 and arm64 Linux a single integer or pointer travels the same way.
    ioctl: lib.func("int ioctl(int, unsigned long, void *)"),
    fcntl: lib.func("int fcntl(int, int, long)"),
    close: lib.func("int close(int)"),
  } as unknown as Libc;
  return loaded;
}

/** Name of the last call's error, such as `EADDRINUSE`. Ask at once after the call. */
export function lastError(): string {
  const number = koffi.errno();
  return Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? `errno ${number}`;
}

export const AF_INET = 2;
export const AF_PACKET = 17;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_BROADCAST = 6;
export const SO_RCVBUF = 8;
export const SO_BINDTODEVICE = 25;
export const SO_RCVBUFFORCE = 33;
const SIOCSARP = 0x8955;
const ATF_COM = 2;
const ARPHRD_ETHER = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_DUPFD_CLOEXEC = 1030;

export const uint32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const macBytes = (mac: Mac) => mac.split(":").map((part) => Number.parseInt(part, 16));

/** struct sockaddr_in: family in host order, port and address in network order. */
export function inetAddress(ip: Ipv4, port: number): Uint8Array {
  return Uint8Array.of(AF_INET, 0, port >> 8, port & 255, ...ip.split(".").map(Number), 0, 0, 0, 0, 0, 0, 0, 0);
}

/** struct sockaddr_ll for frames of one EtherType on one interface. */
export function packetAddress(etherType: number, interfaceIndex: number, mac: Mac): Uint8Array {
  const index = uint32(interfaceIndex);
  return Uint8Array.of(AF_PACKET, 0, etherType >> 8, etherType & 255, ...index, 0, 0, 0, 6, ...macBytes(mac), 0, 0);
}

/**
 * Teaches the kernel which MAC an address has, so that a unicast reply reaches a client that does not answer ARP yet.
 *
 * @returns undefined, or the name of the error (EPERM without CAP_NET_ADMIN): the caller broadcasts instead.
 */
export function setNeighbour(fd: number, ip: Ipv4, mac: Mac, interfaceName: string): string | undefined {
  // struct arpreq: arp_pa, arp_ha (16 bytes each), flags (4), netmask (16), dev (16)
  const request = new Uint8Array(68);
  request.set(inetAddress(ip, 0), 0);
  request.set([ARPHRD_ETHER, 0, ...macBytes(mac)], 16);
  request.set(uint32(ATF_COM), 32);
  request.set(new TextEncoder().encode(interfaceName).subarray(0, 15), 52);
  return libc().ioctl(fd, SIOCSARP, request) === 0 ? undefined : lastError();
}

/** Port and interface that a socket is bound to; undefined when it is no IPv4 socket. */
export function describeSocket(fd: number): { port: number; interfaceName: string } | undefined {
  const address = new Uint8Array(16);
  if (libc().getsockname(fd, address, uint32(16)) !== 0 || address[0] !== AF_INET) return undefined;
  const device = new Uint8Array(16);
  if (libc().getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, uint32(16)) !== 0) return undefined;
  const interfaceName = new TextDecoder().decode(device).replace(/\0.*$/s, "");
  return { port: address[2]! * 256 + address[3]!, interfaceName };
}

/** A second descriptor of the same socket that children do not inherit; the first is kept from them as well. */
export function duplicate(fd: number): number {
  libc().fcntl(fd, F_SETFD, FD_CLOEXEC);
  return libc().fcntl(fd, F_DUPFD_CLOEXEC, 3);
}
