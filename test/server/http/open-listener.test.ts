// The listener itself: what one address may take of it.
import { connect, type Socket } from "node:net";
import Fastify from "fastify";
import { expect, test } from "vitest";
import { listenBoot } from "../../../server/http/open-listener.ts";

const dial = (port: number, localAddress: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, localAddress }, () => resolve(socket));
    socket.once("error", reject);
  });
const answerOf = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    socket.once("data", (bytes) => resolve(bytes.toString("latin1").split("\r\n")[0]!));
    socket.once("close", () => resolve("cut"));
    socket.on("error", () => resolve("cut"));
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  });

test("listenBoot lets no address take the connections of all others", async () => {
  const app = Fastify();
  app.get("/", () => "here");
  await app.ready();
  const listener = await listenBoot(app, { address: "127.0.0.1", port: 0 });
  const many = await Promise.all(Array.from({ length: 256 }, () => dial(listener.port, "127.0.0.1")));
  expect(await answerOf(await dial(listener.port, "127.0.0.1"))).toBe("cut");
  expect(await answerOf(await dial(listener.port, "127.0.0.2"))).toBe("HTTP/1.1 200 OK");
  const freed = new Promise((resolve) => many[0]!.once("close", resolve));
  many[0]!.destroy();
  await freed;
  await expect.poll(async () => answerOf(await dial(listener.port, "127.0.0.1"))).toBe("HTTP/1.1 200 OK");
  for (const socket of many) socket.destroy();
  await listener.close();
  await app.close();
});
