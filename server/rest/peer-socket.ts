// Who is at the other end of a Unix socket: the kernel's word (SO_PEERCRED), not the caller's. Edge.
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { FastifyRequest } from "fastify";
import koffi from "koffi";
import type { Actor } from "../../inventory/port.ts";
import { SlipwayError } from "../contract/errors.ts";

/** The process that called connect(2), as it was then. */
export type Peer = { pid: number; uid: number; gid: number };

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

const libc = koffi.load("libc.so.6");
const getsockopt = libc.func(
  "int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ uint32_t *length)",
);

/**
 * The peer of an accepted Unix socket.
 * @returns undefined when it is no Unix socket, is closed, or hides its descriptor. Node has no public way to a socket's
 *   descriptor: `_handle.fd` is the only one (true for Node 24.21), so its absence must be an answer, not a crash.
 */
export function findPeer(socket: Socket): Peer | undefined {
  const fd = (socket as { _handle?: { fd?: unknown } | null })._handle?.fd;
  if (typeof fd !== "number" || fd < 0) return undefined;
  const credentials = Buffer.alloc(12); // struct ucred: pid, uid, gid
  const length = [credentials.length];
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0 || length[0] !== 12) return undefined;
  const uid = credentials.readUInt32LE(4);
  // For a TCP socket the kernel says "nobody at all": pid 0 and uid -1.
  return uid === 0xffffffff ? undefined : { pid: credentials.readInt32LE(0), uid, gid: credentials.readUInt32LE(8) };
}

/**
 * The actor of a request for the audit log: `uid 1000 (anna)`.
 * @throws NOT_ALLOWED when the kernel does not say who it is: no change without a name.
 */
export function actorOfPeer(request: FastifyRequest): Actor {
  const peer = findPeer(request.raw.socket);
  if (peer === undefined) throw new SlipwayError("NOT_ALLOWED", "the system does not say which user sent this request");
  const name = findUserName(peer.uid);
  return name === undefined ? `uid ${peer.uid}` : `uid ${peer.uid} (${name})`;
}

/** Users of a directory service are not in this file; their number alone is enough to find them. */
function findUserName(uid: number): string | undefined {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  return lines.find((line) => line.split(":")[2] === String(uid))?.split(":")[0];
}
