// Listens for the boot app on one served address. Called by server/main.ts, once per address. The times are firmware's:
// EDK2 pauses between HEAD and GET, and a gigabyte over a slow link takes as long as it takes (pxe.md 5).
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../contract/errors.ts";

export type BootListener = {
  address: string;
  port: number;
  /** Stops listening, lets running answers go on for `graceMs`, then cuts them. */
  close(graceMs?: number): Promise<void>;
};

const KEEP_ALIVE_MS = 65_000;
/** A connection on which nothing moves: a machine that lost its power in the middle of a download. */
const IDLE_MS = 300_000;
const MAX_CONNECTIONS = 4096;
/** iPXE has one or two, a browser six, a NAT with a rack behind it some dozens. Else one laptop could take all of them. */
const MAX_PER_SOURCE = 256;

/** @throws PORT_IN_USE, NO_PERMISSION, NO_INTERFACE naming address and port. */
export async function listenBoot(app: FastifyInstance, at: { address: string; port: number }): Promise<BootListener> {
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: KEEP_ALIVE_MS + 1000, requestTimeout: 0 },
    (request, response) => app.routing(request, response),
  );
  server.timeout = IDLE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  boundSources(server);
  await new Promise<void>((resolve, reject) => {
    // Stays for good: a later fault (no descriptor left for a new connection) passes, and must not end the appliance.
    server.on("error", (cause: NodeJS.ErrnoException) => reject(asFault(cause, at)));
    server.listen({ host: at.address, port: at.port, backlog: 1024 }, resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return { address, port, close: (graceMs = 0) => close(server, graceMs) };
}

/** Cuts connections beyond {@link MAX_PER_SOURCE} of one address. */
function boundSources(server: Server): void {
  const open = new Map<string, number>();
  server.on("connection", (socket) => {
    const ip = socket.remoteAddress ?? "";
    const count = (open.get(ip) ?? 0) + 1;
    open.set(ip, count);
    socket.once("close", () => {
      const left = (open.get(ip) ?? 1) - 1;
      if (left === 0) open.delete(ip);
      else open.set(ip, left);
    });
    if (count > MAX_PER_SOURCE) socket.destroy();
  });
}

async function close(server: Server, graceMs: number): Promise<void> {
  const isClosed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await isClosed;
  clearTimeout(timer);
}

function asFault(cause: NodeJS.ErrnoException, { address, port }: { address: string; port: number }): SlipwayError {
  const where = `HTTP, TCP ${address}:${port}`;
  if (cause.code === "EADDRINUSE") {
    return new SlipwayError("PORT_IN_USE", `${where}: another program holds this port`, { cause });
  }
  if (cause.code === "EACCES") {
    const remedy =
      "Run it as root (sudo), give the service CAP_NET_BIND_SERVICE, or choose an http.port of 1024 or more.";
    return new SlipwayError("NO_PERMISSION", `${where}: this user may not open a port below 1024`, { cause, remedy });
  }
  if (cause.code === "EADDRNOTAVAIL") {
    return new SlipwayError("NO_INTERFACE", `${where}: no interface of this machine has the address ${address}`, {
      cause,
    });
  }
  return new SlipwayError("INTERNAL", `${where}: ${cause.message}`, { cause });
}
