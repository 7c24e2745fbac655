// openImageSource against a server on the loopback that breaks off, is away, lies about lengths, or has another file.
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type ImageSource, openImageSource } from "../../../node-agent/install/run-fetch.ts";

const BYTES = randomBytes(300_000);
const SIZED = { bytes: BYTES.length, sha256: createHash("sha256").update(BYTES).digest("hex") };

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
let server: Server | undefined;
let stop = new AbortController();
afterEach(() => {
  stop.abort();
  server?.closeAllConnections();
  server?.close();
});

/** A source whose server gives these answers one after the other, the last one for ever. */
async function sourceWith(...answers: Answer[]): Promise<{ source: ImageSource; asked: string[]; waits: string[] }> {
  const asked: string[] = [];
  const waits: string[] = [];
  stop = new AbortController();
  server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.range ?? "whole"} ${request.headers["if-range"] ?? ""}`.trim());
    (answers.length > 1 ? answers.shift()! : answers[0]!)(request, response);
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  const source = openImageSource(`http://127.0.0.1:${(server.address() as AddressInfo).port}/image/x/`, {
    wait: async () => void (waits.length > 20 && stop.abort()),
    chance: () => 0,
    signal: stop.signal,
    onWait: (reason) => reason !== undefined && waits.push(reason),
  });
  return { source, asked, waits };
}

const fromOf = (request: IncomingMessage) => Number(/=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
/** Serves as an appliance does; `most` bytes, then the line breaks. */
const serve =
  (bytes = BYTES, etag = '"a"', most = Number.POSITIVE_INFINITY): Answer =>
  (request, response) => {
    const isSame = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
    const from = isSame ? fromOf(request) : 0;
    const range = from === 0 ? {} : { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(from === 0 ? 200 : 206, { etag, "content-length": bytes.length - from, ...range });
    if (most > bytes.length) return void response.end(bytes.subarray(from));
    response.write(bytes.subarray(from, from + most), () => response.destroy());
  };
const status =
  (code: number): Answer =>
  (_, response) =>
    void response.writeHead(code).end();

async function fetched(source: ImageSource, sized = SIZED): Promise<Buffer> {
  let got = Buffer.alloc(0);
  await source.stream("uki", sized, async (bytes, at) => {
    expect(at === 0 || at === got.length).toBe(true);
    got = Buffer.concat([got.subarray(0, at), bytes]);
  });
  return got;
}

describe("stream", () => {
  test("goes on at the byte where the line broke, with If-Range", async () => {
    const { source, asked, waits } = await sourceWith(
      serve(BYTES, '"a"', 100_000),
      serve(BYTES, '"a"', 50_000),
      serve(),
    );
    expect((await fetched(source)).equals(BYTES)).toBe(true);
    expect(asked[0]).toBe("/image/x/uki whole");
    expect(asked.slice(1).every((each) => /^\/image\/x\/uki bytes=\d+- "a"$/.test(each))).toBe(true);
    expect(asked).toHaveLength(3);
    expect(waits).toEqual(Array(2).fill("waits for the appliance (the line broke)"));
  });
  test("begins anew when the file became another one", async () => {
    const other = randomBytes(BYTES.length);
    const { source } = await sourceWith(serve(other, '"b"', 100_000), serve());
    expect((await fetched(source)).equals(BYTES)).toBe(true);
  });
  test("waits while the appliance has trouble, and goes on by itself", async () => {
    const { source, waits } = await sourceWith(status(503), status(429), status(500), serve());
    expect((await fetched(source)).equals(BYTES)).toBe(true);
    expect(waits.map((each) => /\((.*)\)/.exec(each)?.[1])).toEqual([
      "it answered 503",
      "it answered 429",
      "it answered 500",
    ]);
  });
  test("begins anew after an answer from another place", async () => {
    const lie: Answer = (_, response) => void response.writeHead(206, { "content-range": "bytes 7-8/9" }).end("xx");
    const { source } = await sourceWith(serve(BYTES, '"a"', 100_000), lie, serve());
    expect((await fetched(source)).equals(BYTES)).toBe(true);
  });
  const REFUSED: [string, Answer, Buffer, RegExp][] = [
    ["a file that is not there", status(404), BYTES, /uki: the appliance answered 404/],
    ["a redirect", status(302), BYTES, /answered 302/],
    [
      "a file that is longer",
      serve(Buffer.concat([BYTES, BYTES])),
      BYTES,
      /more than the 300000 bytes that the signed/,
    ],
  ];
  for (const [name, answer, , says] of REFUSED) {
    test(`refuses ${name}`, async () => {
      const { source } = await sourceWith(answer);
      await expect(fetched(source)).rejects.toThrow(says);
    });
  }
  test("refuses a byte that was flipped on its way", async () => {
    const flipped = Buffer.from(BYTES);
    flipped[123_456]! ^= 1;
    const { source } = await sourceWith(serve(flipped));
    await expect(fetched(source)).rejects.toThrow(/came with SHA-256 .*; the signed manifest says/);
  });
  test("a fault of the disk is told as it is, not waited for", async () => {
    const { source, asked } = await sourceWith(serve());
    const full = Object.assign(new Error("full"), { code: "ENOSPC" });
    await expect(source.stream("uki", SIZED, () => Promise.reject(full))).rejects.toBe(full);
    expect(asked).toHaveLength(1);
  });
  test("waits for a file that is shorter than the manifest says: it may still grow", async () => {
    const { source, waits } = await sourceWith(serve(BYTES.subarray(0, 1000)), serve());
    expect((await fetched(source)).equals(BYTES)).toBe(true);
    expect(waits[0]).toContain("the line ended at byte 1000 of 300000");
  });
  test("stops at the signal", async () => {
    const { source } = await sourceWith(status(503));
    await expect(fetched(source)).rejects.toThrow(/abort/i);
  });
});

test("small fetches a part once", async () => {
  const { source, asked } = await sourceWith(serve());
  expect((await source.small("loader", SIZED)).equals(BYTES)).toBe(true);
  await source.small("loader", SIZED);
  expect(asked).toHaveLength(1);
  await expect(source.small("uki", { ...SIZED, bytes: 9_000_000 })).rejects.toThrow(/up to 8388608 are expected/);
});

test("whole refuses more than was asked for", async () => {
  const { source } = await sourceWith(serve());
  await expect(source.whole("manifest.json", 1000)).rejects.toThrow(/has more than 1000 bytes/);
  expect((await source.whole("manifest.json", 300_000)).equals(BYTES)).toBe(true);
});
