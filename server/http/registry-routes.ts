// /v2/: the container images that a person imported, read-only, as nodes' containerd asks a registry mirror for them. Source:
// OCI distribution spec 1.1, pull. `ns` says which registry the image is of (containerd sends it to mirrors).
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isDigest } from "../oci/image-reference.ts";
import type { ImageStore, StoredImage } from "../oci/store.ts";
import { deliver } from "./deliver-routes.ts";

export type RegistryImages = Pick<ImageStore, "list" | "findBlob">;
type Asked = FastifyRequest<{ Params: { "*": string }; Querystring: { ns?: string; n?: string; last?: string } }>;

const UNWATCHED = { began: () => {}, ended: () => {} };
const VERSION = { "docker-distribution-api-version": "registry/2.0" };
const MANIFEST_BYTES = 4 * 2 ** 20;

export function addRegistryRoutes(app: FastifyInstance, images: RegistryImages): void {
  const method = ["GET", "HEAD"];
  app.route({ method, url: "/v2", handler: (_request, reply) => json(reply, 200, {}) });
  app.route({ method, url: "/v2/*", handler: (request, reply) => answer(images, request as Asked, reply) });
}

const ROUTES: readonly {
  path: RegExp;
  answer: (images: RegistryImages, asked: Asked, reply: FastifyReply, parts: string[]) => unknown;
}[] = [
  { path: /^$/, answer: (_images, _asked, reply) => json(reply, 200, {}) },
  { path: /^_catalog$/, answer: sendCatalog },
  { path: /^(.+)\/tags\/list$/, answer: sendTags },
  { path: /^(.+)\/manifests\/([^/]+)$/, answer: sendManifest },
  { path: /^(.+)\/blobs\/([^/]+)$/, answer: sendBlob },
];

function answer(images: RegistryImages, asked: Asked, reply: FastifyReply): unknown {
  for (const { path, answer } of ROUTES) {
    const [match, ...parts] = path.exec(asked.params["*"]) ?? [];
    if (match !== undefined) return answer(images, asked, reply, parts);
  }
  return refuse(reply, "UNSUPPORTED", "this registry answers pulls only: manifests, blobs, tags and the catalog");
}

const json = (reply: FastifyReply, status: number, body: unknown) =>
  reply
    .code(status)
    .headers({ ...VERSION, "content-type": "application/json; charset=utf-8" })
    .send(JSON.stringify(body));

/** Every refusal is a 404: containerd goes on to the image's own registry then. */
const refuse = (reply: FastifyReply, code: string, message: string) =>
  json(reply, 404, { errors: [{ code, message }] });

/** Images by repository as a client of this registry names them: with their own registry in front, unless `ns` names it. */
function imagesOf(images: RegistryImages, repository: string, ns: string | undefined): StoredImage[] {
  const withName = (prefix: string) =>
    images.list().filter(({ name }) => repositoryOf(name) === `${prefix}${repository}`);
  if (ns !== undefined) return withName(`${ns}/`);
  const exact = withName("");
  if (exact.length > 0) return exact;
  // Asked without a registry: Docker's, as everywhere.
  return withName("docker.io/");
}

const repositoryOf = (name: string): string => name.slice(0, name.lastIndexOf(":"));
const tagOf = (name: string): string => name.slice(name.lastIndexOf(":") + 1);

function sendCatalog(images: RegistryImages, { query }: Asked, reply: FastifyReply): unknown {
  return sendPage(reply, query, [...new Set(images.list().map(({ name }) => repositoryOf(name)))], (repositories) => ({
    repositories,
  }));
}

function sendTags(images: RegistryImages, { query }: Asked, reply: FastifyReply, [repository = ""]: string[]): unknown {
  const tags = imagesOf(images, repository, query.ns).map(({ name }) => tagOf(name));
  if (tags.length === 0) return refuse(reply, "NAME_UNKNOWN", `no image of ${repository} was imported here`);
  return sendPage(reply, query, tags, (list) => ({ name: repository, tags: list }));
}

/** `n` and `last` of the specification: a part of a sorted list, with a link to the rest. */
function sendPage(reply: FastifyReply, { n, last }: Asked["query"], all: string[], body: (part: string[]) => unknown) {
  const rest = all.sort().filter((one) => last === undefined || one > last);
  const count = n !== undefined && /^\d{1,6}$/.test(n) ? Number(n) : rest.length;
  const part = rest.slice(0, count);
  const isCut = part.length > 0 && part.length < rest.length;
  if (isCut) reply.header("link", `<?n=${count}&last=${encodeURIComponent(part.at(-1)!)}>; rel="next"`);
  return json(reply, 200, body(part));
}

function sendManifest(
  images: RegistryImages,
  asked: Asked,
  reply: FastifyReply,
  [repository = "", word = ""]: string[],
): unknown {
  const candidates = imagesOf(images, repository, asked.query.ns);
  const found = isDigest(word)
    ? candidates.find((image) => image.digests.includes(word))
    : candidates.find(({ name }) => tagOf(name) === word);
  const digest = isDigest(word) ? word : found?.digest;
  const blob = found === undefined || digest === undefined ? undefined : images.findBlob(digest);
  if (found === undefined || digest === undefined || blob === undefined || blob.bytes > MANIFEST_BYTES)
    return refuse(reply, "MANIFEST_UNKNOWN", `${repository}:${word} was not imported here`);
  const contentType = found.mediaTypes[digest];
  if (contentType === undefined) return refuse(reply, "MANIFEST_UNKNOWN", `${word} is no manifest`);
  return send(asked, reply, blob, contentType);
}

function sendBlob(
  images: RegistryImages,
  asked: Asked,
  reply: FastifyReply,
  [repository = "", digest = ""]: string[],
): unknown {
  const owner = imagesOf(images, repository, asked.query.ns).find((image) => image.digests.includes(digest));
  const blob = owner === undefined ? undefined : images.findBlob(digest);
  if (blob === undefined) return refuse(reply, "BLOB_UNKNOWN", `${digest} is no blob of ${repository} here`);
  return send(asked, reply, blob, "application/octet-stream");
}

type FoundBlob = NonNullable<ReturnType<ImageStore["findBlob"]>>;

function send(asked: Asked, reply: FastifyReply, blob: FoundBlob, contentType: string): FastifyReply {
  const { digest, bytes, modifiedMs, read } = blob;
  reply.headers({ ...VERSION, "docker-content-digest": digest });
  return deliver(
    asked,
    reply,
    { bytes, modifiedMs, contentType, read, sha256: digest.slice("sha256:".length) },
    UNWATCHED,
  );
}
