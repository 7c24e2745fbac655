// Sends rtnetlink messages to the kernel and reads its answer. Edge. run-vip.ts and run-addresses.ts set addresses and routes
// through it; without a C library or CAP_NET_ADMIN every change is refused by a number, and nothing else is lost.
import type { Libc } from "../open-libc.ts";
import { decodeAck } from "./netlink.ts";

const AF_NETLINK = 16;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const NETLINK_ROUTE = 0;
/** Errors that mean "it is so already" (EEXIST), or "it is gone already" (EADDRNOTAVAIL, ESRCH, ENODEV). */
const SETTLED: ReadonlySet<number> = new Set([17, 99, 3, 19]);

/** Sends one message. Returns 0, or the errno of a refusal. */
export type Netlink = { change(message: Buffer): number; close(): void };

const ENOSYS = 38;
const EIO = 5;

/** Opens the socket; the kernel answers each message before `sendto` comes back, so nobody waits. */
export function openNetlink(libc: Libc | undefined): Netlink {
  if (libc === undefined) return { change: () => ENOSYS, close: () => {} };
  const fd = libc.socket(AF_NETLINK, SOCK_RAW_NONBLOCK_CLOEXEC, NETLINK_ROUTE);
  const kernel = Buffer.alloc(12);
  kernel.writeUInt16LE(AF_NETLINK, 0);
  const answer = Buffer.alloc(4096);
  return {
    change: (message) => {
      if (libc.sendto(fd, message, message.length, 0, kernel, kernel.length) < 0) return libc.errno();
      const n = Number(libc.recv(fd, answer, answer.length, 0));
      const errno = n > 0 ? (decodeAck(answer.subarray(0, n)) ?? EIO) : libc.errno();
      return SETTLED.has(errno) ? 0 : errno;
    },
    close: () => void libc.close(fd),
  };
}
