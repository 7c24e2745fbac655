// The registry as containerd asks it: mirrors by `ns`, manifests by tag and digest with their media type, blobs with ranges.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { addRegistryRoutes } from "../../../server/http/registry-routes.ts";
import { MEDIA } from "../../../server/oci/image-manifest.ts";
import { openImageStore } from "../../../server/oci/store.ts";
import { dockerEntries, LAYER, layoutEntries, sha, tar } from "../oci/archive.ts";

let dir: string;
let app: FastifyInstance;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "slipway-registry-"));
  const store = openImageStore(dir, Date.now);
  for (const entries of [dockerEntries(), layoutEntries()])
    await store.import(Readable.from([await tar(entries)]), undefined);
  app = Fastify();
  addRegistryRoutes(app, store);
});
afterEach(async () => {
  await app.close();
  rmSync(dir, { recursive: true });
});

const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });

test("version, catalog and tags", async () => {
  expect(await get("/v2/")).toMatchObject({ statusCode: 200, body: "{}" });
  expect((await get("/v2/")).headers["docker-distribution-api-version"]).toBe("registry/2.0");
  const all = ["docker.io/library/web", "registry.example.org/team/web"];
  expect((await get("/v2/_catalog")).json()).toEqual({ repositories: all });
  const page = await get("/v2/_catalog?n=1");
  expect([page.json(), page.headers.link]).toEqual([
    { repositories: [all[0]] },
    '<?n=1&last=docker.io%2Flibrary%2Fweb>; rel="next"',
  ]);
  expect((await get(`/v2/_catalog?last=${all[0]}`)).json()).toEqual({ repositories: [all[1]] });
  expect((await get("/v2/team/web/tags/list?ns=registry.example.org")).json()).toEqual({
    name: "team/web",
    tags: ["2.0"],
  });
});

test("a mirror's question, from tag to layer", async () => {
  const index = await get("/v2/team/web/manifests/2.0?ns=registry.example.org");
  expect(index.headers["content-type"]).toBe(MEDIA.ociIndex);
  expect(index.headers["docker-content-digest"]).toBe(sha(index.rawPayload));
  const digest = index.json().manifests[0].digest;
  const head = await app.inject({ method: "HEAD", url: `/v2/team/web/manifests/${digest}?ns=registry.example.org` });
  expect(head).toMatchObject({ statusCode: 200, body: "" });
  const manifest = await get(`/v2/team/web/manifests/${digest}?ns=registry.example.org`);
  expect(manifest.headers).toMatchObject({
    "content-type": MEDIA.ociManifest,
    "content-length": head.headers["content-length"],
  });
  const layer = await get(`/v2/team/web/blobs/${manifest.json().layers[0].digest}?ns=registry.example.org`);
  expect(layer.rawPayload.equals(LAYER)).toBe(true);
  const part = await get(`/v2/team/web/blobs/${sha(LAYER)}?ns=registry.example.org`, { range: "bytes=69990-" });
  expect([part.statusCode, part.rawPayload.length, part.headers["content-range"]]).toEqual([
    206,
    10,
    "bytes 69990-69999/70000",
  ]);
});

test.each([
  ["/v2/library/web/manifests/1.2", 200],
  ["/v2/library/web/manifests/1.2?ns=docker.io", 200],
  ["/v2/docker.io/library/web/manifests/1.2", 200],
  ["/v2/library/web/manifests/1.2?ns=quay.io", 404],
  ["/v2/library/web/manifests/1.3", 404],
  [`/v2/library/web/manifests/${sha(LAYER)}`, 404],
  [`/v2/library/web/blobs/${sha("nothing")}`, 404],
  ["/v2/library/web/blobs/..%2f..%2findex.json", 404],
  ["/v2/library/web/uploads/", 404],
])("%s is answered with %i", async (url, status) => {
  const answer = await get(url);
  expect(answer.statusCode).toBe(status);
  if (status === 404)
    expect(answer.json().errors[0]).toMatchObject({ code: expect.any(String), message: expect.any(String) });
});
