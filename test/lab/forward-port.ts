// A small process inside the lab's namespace: takes connections on a socket file and makes each a TCP connection of the
// rack's wire. forward.ts starts it; a file is seen from every network namespace, a port is not.
import { rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";

const [path, host, port] = process.argv.slice(2);
if (path === undefined || host === undefined || port === undefined) {
  console.error("usage: forward-port.ts SOCKET HOST PORT");
  process.exit(2);
}
rmSync(path, { force: true });

const server = createServer({ allowHalfOpen: true }, (near: Socket) => {
  const far = connect({ host, port: Number(port), allowHalfOpen: true });
  const end = () => {
    near.destroy();
    far.destroy();
  };
  // Whoever is away (no control plane yet, a node that is off) is the caller's to hear: the connection ends.
  near.on("error", end).pipe(far);
  far.on("error", end).pipe(near);
});
server.listen(path, () => console.log("forwarding"));
process.on("SIGTERM", () => process.exit(0));
