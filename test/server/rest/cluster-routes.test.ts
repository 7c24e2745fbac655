// The cluster routes over a real desk: what is asked, what is answered, and that the description of the API names them all.

import { join } from "node:path";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openImageStore } from "../../../server/oci/store.ts";
import { buildAdminApp } from "../../../server/rest/app.ts";
import { tempInventory } from "../../inventory/temp-inventory.ts";
import { CP, NOW, type TestDesk, testDesk } from "../cluster/desk.ts";
import { BUNDLE } from "../contract/machine-config/sample.ts";
import { layoutEntries, tar } from "../oci/archive.ts";
import { STATUS, silent } from "./open-rig.ts";

let t: TestDesk;
let app: FastifyInstance;
beforeEach(async () => {
  t = await testDesk();
  app = await buildAdminApp({
    ...{ inventory: t.inventory, log: silent, now: () => NOW, version: "0.1.0" },
    status: async () => STATUS,
    actorOf: () => "uid 1000 (tester)",
    clusters: {
      ...{ desk: t.desk, admin: t.admin, openBundle: async () => BUNDLE },
      record: (event) => void t.events.push(event),
    },
    images: {
      store: openImageStore(join(tempInventory().dataDir, "images"), () => NOW),
      record: (event) => void t.events.push(event),
    },
  });
});
afterEach(async () => {
  await app.close();
  t.desk.close();
});
const post = (url: string, payload: object = {}) => app.inject({ method: "POST", url, payload });
const get = (url: string) => app.inject({ url });

test("the description of the API holds every route", async () => {
  const { paths } = (await get("/openapi.json")).json();
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining([
      ...[
        "/v1/clusters",
        "/v1/clusters/{cluster}",
        "/v1/clusters/{cluster}/delete",
        "/v1/clusters/{cluster}/bootstrap",
      ],
      ...["/v1/clusters/{cluster}/kubeconfig", "/v1/machines/{machine}/config", "/v1/apply", "/v1/export/site"],
      ...["/v1/images", "/v1/images/delete"],
    ]),
  );
});

test("create, list, status, bootstrap, delete", async () => {
  expect((await post("/v1/clusters", { name: "rack1", single: true })).json()).toMatchObject({
    endpoint: "192.0.2.127",
  });
  await t.settle();
  expect((await get("/v1/clusters")).json().clusters).toMatchObject([{ name: "rack1", isGreen: false }]);
  expect(await get("/v1/clusters/rack2")).toMatchObject({ statusCode: 404 });
  expect((await post("/v1/clusters/rack1/bootstrap", { newData: true })).json()).toMatchObject({
    code: "BAD_TRANSITION",
    message: expect.stringContaining("neither lost nor in doubt"),
  });
  expect(await post("/v1/clusters/rack1/bootstrap", { newData: false })).toMatchObject({ statusCode: 400 });
  expect((await post("/v1/clusters/rack1/delete")).json()).toMatchObject({
    name: "rack1",
    secretsPath: expect.any(String),
  });
});

test("a kubeconfig is issued for a time, is no one's cache's, and is an event", async () => {
  await post("/v1/clusters", { name: "rack1" });
  await t.settle();
  const issued = await post("/v1/clusters/rack1/kubeconfig", { lifetimeMs: 3_600_000, server: "https://127.0.0.1:1" });
  expect(issued.headers["cache-control"]).toBe("no-store");
  expect(issued.json().kubeconfig).toContain("server: https://127.0.0.1:1\n");
  expect(t.events.at(-1)).toEqual({
    kind: "kubeconfig-issued",
    detail: { cluster: "rack1", actor: "uid 1000 (tester)", hours: 1 },
  });
  expect((await t.inventory.listAudit({})).at(-1)).toMatchObject({
    ...{ actor: "uid 1000 (tester)", action: "issue", target: "cluster rack1" },
    detail: "cluster rack1: an administrator's kubeconfig, good for 1 h",
  });
  expect(await t.inventory.checkAudit()).toBeUndefined();
  expect(await post("/v1/clusters/rack1/kubeconfig", { lifetimeMs: 10 })).toMatchObject({ statusCode: 400 });
  expect(await post("/v1/clusters/rack1/kubeconfig", { server: "http://x" })).toMatchObject({ statusCode: 400 });
});

test("a config is masked, with the name that the machine would get; a fault has its place", async () => {
  await post("/v1/clusters", { name: "rack1" });
  await t.settle();
  const machine = await t.machine({ macs: [CP], role: "controlplane" });
  const config = (await get(`/v1/machines/${CP}/config`)).json();
  expect(config.text).toContain("hostname: rack1-cp-1");
  expect(config.text).not.toContain(BUNDLE.secrets.bootstrapToken);
  expect(config.notes[0]).toMatchObject({ line: expect.any(Number), message: expect.any(String) });
  expect((await t.get(machine.id)).name).toBeUndefined();
  await t.inventory.changeMachines(
    [],
    [{ id: machine.id, spec: { patches: [{ machine: { token: "aaaaaa.bbbbbbbbbbbbbbbb" } }] } }],
    "x",
  );
  expect((await get(`/v1/machines/${CP}/config`)).json()).toMatchObject({
    code: "BAD_IMPORT",
    message: expect.stringContaining("config:1:1: machine.token: a patch must not change it"),
  });
  await t.inventory.changeMachines([], [{ id: machine.id, role: null }], "x");
  expect((await get(`/v1/machines/${CP}/config`)).json()).toMatchObject({
    code: "BAD_TRANSITION",
    message: `no config can be made for ${CP}: ${CP} has no role`,
    remedy: `slipway set ${CP} --role controlplane|worker`,
  });
});

test("an archive comes as a stream", async () => {
  const archive = await tar(layoutEntries());
  const headers = { "content-type": "application/x-tar" };
  const imported = await app.inject({ method: "POST", url: "/v1/images", headers, payload: Readable.from([archive]) });
  expect(imported.json().images).toMatchObject([{ name: "registry.example.org/team/web:2.0" }]);
  expect((await get("/v1/images")).json().images).toHaveLength(1);
  expect(await post("/v1/images/delete", { name: "registry.example.org/team/web:2.0" })).toMatchObject({
    statusCode: 200,
  });
  expect(t.events.map((e) => e.kind)).toEqual(["image-imported", "image-deleted"]);
  const target = "image registry.example.org/team/web:2.0";
  expect(await t.inventory.listAudit({})).toMatchObject([
    { action: "import", target },
    { action: "delete", target },
  ]);
});
