// A loopback port of the host that leads to an address of the rack: how a person's own kubectl, without root, reaches a
// cluster that lives in network namespaces. No route and no interface of the host is touched. Called by run-lab.ts.
import { connect, createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Lab, Namespace } from "./namespace.ts";
import { openScratchFolder } from "./scratch-folder.ts";

const HERE = dirname(fileURLToPath(import.meta.url));

export type Forward = { port: number; close(): Promise<void> };

/**
 * Listens on 127.0.0.1 only. The other end need not be there yet: each connection is tried when it comes.
 * @param preferredPort taken when it is free, so that a kubeconfig of the last run still fits; else any.
 */
export async function forwardPort(
  lab: Lab,
  ns: Namespace,
  to: { host: string; port: number },
  preferredPort = 0,
): Promise<Forward> {
  const { path, remove } = openScratchFolder();
  const socket = join(path, "forward");
  const inner = lab.spawn(ns, [process.execPath, join(HERE, "forward-port.ts"), socket, to.host, String(to.port)]);
  await inner.waitFor(/^forwarding$/m);
  const open = new Set<{ destroy(): void }>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: socket, allowHalfOpen: true });
    const end = () => {
      near.destroy();
      far.destroy();
      open.delete(near);
    };
    open.add(near);
    near.on("error", end).on("close", end).pipe(far);
    far.on("error", end).pipe(near);
  });
  const port = await listen(server, preferredPort).catch(() => listen(server, 0));
  return {
    port,
    close: async () => {
      for (const near of open) near.destroy();
      await new Promise((resolve) => server.close(resolve));
      await inner.stop();
      remove();
    },
  };
}

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port }, () => {
      server.removeListener("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
