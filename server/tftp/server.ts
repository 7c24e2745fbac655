// The TFTP server: one request port per served address, one transfer per request. Called by server/main.ts. It decides
// nothing about the protocol (packet.ts, options.ts, names.ts, transfer.ts do), and keeps no books (transfer-book.ts,
// report.ts do): it brings datagrams to those who know.
import { randomInt } from "node:crypto";
import type { Ipv4, Mac } from "../../inventory/address.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { TokenBuckets } from "./flood.ts";
import { LocalPorts, type PortRange } from "./local-ports.ts";
import { normaliseName } from "./names.ts";
import { type Channel, type Endpoint, type Listener, openChannel, openListener } from "./open-socket.ts";
import { DEFAULT_LIMITS, maxBlockBytesFor, negotiateOptions } from "./options.ts";
import { decodePacket, encodePacket, TFTP_ERROR, type TftpPacket } from "./packet.ts";
import { Report } from "./report.ts";
import { RunningTransfer } from "./run-transfer.ts";
import { type BookLimits, type Entry, TransferBook } from "./transfer-book.ts";

export type TftpFile = { kind: "file"; bytes: Uint8Array } | { kind: "missing" };
/** Finds the contents of a normalised name (no leading slash, no `..`). May throw: a fault is ERROR 1 and a log line. */
export type OpenTftpFile = (name: string, peer: { localIp: Ipv4; clientIp: Ipv4 }) => Promise<TftpFile>;

/** A served address; `mtu` of its link bounds the block size. */
export type TftpAddress = { ip: Ipv4; mtu?: number };
/** Where transfers are answered from; `single-port` breaks RFC 1350, for firewalls that know no TFTP. */
export type TftpPorts = ({ kind: "range" } & PortRange) | { kind: "single-port" };

export type TftpOptions = {
  addresses: readonly TftpAddress[];
  ports: TftpPorts;
  open: OpenTftpFile;
  /** Which machine holds an address, for its timeline. */
  macOf: (ip: Ipv4) => Mac | undefined;
  log: Log;
  record: RecordEvent;
  /** Called when a client has a file, whole. */
  onDone?: (name: string, clientIp: Ipv4) => void;
  /** Request port; 69. 0 lets the kernel choose (tests). */
  port?: number;
  limits?: BookLimits;
};

export type TftpStatus = {
  running: number;
  requests: number;
  done: number;
  missing: number;
  failed: number;
  dropped: number;
};
export type TftpServer = {
  /** @throws PORT_IN_USE, NO_PERMISSION, NO_INTERFACE. */
  addAddress(address: TftpAddress): Promise<void>;
  removeAddress(ip: Ipv4): void;
  /** Where it listens. */
  listening(): Endpoint[];
  status(): TftpStatus;
  close(): void;
};

/** Opens the request ports. @throws PORT_IN_USE, NO_PERMISSION, NO_INTERFACE for the first address that cannot be served. */
export async function serveTftp(options: TftpOptions): Promise<TftpServer> {
  const server = new Server(options);
  try {
    for (const address of options.addresses) await server.addAddress(address);
  } catch (cause) {
    server.close();
    throw cause;
  }
  return server;
}

const LIMITS: BookLimits = { perClient: 16, total: 1024 };
/** A Pi reads some 50 files per boot, GRUB probes 30 names: far below this; a flood is far above. */
const REQUESTS = { burst: 300, perSecond: 100, maxKeys: 4096 };
const PORT_TRIES = 20;

type ReadRequest = Extract<TftpPacket, { kind: "read" | "write" }>;
/** One served address: its request port, and a port that refusals come from (a fresh TID, as other servers do). */
type Served = {
  ip: Ipv4;
  maxBlockBytes: number;
  listener: Listener;
  refusals: Listener;
  /** Undefined in single-port mode. */
  ports: LocalPorts | undefined;
};

class Server implements TftpServer {
  readonly #options: TftpOptions;
  readonly #served = new Map<Ipv4, Served>();
  /** Keyed by local address, client address and client port: a client port can have one transfer (rpi-eeprom #74). */
  readonly #book: TransferBook<RunningTransfer>;
  readonly #requests = new TokenBuckets(REQUESTS);
  readonly #report: Report;

  constructor(options: TftpOptions) {
    this.#options = options;
    this.#book = new TransferBook(options.limits ?? LIMITS);
    this.#report = new Report(options);
  }

  async addAddress({ ip, mtu }: TftpAddress): Promise<void> {
    if (this.#served.has(ip)) return;
    const { port = 69, ports } = this.#options;
    const listener = await openListener(ip, port, (bytes, from) => this.#onDatagram(ip, bytes, from));
    try {
      const refusals = ports.kind === "range" ? await openListener(ip, 0, () => {}) : listener;
      const own = ports.kind === "range" ? new LocalPorts(ports, randomInt(65_536)) : undefined;
      this.#served.set(ip, { ip, maxBlockBytes: maxBlockBytesFor(mtu ?? 1500), listener, refusals, ports: own });
    } catch (cause) {
      listener.close();
      throw cause;
    }
  }

  removeAddress(ip: Ipv4): void {
    const served = this.#served.get(ip);
    if (served === undefined) return;
    this.#served.delete(ip);
    this.#book.endAll((key) => key.startsWith(`${ip} `));
    for (const listener of new Set([served.listener, served.refusals])) listener.close();
  }

  listening(): Endpoint[] {
    return [...this.#served.values()].map(({ listener: { address, port } }) => ({ address, port }));
  }

  status(): TftpStatus {
    return { running: this.#book.size, ...this.#report.counts };
  }

  close(): void {
    for (const ip of [...this.#served.keys()]) this.removeAddress(ip);
  }

  /** Nothing that a datagram holds may leave this function as an error. */
  #onDatagram(ip: Ipv4, bytes: Uint8Array, from: Endpoint): void {
    const served = this.#served.get(ip);
    if (served === undefined || from.port === 0) return; // port 0 cannot be answered
    try {
      this.#onPacket(served, decodePacket(bytes), from);
    } catch (cause) {
      this.#report.dropped("malformed", from, (cause as Error).message);
    }
  }

  #onPacket(served: Served, packet: TftpPacket, from: Endpoint) {
    const isSinglePort = served.ports === undefined;
    if (packet.kind !== "read" && packet.kind !== "write") {
      if (isSinglePort) return this.#book.find(keyOf(served, from))?.transfer?.receive(packet);
      // Old Pi firmware sends its "Early terminate" here (firmware #1025), and an ERROR is never answered.
      if (packet.kind === "error") return;
    }
    if (!this.#requests.take(from.address, performance.now())) {
      return this.#report.dropped("flood", from, "it asks more often than any firmware does");
    }
    if (packet.kind === "read") return this.#onRead(served, packet, from);
    if (packet.kind === "write") return refuse(served, from, TFTP_ERROR.access, "This server is read-only");
    refuse(served, from, TFTP_ERROR.unknownTransfer, "No transfer runs on this port");
  }

  #onRead(served: Served, packet: ReadRequest, from: Endpoint) {
    this.#report.counts.requests++;
    // Only mail is refused: clients that say netascii want the bytes all the same (pxe.md 4.4).
    if (packet.mode.toLowerCase() === "mail")
      return refuse(served, from, TFTP_ERROR.illegal, "Mail mode is not served");
    const decision = normaliseName(packet.name);
    if (decision.kind === "refused") {
      this.#report.refused(packet.name, from.address, decision.reason);
      return refuse(served, from, decision.code, decision.reason);
    }
    const key = keyOf(served, from);
    const old = this.#book.find(key);
    if (old !== undefined && old.name === decision.name && old.transfer?.hasFirstAck !== true) {
      // It saw no answer yet. A second transfer beside the first one makes Pis fail (rpi-eeprom #74, firmware #1700).
      return old.transfer?.tell({ kind: "asked-again" });
    }
    if (old !== undefined) this.#book.end(key, old);
    if (!this.#book.makeRoom(from.address, performance.now())) {
      return this.#report.dropped("full", from, "too many transfers run already");
    }
    const entry: Entry<RunningTransfer> = {
      name: decision.name,
      clientIp: from.address,
      startedAtMs: performance.now(),
      release: () => {},
    };
    this.#book.add(key, entry);
    this.#begin(served, key, entry, packet, from).catch((cause: Error) => {
      if (this.#book.find(key) !== entry) return;
      this.#book.end(key, entry);
      this.#report.fault(entry.name, from.address, cause);
      refuse(served, from, TFTP_ERROR.missing, "The file cannot be read; the server's log says why");
    });
  }

  /** Opens the file, then its sockets, then lets it run. A missing file is ERROR 1 before any OACK (hooktftp #12). */
  async #begin(served: Served, key: string, entry: Entry<RunningTransfer>, packet: ReadRequest, from: Endpoint) {
    const isCurrent = () => this.#book.find(key) === entry;
    const file = await this.#options.open(entry.name, { localIp: served.ip, clientIp: from.address });
    if (!isCurrent()) return;
    if (file.kind === "missing") {
      this.#book.end(key, entry);
      this.#report.missing(entry.name, from.address);
      return refuse(served, from, TFTP_ERROR.missing, "File not found");
    }
    const channel = await this.#openChannel(served, entry, from);
    if (!isCurrent()) return entry.release();
    if (channel === undefined) {
      this.#book.end(key, entry);
      return this.#report.dropped("ports", from, "no UDP port of tftp.portRange is free");
    }
    const limits = { ...DEFAULT_LIMITS, maxBlockBytes: served.maxBlockBytes };
    let wasStarted = false;
    entry.transfer = new RunningTransfer({
      bytes: file.bytes,
      negotiated: negotiateOptions(packet.options, file.bytes.length, limits),
      send: channel.send,
      onFirstAck: () => {
        wasStarted = true;
        this.#report.started(entry.name, from.address, file.bytes.length);
      },
      onEnd: (end) => {
        this.#book.end(key, entry);
        this.#report.ended(entry.name, from.address, file.bytes.length, end, wasStarted);
      },
    });
  }

  /** The way to the client; undefined when every port is taken. What it holds goes back by `entry.release`. */
  async #openChannel(
    { ip, listener, ports }: Served,
    entry: Entry<RunningTransfer>,
    peer: Endpoint,
  ): Promise<Channel | undefined> {
    if (ports === undefined) return { send: (parts) => listener.send(parts, peer), close: () => {} };
    for (let tries = 0; tries < PORT_TRIES; tries++) {
      const port = ports.take();
      if (port === undefined) return undefined;
      try {
        const channel = await openChannel({
          local: { address: ip, port },
          peer,
          onPacket: (bytes) => this.#onTransferPacket(entry, bytes, peer),
          onStray: (from) => this.#report.dropped("stray", from, `port ${port} serves ${peer.address}:${peer.port}`),
          onUnreachable: () => entry.transfer?.tell({ kind: "unreachable" }),
        });
        entry.release = () => {
          entry.release = () => {};
          channel.close();
          ports.free(port);
        };
        return channel;
      } catch (cause) {
        ports.free(port);
        if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw cause;
      }
    }
    return undefined;
  }

  #onTransferPacket(entry: Entry<RunningTransfer>, bytes: Uint8Array, from: Endpoint): void {
    try {
      entry.transfer?.receive(decodePacket(bytes));
    } catch (cause) {
      this.#report.dropped("malformed", from, (cause as Error).message);
    }
  }
}

const keyOf = (served: Served, from: Endpoint) => `${served.ip} ${from.address} ${from.port}`;

const refuse = (served: Served, to: Endpoint, code: number, message: string) =>
  served.refusals.send([encodePacket({ kind: "error", code, message })], to);
