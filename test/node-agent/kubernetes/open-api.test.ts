// The ends of a request: silence, a line without an end, a client that is closed, a certificate that cannot be read.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, openApi } from "../../../node-agent/kubernetes/open-api.ts";
import { type ApiServer, type Asked, begin, openApiServer, openClient, sendEvent } from "./api-rig.ts";

let server: ApiServer;
let api: Api;
beforeAll(async () => {
  server = await openApiServer();
  api = openClient(server);
});
afterAll(async () => {
  api.close();
  await server.close();
});
const NONE = { list: () => {}, watch: () => {} };
const follower = (more: { line?: (text: string) => boolean; timeoutMs?: number; silenceMs?: number } = {}) => ({
  line: () => true,
  timeoutMs: 5000,
  silenceMs: 5000,
  signal: new AbortController().signal,
  ...more,
});

test("follow gives up a server that does not begin", async () => {
  server.serve("/mute", NONE);
  const end = await api.follow("/mute?watch=1", follower({ timeoutMs: 50 }));
  expect(end).toEqual({ kind: "failed", reason: "no answer within 50 ms" });
});
test("follow gives up a connection that is silent, and no sooner", async () => {
  server.serve("/silent", {
    ...NONE,
    watch: (asked: Asked) => {
      begin(asked);
      let sent = 0;
      const timer = setInterval(() => {
        sendEvent(asked, "BOOKMARK", {});
        if (++sent === 5) clearInterval(timer);
      }, 250);
    },
  });
  const lines: string[] = [];
  const line = (text: string) => lines.push(text) > 0;
  const end = await api.follow("/silent?watch=1", follower({ line, timeoutMs: 1000, silenceMs: 800 }));
  expect(end).toEqual({ kind: "failed", reason: "silent for 800 ms" });
  expect(lines).toHaveLength(5);
});
test("follow gives up a line that is too long, before it takes the memory", async () => {
  let sent = 0;
  server.serve("/long", {
    ...NONE,
    watch: ({ response }) => {
      const more = () => {
        if (response.destroyed || sent >= 32) return;
        sent += 1;
        response.write("x".repeat(2 ** 20), more);
      };
      more();
    },
  });
  expect(await api.follow("/long?watch=1", follower())).toEqual({
    kind: "failed",
    reason: "a line of over 8388608 characters",
  });
  expect(sent).toBeLessThan(32);
});
test("follow takes a line of an object as large as etcd holds", async () => {
  const text = "x".repeat(3 * 2 ** 20);
  server.serve("/large", { ...NONE, watch: ({ response }) => void response.end(`${text}\n`) });
  const lengths: number[] = [];
  const line = ({ length }: string) => lengths.push(length) > 0;
  expect(await api.follow("/large?watch=1", follower({ line }))).toEqual({ kind: "ok", value: undefined });
  expect(lengths).toEqual([text.length]);
});
test("follow ends where its user has had enough, and hears no further line", async () => {
  server.serve("/enough", { ...NONE, watch: ({ response }) => void response.write("a\nb\nc\n") });
  const lines: string[] = [];
  const line = (text: string) => lines.push(text) < 2;
  expect(await api.follow("/enough?watch=1", follower({ line }))).toMatchObject({ kind: "failed" });
  expect(lines).toEqual(["a", "b"]);
});
test("follow ends by its signal, also by one that was given before", async () => {
  const asked = server.serve("/signal", { ...NONE, watch: begin });
  const stop = new AbortController();
  const running = api.follow("/signal?watch=1", { ...follower(), signal: stop.signal });
  while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  expect(await running).toMatchObject({ kind: "failed" });
  expect(await api.follow("/signal?watch=1", { ...follower(), signal: stop.signal })).toMatchObject({ kind: "failed" });
});

test("get ends in time when the answer stops in its middle, and when it waits behind others", async () => {
  server.serve("/half", { ...NONE, list: ({ response }) => void response.write('{"a":') });
  const all = await Promise.all([1, 2, 3, 4, 5].map(() => api.get("/half", 100)));
  for (const answer of all) expect(answer).toEqual({ kind: "failed", reason: "no answer within 100 ms" });
});

test("close ends all that runs at once, also what is just connecting, and nothing begins after it", async () => {
  const own = await openApiServer();
  const client = openClient(own);
  const asked = own.serve("/hung", { list: () => {}, watch: begin });
  const lists = [1, 2, 3, 4].map(() => client.get("/hung"));
  const watch = client.follow("/hung?watch=1", follower());
  while (asked.length < 5) await new Promise((resolve) => setImmediate(resolve));
  lists.push(client.get("/hung"));
  const closedMs = performance.now();
  client.close();
  const closed = { kind: "failed", reason: "the client is closed" };
  for (const answer of await Promise.all([...lists, watch])) expect(answer).toEqual(closed);
  expect(await client.get("/hung")).toEqual(closed);
  expect(await client.send("POST", "/hung", {})).toEqual(closed);
  expect(await client.follow("/hung?watch=1", follower())).toEqual(closed);
  expect(performance.now() - closedMs).toBeLessThan(500);
  while ((await own.connections()) > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toHaveLength(5);
  await own.close();
});

test("a certificate that cannot be read is told, and throws nothing", async () => {
  const credential = { crt: "-----BEGIN CERT", key: "" };
  const broken = openApi({ ...server.target, credential });
  const failed = { kind: "failed", reason: expect.stringMatching(/PEM/) };
  expect(await broken.get("/x")).toEqual(failed);
  expect(await broken.follow("/x", follower())).toEqual(failed);
  broken.close();
});
