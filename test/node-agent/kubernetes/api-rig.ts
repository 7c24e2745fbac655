// An API server for the tests of its clients: TLS with the sample cluster's CA, answers as the test says, one path per test.
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { issueCertificates } from "../../../node-agent/kubernetes/issue-certificates.ts";
import { type ApiTarget, openApi } from "../../../node-agent/kubernetes/open-api.ts";
import { planCertificates } from "../../../server/contract/kubernetes/certificates.ts";
import { generateKey } from "../../../server/contract/pki/key.ts";
import { controlPlane, facts } from "../../server/contract/kubernetes/sample.ts";

export const config = controlPlane();
const issue = () =>
  issueCertificates(planCertificates(config, facts()), config.controlPlane, new Map(), {
    nowMs: Date.now(),
    serial: () => crypto.getRandomValues(new Uint8Array(16)),
    generateKey: () => generateKey("p256"),
  }).issued;
export const issued = issue();
/** Of the same CA, as after a renewal. */
export const renewed = issue();
const ca = config.controlPlane.ca.crt;

export type Asked = { atMs: number; query: URLSearchParams; isWatch: boolean; response: ServerResponse };
/** @param nth of this kind (lists, watches) on this path, from 0. */
export type Answer = (asked: Asked, nth: number) => void;
export type ApiServer = {
  port: number;
  target: ApiTarget;
  /** What was asked of `path`, so far. */
  serve(path: string, answers: { list: Answer; watch: Answer }): Asked[];
  connections(): Promise<number>;
  close(): Promise<void>;
};

/** @param port of an earlier one that comes back. */
export async function openApiServer(port = 0): Promise<ApiServer> {
  const paths = new Map<string, (request: IncomingMessage, response: ServerResponse) => void>();
  const { crt: cert, key } = issued.get("apiserver")!;
  const server = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    paths.get(new URL(request.url!, "https://x").pathname)?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const own = (server.address() as AddressInfo).port;
  return {
    port: own,
    target: { server: `https://127.0.0.1:${own}`, ca, credential: issued.get("node-admin")! },
    serve: (path, answers) => {
      const seen: Asked[] = [];
      paths.set(path, ({ url }, response) => {
        const query = new URL(url!, "https://x").searchParams;
        const isWatch = query.get("watch") === "1";
        const nth = seen.filter((other) => other.isWatch === isWatch).length;
        const asked = { atMs: performance.now(), query, isWatch, response };
        seen.push(asked);
        answers[isWatch ? "watch" : "list"](asked, nth);
      });
      return seen;
    },
    connections: () =>
      new Promise((resolve, reject) => server.getConnections((error, n) => (error ? reject(error) : resolve(n)))),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const openClient = (server: ApiServer) => openApi(server.target);

export const pod = (name: string, resourceVersion: string) => ({ metadata: { name, namespace: "x", resourceVersion } });
/** Answers with a list. */
export const sendList = ({ response }: Asked, version: string, ...names: string[]): void =>
  void response.end(
    JSON.stringify({ metadata: { resourceVersion: version }, items: names.map((name) => pod(name, version)) }),
  );
export const eventLine = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
/** Sends an event, and leaves the watch open. */
export const sendEvent = ({ response }: Asked, type: string, object: object): void =>
  void response.write(eventLine(type, object));
/** Begins a watch without an event: its headers. */
export const begin = ({ response }: Asked): void => response.flushHeaders();
