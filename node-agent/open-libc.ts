// The few calls of the C library that Node has no word for: setting clock and host name, a datagram to systemd, packet and
// netlink sockets. Edge. Where koffi cannot be loaded (its native part is missing, or there is another libc) the agent lives
// on without them. What only the install needs is in install/.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

export type Libc = {
  /** Each returns −1 and sets errno on failure. */
  clockSettime(clock: number, timespec: Buffer): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Buffer, length: number): number;
  sendto(fd: number, bytes: Buffer, length: number, flags: number, address: Buffer, addressLength: number): number;
  recv(fd: number, bytes: Buffer, length: number, flags: number): number;
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number;
  close(fd: number): number;
  sethostname(name: Buffer, length: number): number;
  errno(): number;
};

type Koffi = typeof import("koffi").default;

/**
 * In the image koffi's native part lies beside the bundle, and its loader, which looks for a whole package, is left out;
 * from the sources it is the package.
 */
export async function loadKoffi(): Promise<Koffi> {
  const name = `node_modules/@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`;
  const beside = join(import.meta.dirname, name);
  if (existsSync(beside)) return createRequire(import.meta.url)(beside) as Koffi;
  return (await import("koffi")).default;
}

/** Loads the C library. Rejects where there is no koffi or no glibc. */
export async function openLibc(): Promise<Libc> {
  const koffi = await loadKoffi();
  const lib = koffi.load("libc.so.6");
  return {
    clockSettime: lib.func("int clock_settime(int clock, void *timespec)"),
    socket: lib.func("int socket(int domain, int type, int protocol)"),
    bind: lib.func("int bind(int fd, void *address, uint32_t length)"),
    sendto: lib.func("int64_t sendto(int fd, void *bytes, size_t length, int flags, void *address, uint32_t n)"),
    recv: lib.func("int64_t recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)"),
    setsockopt: lib.func("int setsockopt(int fd, int level, int name, void *value, uint32_t length)"),
    close: lib.func("int close(int fd)"),
    sethostname: lib.func("int sethostname(void *name, size_t length)"),
    errno: () => koffi.errno(),
  };
}
