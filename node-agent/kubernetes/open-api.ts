// A client for the Kubernetes API and for etcd's JSON gateway: mutual TLS, one connection kept, every request with an end.
// Edge: the network. Used by run-observe.ts, run-duties.ts and open-watch.ts.

import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { StringDecoder } from "node:string_decoder";

export type ApiTarget = {
  /** `https://127.0.0.1:6443` */
  server: string;
  /** PEM. */
  ca: string;
  credential: { crt: string; key: string } | { token: string };
};
/** `failed`: no answer, or one that cannot be read. `refused`: an answer with a status from 400 on. */
export type ApiAnswer<T> =
  | { kind: "ok"; value: T }
  | { kind: "refused"; status: number; reason: string }
  | { kind: "failed"; reason: string };

export type Api = {
  get<T>(path: string, timeoutMs?: number): Promise<ApiAnswer<T>>;
  /** `type`: the media type of `body`; undefined for JSON. */
  send<T>(method: "PATCH" | "PUT" | "POST", path: string, body: unknown, type?: string): Promise<ApiAnswer<T>>;
  /** A stream of lines, until either side ends it. `ok`: it ended as it should. */
  follow(path: string, follower: Follower): Promise<ApiAnswer<undefined>>;
  close(): void;
};
export type Follower = {
  /** @returns whether to go on. */
  line(text: string): boolean;
  /** Without a byte for so long, it is given up. */
  silenceMs: number;
  signal: AbortSignal;
};

const TIMEOUT_MS = 10_000;
/** A list of pods or nodes of a large cluster; beyond that something is wrong. */
const MOST_BYTES = 64 * 2 ** 20;

export function openApi(target: ApiTarget): Api {
  const { ca, credential } = target;
  const own = "crt" in credential ? { cert: credential.crt, key: credential.key } : {};
  const bearer = "token" in credential ? { authorization: `Bearer ${credential.token}` } : {};
  const agent = new Agent({ keepAlive: true, maxSockets: 2, ca, ...own });
  const streams = new Agent({ keepAlive: false, ca, ...own });
  const call = <T>(method: string, path: string, timeoutMs: number, body?: { text: string; type: string }) =>
    new Promise<ApiAnswer<T>>((resolve) => {
      const headers = {
        ...bearer,
        accept: "application/json",
        "user-agent": "slipway",
        ...(body === undefined ? {} : { "content-type": body.type, "content-length": Buffer.byteLength(body.text) }),
      };
      const fail = (reason: string) => resolve({ kind: "failed", reason });
      const call = request(new URL(path, target.server), { method, agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MOST_BYTES) call.destroy(new Error(`the answer has over ${MOST_BYTES} bytes`));
          else chunks.push(chunk);
        });
        response.on("end", () => resolve(read<T>(response.statusCode ?? 0, Buffer.concat(chunks).toString("utf8"))));
        response.on("error", (error) => fail(error.message));
      });
      const timer = setTimeout(() => call.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      call.on("error", (error) => fail(error.message));
      call.on("close", () => clearTimeout(timer));
      call.end(body?.text);
    });
  return {
    get: (path, timeoutMs = TIMEOUT_MS) => call("GET", path, timeoutMs),
    send: (method, path, body, type = "application/json") =>
      call(method, path, TIMEOUT_MS, { text: JSON.stringify(body), type }),
    follow: (path, follower) =>
      new Promise((resolve) => {
        const headers = { ...bearer, accept: "application/json", "user-agent": "slipway" };
        const call = request(new URL(path, target.server), { agent: streams, headers, signal: follower.signal });
        call.setTimeout(follower.silenceMs, () => call.destroy(new Error(`silent for ${follower.silenceMs} ms`)));
        call.on("error", (error) => resolve({ kind: "failed", reason: error.message }));
        call.on("response", (response) => readLines(response, follower, resolve));
        call.end();
      }),
    close: () => {
      agent.destroy();
      streams.destroy();
    },
  };
}

function readLines(response: IncomingMessage, { line }: Follower, end: (answer: ApiAnswer<undefined>) => void): void {
  const status = response.statusCode ?? 0;
  const decoder = new StringDecoder("utf8");
  let text = "";
  response.on("data", (chunk: Buffer) => {
    text += decoder.write(chunk);
    if (text.length > MOST_BYTES) return void response.destroy(new Error(`a line of over ${MOST_BYTES} bytes`));
    if (status !== 200) return;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n")) {
      const first = text.slice(0, at);
      text = text.slice(at + 1);
      if (first.trim() !== "" && !line(first)) return void response.destroy();
    }
  });
  response.on("error", (error) => end({ kind: "failed", reason: error.message }));
  response.on("close", () => {
    const isWhole = status === 200 && response.complete;
    end(
      status === 200
        ? isWhole
          ? { kind: "ok", value: undefined }
          : { kind: "failed", reason: "the connection broke" }
        : read<undefined>(status, text),
    );
  });
}

function read<T>(status: number, text: string): ApiAnswer<T> {
  let value: unknown = text;
  try {
    value = JSON.parse(text);
  } catch {
    // `/readyz` answers in plain words; for everything else a text is as good as nothing, and its user sees that.
  }
  if (status >= 200 && status < 300) return { kind: "ok", value: value as T };
  const message = (value as { message?: unknown } | null)?.message;
  return {
    kind: "refused",
    status,
    reason: typeof message === "string" ? message : `HTTP ${status}: ${text.slice(0, 200)}`,
  };
}
