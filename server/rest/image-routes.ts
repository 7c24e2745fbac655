// /v1/images: container images of people's own, that nodes pull from this appliance (server/http/registry-routes.ts serves
// them). An archive comes as the body of the request, as a stream: it may have gigabytes.
import type { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { ImageStore, StoredImage } from "../oci/store.ts";
import type { AdminDeps } from "./app.ts";
import { ERROR_BODY } from "./schema.ts";

export type ImageParts = {
  store: ImageStore;
  record: (event: { kind: "image-imported" | "image-deleted"; detail: { image: string; actor: string } }) => void;
};

const FAULTS = { "4xx": ERROR_BODY, "5xx": ERROR_BODY };
const name = z.string().min(1).max(400);

export const IMAGE = z.object({
  name: z.string().describe("docker.io/library/busybox:1.36"),
  digest: z.string(),
  platforms: z.array(z.string()).readonly(),
  bytes: z.number(),
  importedAt: z.string().describe("ISO-8601 UTC."),
});
export type ImageView = z.infer<typeof IMAGE>;
export const IMAGES = z.object({ images: z.array(IMAGE) });
export type ImagesView = z.infer<typeof IMAGES>;
/** Media type of an archive as a request's body. */
export const ARCHIVE_TYPE = "application/x-tar";

const viewOf = ({ name, digest, platforms, bytes, importedAt }: StoredImage): ImageView => ({
  ...{ name, digest, platforms, bytes, importedAt },
});

export function addImageRoutes(app: FastifyInstance, deps: AdminDeps, { store, record }: ImageParts): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  // The handler reads it: an archive has no place in memory.
  app.addContentTypeParser(ARCHIVE_TYPE, (_request, payload, done) => done(null, payload));
  routes.get(
    "/v1/images",
    { schema: { summary: "Container images that nodes may pull from here", response: { 200: IMAGES, ...FAULTS } } },
    async () => ({ images: store.list().map(viewOf) }),
  );
  routes.post(
    "/v1/images",
    {
      schema: {
        summary: `Import a docker-archive or an OCI layout (${ARCHIVE_TYPE}, also compressed by gzip), all or nothing of it`,
        querystring: z.object({ name: name.optional().describe("For an archive of one image.") }),
        response: { 200: IMAGES, ...FAULTS },
      },
    },
    async (request) => {
      const actor = deps.actorOf(request);
      const imported = await store.import(request.body as Readable, request.query.name);
      for (const { name, digest } of imported) {
        const detail = `image ${name}: imported (${digest})`;
        await deps.inventory.appendAudit({ actor, action: "import", target: `image ${name}`, detail });
        record({ kind: "image-imported", detail: { image: name, actor } });
      }
      return { images: imported.map(viewOf) };
    },
  );
  routes.post(
    "/v1/images/delete",
    {
      schema: {
        summary: "Delete an image; nodes that run it keep it",
        body: z.strictObject({ name }),
        response: { 200: IMAGE, ...FAULTS },
      },
    },
    async (request) => {
      const actor = deps.actorOf(request);
      const removed = await store.remove(request.body.name);
      const detail = `image ${removed.name}: removed (${removed.digest})`;
      await deps.inventory.appendAudit({ actor, action: "delete", target: `image ${removed.name}`, detail });
      record({ kind: "image-deleted", detail: { image: removed.name, actor } });
      return viewOf(removed);
    },
  );
}
