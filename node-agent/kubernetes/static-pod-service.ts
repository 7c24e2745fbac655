// Serves the static pods of a control plane node to the kubelet beside it. On 127.0.0.1 only; it holds arguments and paths,
// no secrets. Source: kubelet's staticPodURL, talos reference §5.8. Edge: a socket.
import { createServer } from "node:http";
import { PORTS } from "../../server/contract/kubernetes/node-paths.ts";

export type StaticPodService = {
  /** From now on this list; 503 before the first, so that no kubelet takes "not yet" for "none" and stops what runs. */
  setPods(list: string): void;
  close(): Promise<void>;
};

/** @throws PORT_IN_USE's cause (EADDRINUSE) when somebody has the port. */
export function serveStaticPods(port: number = PORTS.staticPods): Promise<StaticPodService & { port: number }> {
  let list: string | undefined;
  const server = createServer((request, response) => {
    const isAsked = request.method === "GET" && request.url === "/pods";
    const status = isAsked ? (list === undefined ? 503 : 200) : 404;
    const body =
      status === 200 ? list! : `${status === 503 ? "the list is not made yet" : "only GET /pods is served"}\n`;
    response.writeHead(status, { "content-type": status === 200 ? "application/json" : "text/plain" }).end(body);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve({
        port: typeof address === "object" && address !== null ? address.port : port,
        setPods: (text) => {
          list = text;
        },
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}
