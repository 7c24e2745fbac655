// Watches against a real TLS server that does what API servers do: end, break, forget, hang, go and come back. The pauses
// between two attempts are real, so the tests run side by side, each on a path of its own.
import { getEventListeners } from "node:events";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Api, Follower } from "../../../node-agent/kubernetes/open-api.ts";
import { openWatch, type Watch } from "../../../node-agent/kubernetes/open-watch.ts";
import type { Named } from "../../../node-agent/kubernetes/watch-cache.ts";
import {
  type Answer,
  type ApiServer,
  begin,
  eventLine,
  openApiServer,
  openClient,
  pod,
  sendEvent,
  sendList,
} from "./api-rig.ts";

let server: ApiServer;
let api: Api;
const watches: Watch<Named>[] = [];
beforeAll(async () => {
  server = await openApiServer();
  api = openClient(server);
});
afterAll(async () => {
  for (const watch of watches) watch.close();
  api.close();
  await server.close();
});

/** A watch of `path`, what it said when something changed, and what the server was asked. */
function follow(path: string, answers: { list?: Answer; watch?: Answer }, { on = server, client = api } = {}) {
  const asked = on.serve(path, { list: (a) => sendList(a, "10", "a"), watch: begin, ...answers });
  /** What was known at each change. */
  const changes: Promise<unknown>[] = [];
  const watch: Watch<Named> = openWatch<Named>(client, path, () => changes.push(names()));
  watches.push(watch);
  const names = async () => {
    const answer = await watch.items();
    return answer.kind === "ok" ? answer.value.map(({ metadata }) => metadata.name) : answer;
  };
  const kinds = () =>
    asked.map(({ isWatch, query }) => `${isWatch ? "watch" : "list"} ${query.get("resourceVersion")}`);
  return { asked, changes, watch, names, kinds };
}
const until = (check: () => void | Promise<void>, timeoutMs = 6000) =>
  vi.waitFor(check, { timeout: timeoutMs, interval: 20 });

describe.concurrent("openWatch", () => {
  test("answers once the first list is there, and says so", async () => {
    const { asked, changes, watch, names } = follow("/first", { list: () => {} });
    let isEarly = false;
    void watch.items().then(() => {
      isEarly = true;
    });
    await until(() => expect(asked).toHaveLength(1));
    expect([isEarly, changes]).toEqual([false, []]);
    sendList(asked[0]!, "10", "a", "b");
    expect(await names()).toEqual(["a", "b"]);
    expect(changes).toHaveLength(1);
  });

  test("follows events from the list's version on, and asks for bookmarks", async () => {
    const { asked, changes, names, kinds } = follow("/events", {});
    await until(() => expect(asked).toHaveLength(2));
    expect(kinds()).toEqual(["list 0", "watch 10"]);
    expect(asked[1]!.query.get("allowWatchBookmarks")).toBe("true");
    sendEvent(asked[1]!, "ADDED", pod("b", "11"));
    await until(async () => expect(await names()).toEqual(["a", "b"]));
    sendEvent(asked[1]!, "DELETED", pod("a", "12"));
    await until(async () => expect(await names()).toEqual(["b"]));
    expect(changes).toHaveLength(3);
    sendEvent(asked[1]!, "BOOKMARK", { metadata: { resourceVersion: "20" } });
    asked[1]!.response.end();
    await until(() => expect(kinds()[2]).toBe("watch 20"));
    expect(changes).toHaveLength(3);
  });

  test("keeps a path's own selectors", async () => {
    const asked = server.serve("/selected", { list: (a) => sendList(a, "10"), watch: begin });
    watches.push(openWatch<Named>(api, "/selected?fieldSelector=metadata.name%3Da", () => {}));
    await until(() => expect(asked).toHaveLength(2));
    for (const { query } of asked) expect(query.get("fieldSelector")).toBe("metadata.name=a");
  });

  test("goes on from the last version where a watch ends as watches end, without a word to anybody", async () => {
    const end: Answer = (a, nth) => (nth === 0 ? void a.response.end(eventLine("ADDED", pod("b", "11"))) : begin(a));
    const { changes, names, kinds } = follow("/ended", { watch: end });
    await until(() => expect(kinds()).toEqual(["list 0", "watch 10", "watch 11"]));
    expect(await names()).toEqual(["a", "b"]);
    expect(changes).toHaveLength(2);
  });

  test("goes on from the last whole event where the connection breaks in the middle of one", async () => {
    const cut: Answer = (a, nth) => {
      if (nth > 0) return sendEvent(a, "ADDED", pod("c", "12"));
      sendEvent(a, "ADDED", pod("b", "11"));
      a.response.write(eventLine("ADDED", pod("c", "12")).slice(0, 30), () => a.response.destroy());
    };
    const { changes, names, kinds } = follow("/broken", { watch: cut });
    await until(async () => expect(await names()).toEqual(["a", "b", "c"]));
    expect(kinds()).toEqual(["list 0", "watch 10", "watch 11"]);
    expect(changes).toHaveLength(3);
  });

  const GONE = { kind: "Status", code: 410, message: "too old resource version" };
  test.each<[string, string, Answer]>([
    ["a status", "/gone-status", ({ response }) => void response.writeHead(410).end(JSON.stringify(GONE))],
    ["an event", "/gone-event", (a) => sendEvent(a, "ERROR", GONE)],
    ["nonsense", "/gone-nonsense", ({ response }) => void response.write("<h1>hello</h1>\n")],
  ])("lists anew, out of etcd, after a 410 as %s, and nobody sees a fault", async (_, path, gone) => {
    const { changes, kinds } = follow(path, {
      list: (a, nth) => sendList(a, nth === 0 ? "10" : "50", nth === 0 ? "a" : "z"),
      watch: (a, nth) => (nth === 0 ? gone(a, nth) : begin(a)),
    });
    await until(() => expect(kinds()).toEqual(["list 0", "watch 10", "list ", "watch 50"]));
    expect(await Promise.all(changes)).toEqual([["a"], ["z"]]);
  });

  test("lists anew from memory where a watch is refused for another reason, ever more rarely", async () => {
    const { names, kinds } = follow("/refused", { watch: ({ response }) => void response.writeHead(503).end("busy") });
    await until(() => expect(kinds()).toEqual(["list 0", "watch 10", "list 0", "watch 10"]));
    expect(await names()).toEqual(["a"]);
  });

  test("does not storm a server that ends each watch at once", async () => {
    const { kinds, names } = follow("/brief", { watch: ({ response }) => void response.end() });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(kinds().length).toBeLessThanOrEqual(4);
    await until(() => expect(kinds().length).toBeGreaterThanOrEqual(4));
    expect(kinds().filter((kind) => kind.startsWith("list"))).toHaveLength(1);
    expect(await names()).toEqual(["a"]);
  });
  test("does not storm a server that breaks each watch at once, and looks at a list what is the matter", async () => {
    const { kinds, names } = follow("/breaks", { watch: ({ response }) => void response.destroy() });
    await until(() => expect(kinds()).toEqual(["list 0", "watch 10", "watch 10", "list 0", "watch 10"]));
    expect(await names()).toEqual(["a"]);
  });
  test("does not storm a server that ends each watch with an error", async () => {
    const { asked } = follow("/errors", { watch: (a) => sendEvent(a, "ERROR", GONE) });
    await until(() => expect(asked).toHaveLength(8), 10_000);
    const [, first, , second, , third, , fourth] = asked.map(({ atMs }) => atMs);
    expect(second! - first!).toBeGreaterThan(900);
    expect(fourth! - third!).toBeGreaterThan(1900);
  });

  test("tells a list that is refused, with the server's words, and goes on by itself", async () => {
    const { changes, watch, names } = follow("/forbidden", {
      list: (a, nth) =>
        nth > 0 ? sendList(a, "10", "a") : void a.response.writeHead(403).end('{"message":"no such right"}'),
    });
    expect(await watch.items()).toEqual({ kind: "refused", status: 403, reason: "no such right" });
    expect(changes).toEqual([]);
    await until(async () => expect(await names()).toEqual(["a"]));
    expect(changes).toHaveLength(1);
  });
  test.each(["<h1>welcome</h1>", "null", "{}"])("tells an answer that is no list: %s", async (text) => {
    const { watch } = follow(`/odd-${text.length}`, { list: ({ response }) => void response.end(text) });
    expect(await watch.items()).toEqual({ kind: "failed", reason: "what the API sent is no list" });
  });

  test("tells that the server is gone, once, and comes back by itself", async () => {
    const first = await openApiServer();
    const client = openClient(first);
    const { changes, names, watch, asked } = follow("/here", {}, { on: first, client });
    await until(() => expect(asked).toHaveLength(2));
    await first.close();
    await until(async () =>
      expect(await names()).toEqual({ kind: "failed", reason: expect.stringMatching(/ECONNREFUSED/) }),
    );
    expect(changes).toHaveLength(2);
    const second = await openApiServer(first.port);
    second.serve("/here", { list: (a) => sendList(a, "50", "z"), watch: begin });
    await until(async () => expect(await names()).toEqual(["z"]), 10_000);
    expect(changes).toHaveLength(3);
    watch.close();
    client.close();
    await second.close();
  });

  test("puts characters together that came in two pieces", async () => {
    const { asked, watch } = follow("/pieces", {});
    await until(() => expect(asked).toHaveLength(2));
    const bytes = Buffer.from(eventLine("ADDED", { ...pod("b", "11"), note: "Zürich – 漢字 🚀" }));
    for (const byte of bytes) {
      asked[1]!.response.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(async () => expect(await watch.items()).toMatchObject({ value: [{}, { note: "Zürich – 漢字 🚀" }] }));
  });
  test("takes many events that came in one piece", async () => {
    const many = Array.from({ length: 500 }, (_, i) => eventLine("ADDED", pod(`p${i}`, String(11 + i)))).join("\n");
    const { asked, names } = follow("/many", { watch: (a) => void a.response.write(many) });
    await until(async () => expect(await names()).toHaveLength(501));
    expect(asked).toHaveLength(2);
  });

  test("leaves no listener behind, however many watches end", async () => {
    const signals = new Set<AbortSignal>();
    const counted: Api = {
      ...api,
      follow: (path: string, follower: Follower) => {
        signals.add(follower.signal);
        // Events keep it from resting longer than a second.
        return api.follow(path, follower);
      },
    };
    const { asked } = follow(
      "/listeners",
      { watch: (a, nth) => (nth < 3 ? void a.response.end() : begin(a)) },
      { client: counted },
    );
    await until(() => expect(asked.filter(({ isWatch }) => isWatch)).toHaveLength(4), 8000);
    await until(() => expect([...signals].map((signal) => getEventListeners(signal, "abort").length)).toEqual([1]));
  });
});

describe("openWatch's close", () => {
  test("ends a watch that runs, and its connection", async () => {
    const own = await openApiServer();
    const client = openClient(own);
    const { asked, watch, changes, names } = follow("/close", {}, { on: own, client });
    await until(() => expect(asked).toHaveLength(2));
    const gone = new Promise<void>((resolve) => asked[1]!.response.on("close", resolve));
    watch.close();
    await gone;
    expect(await names()).toEqual(["a"]);
    expect(changes).toHaveLength(1);
    client.close();
    await until(async () => expect(await own.connections()).toBe(0));
    expect(asked).toHaveLength(2);
    await own.close();
  });

  test("answers who waits for a first list that never comes, and says nothing when it comes after all", async () => {
    const { watch, changes, asked } = follow("/close-early", { list: () => {} });
    await until(() => expect(asked).toHaveLength(1));
    const items = watch.items();
    watch.close();
    const want = { kind: "failed", reason: "it was closed before its first answer" };
    expect(await items).toEqual(want);
    sendList(asked[0]!, "10", "a");
    await new Promise<void>((resolve) => asked[0]!.response.on("close", resolve));
    await api.get("/close-early-other", 50);
    expect(changes).toEqual([]);
    expect(await watch.items()).toEqual(want);
    expect(asked).toHaveLength(1);
  });

  test("ends a rest between two attempts", async () => {
    const { watch, asked } = follow("/close-rest", { list: ({ response }) => void response.writeHead(500).end("x") });
    await watch.items();
    watch.close();
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(asked).toHaveLength(1);
  });
});
