// The node's clients as their certificates are renewed and as the agent ends: nothing goes on with what is over.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { NodeContext } from "../../../node-agent/kubernetes/context.ts";
import { openClients } from "../../../node-agent/kubernetes/run-observe.ts";
import { type ApiServer, begin, config, issued, openApiServer, renewed, sendList } from "./api-rig.ts";

let server: ApiServer;
beforeAll(async () => {
  server = await openApiServer();
});
afterAll(() => server.close());

/** A control plane node whose API server is the test's. */
function openOwn() {
  const controlPlane = { ...config.controlPlane, apiServerPort: server.port };
  const context = { deps: { config: { ...config, controlPlane } }, settled: { issued } } as unknown as NodeContext;
  const changes: string[] = [];
  return { context, changes, clients: openClients(context, () => changes.push("changed")) };
}

test("a renewed certificate ends the watches of the old one at once, whoever asks first", async () => {
  const asked = server.serve("/renewed", { list: (a, nth) => sendList(a, String(nth), `n${nth}`), watch: begin });
  const { clients, context } = openOwn();
  const old = clients.admin()!;
  expect(await clients.watch("nodes", old, "/renewed")).toMatchObject({ value: [{ metadata: { name: "n0" } }] });
  const hung = server.serve("/renewed-hung", { list: () => {}, watch: begin });
  const unanswered = clients.watch("pending", old, "/renewed-hung");
  await vi.waitFor(() => expect([asked.length, hung.length]).toEqual([2, 1]));
  const ended = new Promise<void>((resolve) => asked[1]!.response.on("close", resolve));
  Object.assign(context.settled!, { issued: renewed });
  const next = clients.admin()!;
  await ended;
  expect(next).not.toBe(old);
  expect(await unanswered).toEqual({ kind: "failed", reason: "it was closed before its first answer" });
  expect(await old.get("/renewed")).toEqual({ kind: "failed", reason: "the client is closed" });
  expect(await clients.watch("nodes", next, "/renewed")).toMatchObject({ value: [{ metadata: { name: "n1" } }] });
  expect(clients.admin()).toBe(next);
  clients.close();
});

test("close ends a first list that hangs, and whatever is asked after it", async () => {
  const asked = server.serve("/hung", { list: () => {}, watch: begin });
  const { clients, context, changes } = openOwn();
  const items = clients.watch("nodes", clients.admin()!, "/hung");
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  clients.close();
  expect(await items).toMatchObject({ kind: "failed" });
  expect(await clients.watch("nodes", clients.admin()!, "/hung")).toMatchObject({ kind: "failed" });
  expect(await clients.watch("pending", clients.admin()!, "/hung")).toMatchObject({ kind: "failed" });
  Object.assign(context.settled!, { issued: renewed });
  expect(await clients.admin()!.get("/hung")).toMatchObject({ kind: "failed" });
  clients.close();
  expect(asked).toHaveLength(1);
  expect(changes).toEqual([]);
});
