// Tells systemd how the agent is (sd_notify(3)): a datagram to the Unix socket in NOTIFY_SOCKET. Edge.
// Node has no Unix datagram sockets, so it goes through koffi; libsystemd itself is not needed for one sendto().
import type { Libc } from "./open-libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;

export type Notify = (state: string) => void;

/**
 * Opens the way to systemd.
 * @param path the value of NOTIFY_SOCKET; a leading @ means the abstract name space.
 * @returns what sends `READY=1`, `STATUS=…`, `WATCHDOG=1`; nothing happens where systemd did not ask.
 */
export function openNotify(path: string | undefined, libc: Libc | undefined): Notify {
  if (path === undefined || libc === undefined || !/^[/@]/.test(path) || Buffer.byteLength(path) > 107) return () => {};
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  const length = 2 + address.write(path.startsWith("@") ? `\0${path.slice(1)}` : path, 2);
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  return (state) => {
    const bytes = Buffer.from(state);
    libc.sendto(fd, bytes, bytes.length, MSG_DONTWAIT_NOSIGNAL, address, length);
  };
}
