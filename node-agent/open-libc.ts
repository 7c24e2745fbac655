// The few calls of the C library that Node has no word for: setting the clock, a datagram to systemd, a packet socket. Edge.
// koffi is loaded on first use; where it cannot be (another libc), the agent lives on without these three.
import koffi from "koffi";

export type Libc = {
  /** Each returns −1 and sets errno on failure. */
  clockSettime(clock: number, timespec: Buffer): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Buffer, length: number): number;
  sendto(fd: number, bytes: Buffer, length: number, flags: number, address: Buffer, addressLength: number): number;
  recv(fd: number, bytes: Buffer, length: number, flags: number): number;
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number;
  close(fd: number): number;
  errno(): number;
};

let opened: Libc | undefined;

/** The C library, loaded once. Throws where there is no glibc. */
export function openLibc(): Libc {
  opened ??= load();
  return opened;
}

function load(): Libc {
  const lib = koffi.load("libc.so.6");
  return {
    clockSettime: lib.func("int clock_settime(int clock, void *timespec)"),
    socket: lib.func("int socket(int domain, int type, int protocol)"),
    bind: lib.func("int bind(int fd, void *address, uint32_t length)"),
    sendto: lib.func("ssize_t sendto(int fd, void *bytes, size_t length, int flags, void *address, uint32_t n)"),
    recv: lib.func("ssize_t recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)"),
    setsockopt: lib.func("int setsockopt(int fd, int level, int name, void *value, uint32_t length)"),
    close: lib.func("int close(int fd)"),
    errno: () => koffi.errno(),
  };
}
