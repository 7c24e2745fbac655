// download() against sockets that say what a test wants: pieces, broken lines, silence, things that are no HTTP.
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { download, parseHead, type Wanted } from "../../../node-agent/install/open-download.ts";

const MIB = 1024 * 1024;
const BYTES = randomBytes(11 * MIB);
let server: Server | undefined;
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server?.close();
});

const OK = (length: number, more = "") => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n${more}\r\n`;

/** What is sent for any request; what came is in `pieces`, and the request in `asked`. */
async function get(serve: (socket: Socket) => void, over: Partial<Wanted> = {}) {
  const got = { pieces: [] as Buffer[], asked: "", statuses: [] as number[], fault: undefined as unknown };
  server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.once("data", (request) => {
      got.asked = request.toString();
      serve(socket);
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  await download(`http://127.0.0.1:${(server.address() as AddressInfo).port}/image/x/uki`, {
    headers: { range: "bytes=7-" },
    onHead: ({ status }) => got.statuses.push(status) > 0,
    take: async (bytes) => void got.pieces.push(Buffer.from(bytes)),
    stallMs: 5000,
    signal: new AbortController().signal,
    ...over,
  }).catch((fault: unknown) => {
    got.fault = fault;
  });
  return got;
}

describe("download", () => {
  test("brings a body in a few large pieces, however small those are that came", async () => {
    const got = await get((socket) => {
      socket.write(OK(BYTES.length));
      for (let at = 0; at < BYTES.length; at += 10_000) socket.write(BYTES.subarray(at, at + 10_000));
    });
    expect(got.fault).toBeUndefined();
    expect(Buffer.concat(got.pieces).equals(BYTES)).toBe(true);
    expect(got.pieces.length).toBeLessThanOrEqual(5);
    expect(got.asked).toMatch(/^GET \/image\/x\/uki HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\nconnection: close\r\n/);
    expect(got.asked).toContain("\r\nrange: bytes=7-\r\n");
  });
  test("reads a head that comes byte by byte, and the body's beginning behind it", async () => {
    const text = `${OK(5)}hello and more than was said`;
    const got = await get(async (socket) => {
      for (const letter of text.slice(0, 30)) {
        socket.write(letter);
        await sleep(1);
      }
      socket.write(text.slice(30));
    });
    expect([got.fault, Buffer.concat(got.pieces).toString()]).toEqual([undefined, "hello"]);
  });
  test("a body without a length ends with the line; one of 0 bytes has no pieces", async () => {
    expect(Buffer.concat((await get((s) => s.end("HTTP/1.1 200 OK\r\n\r\nall"))).pieces).toString()).toBe("all");
    server?.close();
    expect(await get((s) => s.end(OK(0)))).toMatchObject({ fault: undefined, pieces: [] });
  });
  test("gives what came before the line broke, then says so", async () => {
    const got = await get((socket) =>
      socket.write(Buffer.concat([Buffer.from(OK(100)), BYTES.subarray(0, 60)]), () => socket.destroy()),
    );
    expect(got.pieces).toEqual([BYTES.subarray(0, 60)]);
    expect(got.fault).toMatchObject({ code: "ECONNRESET" });
  });
  test("a slow line shows its bytes once a second", async () => {
    const got = await get(async (socket) => {
      socket.write(`${OK(9)}one`);
      await sleep(1100);
      socket.write("two");
      await sleep(50);
      socket.write("six");
    });
    expect(got.pieces.map(String)).toEqual(["onetwo", "six"]);
  });
  test("takes silence for a broken line, but not a disk that is slow", async () => {
    expect((await get((s) => void s.write(`${OK(9)}one`), { stallMs: 60 })).fault).toMatchObject({ code: "ETIMEDOUT" });
    server?.close();
    const slow = await get((s) => void s.write(Buffer.concat([Buffer.from(OK(BYTES.length)), BYTES])), {
      stallMs: 60,
      take: () => sleep(150),
    });
    expect(slow.fault).toBeUndefined();
  });
  test("ends with the taker's fault, at once", async () => {
    const full = Object.assign(new Error("full"), { code: "ENOSPC" });
    let taken = 0;
    const take = async () => {
      taken++;
      throw full;
    };
    const got = await get((s) => void s.write(Buffer.concat([Buffer.from(OK(BYTES.length)), BYTES])), { take });
    expect([got.fault, taken]).toEqual([full, 1]);
  });
  test("a head that is not wanted ends it, and what onHead throws is its fault", async () => {
    expect(await get((s) => s.write(OK(9)), { onHead: () => false })).toMatchObject({ fault: undefined, pieces: [] });
    server?.close();
    const no = new Error("no");
    const onHead = () => {
      throw no;
    };
    expect((await get((s) => s.write(OK(9)), { onHead })).fault).toBe(no);
  });
  test("ends at the signal with its reason, and gives nothing any more", async () => {
    const stop = new AbortController();
    const got = await get(
      (socket) => {
        socket.write(`${OK(9)}one`);
        setTimeout(() => stop.abort(new Error("stopped")), 30);
      },
      { signal: stop.signal },
    );
    expect([got.fault, got.pieces]).toEqual([new Error("stopped"), []]);
  });
  test.each([
    ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"],
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
    ["a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"],
    ["a head without end", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`],
  ])("refuses %s", async (_, text) => {
    expect((await get((s) => s.write(text))).fault).toMatchObject({ code: "EPROTO" });
  });
  test("nobody listens: Node's own fault", async () => {
    const nobody: Wanted = {
      headers: {},
      onHead: () => true,
      take: async () => {},
      stallMs: 1000,
      signal: new AbortController().signal,
    };
    await expect(download("http://127.0.0.1:1/", nobody)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

test("parseHead reads names in small letters, and values without the spaces around them", () => {
  expect(parseHead('HTTP/1.1 206 Partial Content\r\nETag:  "a:b" \r\ncontent-length: 12')).toEqual({
    status: 206,
    headers: { etag: '"a:b"', "content-length": "12" },
  });
});
