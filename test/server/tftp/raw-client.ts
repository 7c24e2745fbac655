// A TFTP client for tests that says exactly what it is told, and a server on loopback with recorded events.
import { createSocket } from "node:dgram";
import type { AddressInfo } from "node:net";
import { decodePacket, encodePacket, type OptionPair, type TftpPacket } from "../../../server/tftp/packet.ts";
import { type OpenTftpFile, serveTftp, type TftpOptions } from "../../../server/tftp/server.ts";

export type Heard = { packet: TftpPacket; bytes: Buffer; port: number };
export type RawClient = Awaited<ReturnType<typeof rawClient>>;

/** Opens a client port. `next` waits for one packet; it fails after `waitMs`, so that no test waits for ever. */
export async function rawClient(address = "127.0.0.1", port = 0) {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(port, address, resolve));
  const heard: Heard[] = [];
  let wake: (() => void) | undefined;
  socket.on("message", (bytes, from) => {
    heard.push({ packet: decodePacket(bytes), bytes, port: from.port });
    wake?.();
  });
  return {
    port: (socket.address() as AddressInfo).port,
    heard,
    send(packet: TftpPacket | Uint8Array, to: number, toAddress = "127.0.0.1") {
      socket.send(packet instanceof Uint8Array ? packet : encodePacket(packet), to, toAddress);
    },
    async next(waitMs = 5000): Promise<Heard> {
      if (heard.length === 0) {
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error(`no packet in ${waitMs} ms`)), waitMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return heard.shift()!;
    },
    close: () => socket.close(),
  };
}

export const readRequest = (name: string, ...options: OptionPair[]): TftpPacket => ({
  kind: "read",
  name,
  mode: "octet",
  options,
});

/** Reads a whole file as a well-behaved client does. */
export async function fetchFile(client: RawClient, serverPort: number, name: string, ...options: OptionPair[]) {
  client.send(readRequest(name, ...options), serverPort);
  let blockBytes = 512;
  let windowBlocks = 1;
  let { packet, port } = await client.next();
  let oack: OptionPair[] | undefined;
  if (packet.kind === "error") return { error: packet, bytes: Buffer.alloc(0), port, oack };
  if (packet.kind === "oack") {
    oack = packet.options;
    const value = (wanted: string) => packet.kind === "oack" && packet.options.find(([key]) => key === wanted)?.[1];
    blockBytes = Number(value("blksize") || 512);
    windowBlocks = Number(value("windowsize") || 1);
    client.send({ kind: "ack", block: 0 }, port);
    packet = (await client.next()).packet;
  }
  const parts: Uint8Array[] = [];
  let inWindow = 0;
  for (let block = 1; ; block++) {
    while (packet.kind === "data" && packet.block !== (block & 0xffff)) {
      inWindow = 0;
      client.send({ kind: "ack", block: (block - 1) & 0xffff }, port); // it came twice, or one before it is missing
      packet = (await client.next()).packet;
    }
    if (packet.kind !== "data") throw new Error(`${packet.kind} instead of block ${block}`);
    parts.push(packet.data);
    const isLast = packet.data.length < blockBytes;
    inWindow++;
    if (isLast || inWindow >= windowBlocks) {
      inWindow = 0;
      client.send({ kind: "ack", block: block & 0xffff }, port);
    }
    if (isLast) return { error: undefined, bytes: Buffer.concat(parts), port, oack };
    packet = (await client.next()).packet;
  }
}

export type Recorded = { kind: string; mac?: string; detail?: Record<string, unknown> };

/** A server on 127.0.0.1 with files by name. */
export async function testServer(files: Record<string, Uint8Array>, over: Partial<TftpOptions> = {}) {
  const events: Recorded[] = [];
  const lines: string[] = [];
  const line = (text: string) => void lines.push(text);
  let onEvent: (() => void) | undefined;
  const open: OpenTftpFile = async (name) =>
    Object.hasOwn(files, name) ? { kind: "file", bytes: files[name]! } : { kind: "missing" };
  const server = await serveTftp({
    addresses: [{ ip: "127.0.0.1" }],
    ports: { kind: "range", first: 20_000, last: 29_999 },
    port: 0,
    open,
    macOf: () => "52:54:00:12:34:56",
    log: { debug: line, info: line, warn: line, error: line },
    record: (event) => {
      events.push(event as Recorded);
      onEvent?.();
    },
    ...over,
  });
  return {
    server,
    port: server.listening()[0]!.port,
    events,
    lines,
    /** Waits until an event of this kind was recorded. */
    async event(kind: string, waitMs = 5000): Promise<Recorded> {
      const until = Date.now() + waitMs;
      for (;;) {
        const found = events.find((event) => event.kind === kind);
        if (found !== undefined) return found;
        if (Date.now() > until) throw new Error(`no ${kind} in ${waitMs} ms; there are ${events.map((e) => e.kind)}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 50);
          onEvent = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
  };
}
