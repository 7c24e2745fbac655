// One GET over a plain socket, its body in large pieces. Edge. run-fetch.ts calls it, and decides what an answer means.
// Not node:http: it runs some sixty functions of JavaScript for each read of the network, and the agent's Node interprets them
// (--lite-mode). Here the kernel fills one buffer of 1 MiB, and a function runs for each filling. Source: RFC 9112.
import { connect, type Socket } from "node:net";
import { callFault } from "./fault-reasons.ts";

/** Header names are in small letters. */
export type Head = { status: number; headers: Readonly<Record<string, string | undefined>> };

export type Wanted = {
  headers: Readonly<Record<string, string>>;
  /** Says whether the body is wanted. What it throws ends the download. */
  onHead(head: Head): boolean;
  /** The body's next bytes: at most 4 MiB, at least once a second. The buffer is used again once the promise is kept. */
  take(bytes: Uint8Array): Promise<void>;
  /** A line on which nothing comes for this long is taken for broken. */
  stallMs: number;
  signal: AbortSignal;
};

const READ_BYTES = 1024 * 1024;
const PIECE_BYTES = 4 * 1024 * 1024;
const TAKE_EVERY_MS = 1000;
const MOST_HEAD_BYTES = 64 * 1024;
const HEAD_END = "\r\n\r\n";
const [ECONNRESET, ETIMEDOUT, EPROTO] = [104, 110, 71];

/**
 * Gets a URL. Resolves at the end of the body, or when it is not wanted. What came before a line broke is taken first.
 * @param url http alone. Redirects are not followed: the appliance sends none.
 * @throws what `onHead` and `take` throw; Node's form of a network fault; EPROTO for what is no HTTP, or comes in chunks.
 */
export function download(url: string, wanted: Wanted): Promise<void> {
  return new Promise((resolve, reject) => {
    const line = new Line(new URL(url), wanted, (fault) => (fault === undefined ? resolve() : reject(fault)));
    const stop = () => line.end(wanted.signal.reason);
    if (wanted.signal.aborted) return stop();
    wanted.signal.addEventListener("abort", stop, { once: true });
    line.closed.then(() => wanted.signal.removeEventListener("abort", stop));
  });
}

class Line {
  readonly closed: Promise<void>;
  readonly #wanted: Wanted;
  readonly #socket: Socket;
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #fill = 0;
  #takenMs = performance.now();
  #head: string | undefined = "";
  /** Bytes of the body that are to come; undefined: until the line ends. */
  #left: number | undefined;
  #taking: Promise<void> | undefined;
  #isOver = false;
  #fault: unknown;

  /** @param settle called once, when the socket is closed and all that came is taken. */
  constructor(url: URL, wanted: Wanted, settle: (fault: unknown) => void) {
    this.#wanted = wanted;
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (length: number, buffer: Uint8Array) => this.#read(buffer.subarray(0, length)),
    };
    const host = url.hostname.replace(/^\[|\]$/g, "");
    this.#socket = connect({ host, port: Number(url.port || 80), onread });
    this.#socket.setTimeout(wanted.stallMs, () => this.#stalled());
    this.#socket.on("error", (fault) => this.end(fault));
    this.closed = new Promise((resolve) => this.#socket.once("close", resolve));
    void this.closed.then(() => this.#close()).then(settle);
    this.#socket.write(formatRequest(url, wanted.headers));
  }

  /** Ends it; the first reason counts, and none means that all is here. */
  end(fault?: unknown): void {
    if (!this.#isOver) this.#fault = fault;
    this.#isOver = true;
    this.#socket.destroy();
  }

  /** @returns whether the socket may go on. */
  #read(bytes: Uint8Array): boolean {
    if (this.#isOver) return false;
    try {
      const body = this.#head === undefined ? bytes : this.#readHead(this.#head, bytes);
      if (body !== undefined) this.#keep(body);
    } catch (fault) {
      this.end(fault);
    }
    return this.#taking === undefined && !this.#isOver;
  }

  /** @returns what of the bytes is body; undefined while the head is not whole. */
  #readHead(before: string, bytes: Uint8Array): Uint8Array | undefined {
    const text = before + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const end = text.indexOf(HEAD_END);
    if (end === -1) {
      if (text.length > MOST_HEAD_BYTES) throw callFault("the answer's head does not end", EPROTO);
      this.#head = text;
      return undefined;
    }
    this.#head = undefined;
    const head = parseHead(text.slice(0, end));
    const length = head.headers["content-length"];
    this.#left = length === undefined ? undefined : Number(length);
    if (!this.#wanted.onHead(head)) {
      this.end();
      return undefined;
    }
    if (head.headers["transfer-encoding"] !== undefined) throw callFault("the answer comes in chunks", EPROTO);
    return bytes.subarray(bytes.length - (text.length - end - HEAD_END.length));
  }

  #keep(bytes: Uint8Array): void {
    const mine = this.#left === undefined ? bytes : bytes.subarray(0, this.#left);
    this.#piece.set(mine, this.#fill);
    this.#fill += mine.length;
    if (this.#left !== undefined) this.#left -= mine.length;
    // The close takes the rest.
    if (this.#left === 0) {
      this.end();
      return;
    }
    // The next read must find room for as much as it may bring.
    const isFull = this.#fill > PIECE_BYTES - READ_BYTES;
    if (isFull || performance.now() - this.#takenMs >= TAKE_EVERY_MS) void this.#take().then(() => this.#goOn());
  }

  /** Never throws: a fault of the taker ends the line. */
  #take(): Promise<void> {
    const bytes = this.#piece.subarray(0, this.#fill);
    this.#fill = 0;
    this.#taking = this.#wanted
      .take(bytes)
      .catch((fault: unknown) => {
        this.#isOver = false;
        this.end(fault);
      })
      .finally(() => {
        this.#taking = undefined;
        this.#takenMs = performance.now();
      });
    return this.#taking;
  }

  #goOn(): void {
    if (this.#isOver) return;
    this.#socket.setTimeout(this.#wanted.stallMs);
    this.#socket.resume();
  }

  /** A disk that is slow is no line that is broken. */
  #stalled(): void {
    if (this.#taking !== undefined) return;
    this.end(callFault(`nothing came for ${this.#wanted.stallMs / 1000} s`, ETIMEDOUT));
  }

  async #close(): Promise<unknown> {
    await this.#taking;
    if (!this.#isOver) this.#fault = this.#whyShort();
    this.#isOver = true;
    // A line that breaks again and again gets on by what came each time. Whoever stopped it wants nothing any more.
    if (this.#fill > 0 && !this.#wanted.signal.aborted) await this.#take();
    return this.#fault;
  }

  /** The other side ended it. */
  #whyShort(): unknown {
    const isWhole = this.#head === undefined && (this.#left ?? 0) === 0;
    return isWhole ? undefined : callFault("the line broke", ECONNRESET);
  }
}

function formatRequest(url: URL, headers: Readonly<Record<string, string>>): string {
  const fields = { host: url.host, connection: "close", "accept-encoding": "identity", ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return [`GET ${url.pathname}${url.search} HTTP/1.1`, ...lines, "", ""].join("\r\n");
}

/** @param text without the empty line at its end. @throws EPROTO. */
export function parseHead(text: string): Head {
  const [first = "", ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})( |$)/.exec(first)?.[1];
  if (status === undefined) throw callFault("the answer is no HTTP", EPROTO);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  if (!/^\d{1,15}$/.test(headers["content-length"] ?? "0")) throw callFault("the answer has no length", EPROTO);
  return { status: Number(status), headers };
}
