// Sends one file over HTTP: headers, conditions, ranges, and what came of it. Shared by image-routes.ts and
// loader-routes.ts. Firmware is picky (pxe.md 2.8, 5): exact Content-Length on HEAD and GET, no chunks, no redirect, no
// empty header, few headers, strong ETag.

import type { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { decideDelivery, type Verdict } from "./conditions.ts";

export type Deliverable = {
  bytes: number;
  sha256: string;
  modifiedMs: number;
  contentType: string;
  /** Streams bytes `start` to `end`, `end` exclusive. */
  read(start: number, end: number): Readable;
};

/** How a GET with a body ended. `isWhole`: the request was for all bytes; `sentBytes`: about what the client has got. */
export type Delivery = {
  isWhole: boolean;
  isComplete: boolean;
  sentBytes: number;
  beganAtMs: number;
  endedAtMs: number;
};

export type DeliveryWatch = { began(isWhole: boolean): void; ended(delivery: Delivery): void };

/** Answers a GET or HEAD with the file, as its conditions say. HEAD and answers without a body are not watched. */
export function deliver(
  request: FastifyRequest,
  reply: FastifyReply,
  file: Deliverable,
  watch: DeliveryWatch,
): FastifyReply {
  const etag = `"${file.sha256}"`;
  const isGet = request.method === "GET";
  const verdict = decideDelivery(isGet ? "GET" : "HEAD", request.headers, { ...file, etag });
  reply.headers({
    etag,
    "last-modified": new Date(file.modifiedMs).toUTCString(),
    "accept-ranges": "bytes",
  });
  if (verdict.kind === "not-modified") return reply.code(304).send();
  if (verdict.kind === "precondition-failed")
    return sayNo(reply, 412, "The file is another version than the one you ask to go on with.\n");
  if (verdict.kind === "unsatisfiable") {
    reply.header("content-range", `bytes */${file.bytes}`);
    return sayNo(reply, 416, `The file has ${file.bytes} bytes.\n`);
  }
  const { start, end } = spanOf(verdict, file.bytes);
  reply.headers({ "content-type": file.contentType, "content-length": end - start });
  if (verdict.kind === "range") reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${file.bytes}`);
  if (!isGet) return reply.send();
  observe(request, reply, verdict.kind === "whole", end - start, watch);
  return reply.send(file.read(start, end));
}

const spanOf = (verdict: Extract<Verdict, { kind: "whole" | "range" }>, bytes: number) =>
  verdict.kind === "range" ? verdict : { start: 0, end: bytes };

const sayNo = (reply: FastifyReply, status: number, text: string) =>
  reply.code(status).header("content-type", "text/plain; charset=utf-8").send(text);

/** Tells the watch how it goes. The socket counts what left: exact when complete, within its buffers when broken off. */
function observe(
  request: FastifyRequest,
  reply: FastifyReply,
  isWhole: boolean,
  bytes: number,
  watch: DeliveryWatch,
): void {
  const { socket } = request.raw;
  const before = socket.bytesWritten;
  const beganAtMs = performance.now();
  watch.began(isWhole);
  reply.raw.once("close", () => {
    const isComplete = reply.raw.writableFinished;
    const left = socket.bytesWritten - socket.writableLength - before;
    const sentBytes = isComplete ? bytes : Math.max(0, Math.min(left, bytes));
    watch.ended({ isWhole, isComplete, sentBytes, beganAtMs, endedAtMs: performance.now() });
  });
}

/** A path that names nothing: app.ts answers it. */
export function notHere(reply: FastifyReply): FastifyReply {
  reply.callNotFound();
  return reply;
}

/** Addresses of both ends, IPv4-mapped ones as IPv4. */
export function peerOf(request: FastifyRequest): { remoteIp: string; localIp: string } {
  const plain = (ip: string | undefined) => (ip ?? "").replace(/^::ffff:/, "");
  return { remoteIp: plain(request.raw.socket.remoteAddress), localIp: plain(request.raw.socket.localAddress) };
}
