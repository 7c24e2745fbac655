// A client for the Kubernetes API and for etcd's JSON gateway: mutual TLS, connections kept, every request with an end.
// Edge: the network. Used by run-observe.ts, run-duties.ts and open-watch.ts.

import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import { createSecureContext, type SecureContext } from "node:tls";
import { readBody, readLines } from "./read-answer.ts";

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

/** Nothing here throws: a certificate that cannot be read is an answer that `failed`, too. */
export type Api = {
  get<T>(path: string, timeoutMs?: number): Promise<ApiAnswer<T>>;
  /** `type`: the media type of `body`; undefined for JSON. */
  send<T>(method: "PATCH" | "PUT" | "POST", path: string, body: unknown, type?: string): Promise<ApiAnswer<T>>;
  /** A stream of lines, until either side ends it. `ok`: it ended as it should. */
  follow(path: string, follower: Follower): Promise<ApiAnswer<undefined>>;
  /** Ends what runs, at once; whatever is asked later fails. */
  close(): void;
};
export type Follower = {
  /** @returns whether to go on. */
  line(text: string): boolean;
  /** Until the answer begins. */
  timeoutMs: number;
  /** Without a byte for so long, it is given up. */
  silenceMs: number;
  signal: AbortSignal;
};

const TIMEOUT_MS = 10_000;

type Asked<T> = {
  options: RequestOptions;
  timeoutMs: number;
  body?: string;
  /** Reads the answer: `end` with it, or `fail`. */
  read(response: IncomingMessage, end: (answer: ApiAnswer<T>) => void, fail: (reason: string) => void): void;
};

export function openApi({ server, ca, credential }: ApiTarget): Api {
  const own = "crt" in credential ? { cert: credential.crt, key: credential.key } : {};
  const bearer = "token" in credential ? { authorization: `Bearer ${credential.token}` } : {};
  const headers = { ...bearer, accept: "application/json", "user-agent": "slipway" };
  // No queue before a connection: one that hangs must not hold the others, nor a client that is closed go on with it.
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 2 });
  const streams = new Agent({ keepAlive: false });
  let context: SecureContext | undefined;
  /** Read once: a server that is away is knocked at every second. */
  const secureContext = () => (context ??= createSecureContext({ ca, ...own }));
  const running = new Set<(reason: string) => void>();
  let isClosed = false;

  /** The first end counts, whatever Node makes of a request that is destroyed. */
  const ask = <T>(path: string, { options, timeoutMs, body, read }: Asked<T>) =>
    new Promise<ApiAnswer<T>>((resolve) => {
      if (isClosed) return resolve({ kind: "failed", reason: CLOSED });
      const call = tryRequest(new URL(path, server), () => ({ headers, secureContext: secureContext(), ...options }));
      if ("reason" in call) return resolve(call);
      const end = (answer: ApiAnswer<T>) => {
        clearTimeout(timer);
        running.delete(fail);
        resolve(answer);
      };
      const fail = (reason: string) => {
        end({ kind: "failed", reason });
        call.destroy();
      };
      const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
      running.add(fail);
      let hasResponse = false;
      call.on("error", (error) => fail(error.message));
      call.on("close", () => hasResponse || fail("the connection broke"));
      call.on("response", (response) => {
        hasResponse = true;
        // What is followed has a measure of its own once it has begun.
        if (options.agent === streams) clearTimeout(timer);
        read(response, end, fail);
      });
      call.end(body);
    });
  return {
    get: (path, timeoutMs = TIMEOUT_MS) => ask(path, { options: { agent }, timeoutMs, read: readBody }),
    send: (method, path, value, type = "application/json") => {
      const body = JSON.stringify(value);
      const own = { ...headers, "content-type": type, "content-length": Buffer.byteLength(body) };
      return ask(path, { options: { method, agent, headers: own }, timeoutMs: TIMEOUT_MS, body, read: readBody });
    },
    follow: (path, { line, timeoutMs, silenceMs, signal }) =>
      ask<undefined>(path, {
        options: { agent: streams, signal },
        timeoutMs,
        read: (response, end, fail) => {
          response.setTimeout(silenceMs, () => fail(`silent for ${silenceMs} ms`));
          readLines(response, line, end);
        },
      }),
    close: () => {
      isClosed = true;
      for (const fail of [...running]) fail(CLOSED);
      agent.destroy();
      streams.destroy();
    },
  };
}

const CLOSED = "the client is closed";

function tryRequest(url: URL, options: () => RequestOptions): ClientRequest | { kind: "failed"; reason: string } {
  try {
    return request(url, options());
  } catch (error) {
    // Half a certificate, after a power cut: OpenSSL tells it here.
    return { kind: "failed", reason: (error as Error).message };
  }
}
