// A loopback port of the host reaches a server that lives in a namespace, and outlives its absence.
import { connect } from "node:net";
import { afterAll, expect, test } from "vitest";
import { forwardPort } from "./forward.ts";
import { openLab } from "./namespace.ts";

const lab = openLab("fwd");
afterAll(() => lab.close());

const ECHO = `require("node:net").createServer({ allowHalfOpen: true }, (s) => s.pipe(s)).listen(7000, "192.0.2.7", () => console.log("up"))`;

/** Sends and half-closes; resolves with all that came back, or rejects when nothing is there. */
const talk = (port: number, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let heard = "";
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    socket.setEncoding("utf8").on("data", (part) => {
      heard += part;
    });
    socket
      .on("error", reject)
      .on("close", () => (heard === "" ? reject(new Error("nobody answered")) : resolve(heard)));
    socket.on("end", () => socket.end());
    socket.end(text);
  });

test("forwardPort leads to a server that starts later, many bytes long, and many connections at once", async () => {
  const ns = lab.namespace("home");
  lab.address(ns, "lo", "192.0.2.7/32");
  const forward = await forwardPort(lab, ns, { host: "192.0.2.7", port: 7000 });
  await expect(talk(forward.port, "early")).rejects.toThrow();
  const server = lab.spawn(ns, [process.execPath, "-e", ECHO]);
  await server.waitFor(/up/);
  const long = "x".repeat(1 << 20);
  expect((await talk(forward.port, long)).length).toBe(long.length);
  const many = await Promise.all(Array.from({ length: 20 }, (_, i) => talk(forward.port, `number ${i}`)));
  expect(many).toEqual(many.map((_, i) => `number ${i}`));
  await forward.close();
  await expect(talk(forward.port, "late")).rejects.toThrow();
});

test("forwardPort takes the port that was wished for, and another when it is taken", async () => {
  const ns = lab.namespace("other");
  const first = await forwardPort(lab, ns, { host: "192.0.2.7", port: 7000 });
  const second = await forwardPort(lab, ns, { host: "192.0.2.7", port: 7000 }, first.port);
  expect(second.port).not.toBe(first.port);
  const { port } = first;
  await first.close();
  const third = await forwardPort(lab, ns, { host: "192.0.2.7", port: 7000 }, port);
  expect(third.port).toBe(port);
  await Promise.all([second.close(), third.close()]);
});
