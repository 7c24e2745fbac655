// The iPXE loaders over HTTP: /ipxe/<dir>/<file> for anybody, /ipxe-http/<mac>/<dir>/<file> for firmware HTTP Boot, where
// a 404 means "go on to your disk".
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { AssetStore, Loader } from "../../boot-assets/store.ts";
import { type Mac, parseMac } from "../../inventory/address.ts";
import type { RecordEvent } from "../boot/ports.ts";
import type { BootService } from "../boot/service.ts";
import { deliver, notHere, peerOf } from "./deliver-routes.ts";

export type LoaderRouteDeps = {
  assets: Pick<AssetStore, "openLoader">;
  boot: Pick<BootService, "httpLoader" | "noteLoaderFetched">;
  record: RecordEvent;
  macOf: (ip: string) => Mac | undefined;
};

type LoaderRequest = FastifyRequest<{ Params: { mac?: string; dir: string; file: string } }>;

/** Paths as boot/paths.ts makes them: loaderPath and httpLoaderPath. */
export function addLoaderRoutes(app: FastifyInstance, deps: LoaderRouteDeps): void {
  const method = ["GET", "HEAD"];
  app.route({
    method,
    url: "/ipxe/:dir/:file",
    handler: (request: LoaderRequest, reply) => sendLoader(deps, request, reply),
  });
  app.route({
    method,
    url: "/ipxe-http/:mac/:dir/:file",
    handler: async (request: LoaderRequest, reply) => {
      const decision = await deps.boot.httpLoader(request.params.mac ?? "", peerOf(request));
      return decision === "serve" ? sendLoader(deps, request, reply) : notHere(reply);
    },
  });
}

function sendLoader(deps: LoaderRouteDeps, request: LoaderRequest, reply: FastifyReply): FastifyReply {
  const { dir, file, mac: macText } = request.params;
  const loader = deps.assets.openLoader(`${dir}/${file}`);
  if (loader === undefined) return notHere(reply);
  const ip = peerOf(request).remoteIp;
  return deliver(request, reply, deliverable(loader), {
    began: () => {},
    ended: ({ isWhole, isComplete, beganAtMs, endedAtMs }) => {
      if (!isWhole || !isComplete) return;
      const mac = parseMac(macText ?? "") ?? deps.macOf(ip);
      const detail = { file: loader.path, bytes: loader.bytes, ms: Math.round(endedAtMs - beganAtMs), ip };
      deps.record({ kind: "loader-fetched", ...(mac !== undefined && { mac }), detail });
      if (mac !== undefined) deps.boot.noteLoaderFetched(mac);
    },
  });
}

const deliverable = (loader: Loader) => ({
  bytes: loader.bytes,
  sha256: loader.sha256,
  modifiedMs: loader.modifiedMs,
  // EDK2 goes by this type; a BIOS loader is never fetched by firmware over HTTP (pxe.md 2.8).
  contentType: loader.path.endsWith(".efi") ? "application/efi" : "application/octet-stream",
  read: (start: number, end: number) => Readable.from([loader.contents.subarray(start, end)], { objectMode: false }),
});
