// The UDP sockets of TFTP: the request port of an address, and a transfer's own port. Called by server.ts.
// A transfer's port has two sockets. One is connected to its client: the kernel gives it only that client's packets and
// tells it of ICMP "port unreachable". The other, unconnected, gets what anybody else sends there: a wrong TID, which is
// answered with ERROR 5 without touching the transfer (RFC 1350 §4).
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { SlipwayError } from "../contract/errors.ts";
import { encodePacket, TFTP_ERROR } from "./packet.ts";

export type Endpoint = { address: string; port: number };
export type Listener = Endpoint & {
  send(parts: readonly Uint8Array[], to: Endpoint): void;
  close(): void;
};
export type Channel = { send(parts: readonly Uint8Array[]): void; close(): void };

const WRONG_TID = encodePacket({
  kind: "error",
  code: TFTP_ERROR.unknownTransfer,
  message: "This port serves another transfer",
});

/** Addresses are always literals here: no resolver, and no turn of the event loop per packet. */
const literal = (host: string, _options: unknown, done: (error: null, address: string, family: number) => void) =>
  done(null, host, 4);

/**
 * Opens an unconnected port on one local address.
 *
 * @param port 0 lets the kernel choose.
 * @throws PORT_IN_USE, NO_PERMISSION, NO_INTERFACE naming address and port.
 */
export async function openListener(
  address: string,
  port: number,
  onMessage: (bytes: Uint8Array, from: RemoteInfo) => void,
): Promise<Listener> {
  const socket = createSocket({ type: "udp4", lookup: literal });
  try {
    await bound(socket, address, port);
  } catch (cause) {
    throw asFault(cause as NodeJS.ErrnoException, address, port);
  }
  socket.on("message", onMessage);
  // ICMP answers to what we sent from here: the client is gone, and there is nothing to stop.
  socket.on("error", () => {});
  return {
    address,
    port: socket.address().port,
    send: (parts, to) => socket.send(parts, to.port, to.address, () => {}),
    close: () => socket.close(),
  };
}

export type ChannelOptions = {
  local: Endpoint;
  peer: Endpoint;
  onPacket(bytes: Uint8Array): void;
  /** A packet of somebody else on this port; it was answered. */
  onStray(from: Endpoint): void;
  onUnreachable(): void;
};

/** Opens a transfer's port. Rejects with the system's error (EADDRINUSE: try another port). */
export async function openChannel(options: ChannelOptions): Promise<Channel> {
  const { local, peer } = options;
  const guard = createSocket({ type: "udp4", reuseAddr: true, lookup: literal });
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const close = () => {
    for (const one of [guard, socket]) one.close();
  };
  try {
    await bound(guard, local.address, local.port);
    await bound(socket, local.address, local.port);
    await connected(socket, peer);
  } catch (cause) {
    close();
    throw cause;
  }
  guard.on("error", () => {});
  guard.on("message", (bytes, from) => {
    options.onStray(from);
    // An ERROR is never answered: two such servers would talk for ever.
    if (bytes[1] !== 5) guard.send(WRONG_TID, from.port, from.address, () => {});
  });
  socket.on("message", options.onPacket);
  socket.on("error", (error: NodeJS.ErrnoException) => {
    // Others (a full queue, an address that went away) are what the retransmission timer is for.
    if (error.code === "ECONNREFUSED") options.onUnreachable();
  });
  return { send: (parts) => socket.send(parts), close };
}

function bound(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off("error", reject);
      resolve();
    });
  });
}

function connected(socket: Socket, peer: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.connect(peer.port, peer.address, (error?: Error) => (error ? reject(error) : resolve()));
  });
}

function asFault(cause: NodeJS.ErrnoException, address: string, port: number): SlipwayError {
  const where = `TFTP, UDP ${address}:${port}`;
  if (cause.code === "EADDRINUSE") {
    return new SlipwayError("PORT_IN_USE", `${where}: another program holds this port`, { cause });
  }
  if (cause.code === "EACCES" || cause.code === "EPERM") {
    const remedy = "Run it as root (sudo), or give the service CAP_NET_BIND_SERVICE.";
    return new SlipwayError("NO_PERMISSION", `${where}: this user may not open a port below 1024`, { cause, remedy });
  }
  if (cause.code === "EADDRNOTAVAIL") {
    return new SlipwayError("NO_INTERFACE", `${where}: no interface of this machine has the address ${address}`, {
      cause,
    });
  }
  return new SlipwayError("INTERNAL", `${where}: ${cause.message}`, { cause });
}
