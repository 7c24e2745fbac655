// The boot app: every HTTP path a machine may ask (docs/ports-and-endpoints.md), and the one place where faults become
// answers. It has no listener of its own: open-listener.ts opens one per served address. Called by server/main.ts.
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { AssetStore } from "../../boot-assets/store.ts";
import type { Mac } from "../../inventory/address.ts";
import type { Log, RecordEvent } from "../boot/ports.ts";
import { addBootRoutes, type BootPort, sendScript } from "./boot-routes.ts";
import { peerOf } from "./deliver-routes.ts";
import { isRaspberryPiFile, pathOf, replyToError, wantsScript } from "./error-reply.ts";
import { addImageRoutes } from "./image-routes.ts";
import { addLoaderRoutes } from "./loader-routes.ts";
import { addRegistryRoutes, type RegistryImages } from "./registry-routes.ts";

export type BootAppDeps = {
  assets: Pick<AssetStore, "openPart" | "openLoader">;
  boot: BootPort;
  record: RecordEvent;
  log: Log;
  /** Which machine holds an address, as leases and neighbours say. */
  macOf: (ip: string) => Mac | undefined;
  /** Container images that nodes may pull; without it there is no registry. */
  images?: RegistryImages;
};

/** Longest name in a path; a MAC, an image id and a ticket id are far shorter. */
const MAX_PARAM_BYTES = 200;

/** Builds the app with all its routes; nothing listens yet. */
export async function buildBootApp(deps: BootAppDeps): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: 1024,
    // `//` is the same as `/`: firmware joins paths carelessly and dies of the redirect that others send (smee #229).
    routerOptions: { ignoreDuplicateSlashes: true, maxParamLength: MAX_PARAM_BYTES },
    frameworkErrors: (error, request, reply) =>
      sendError(deps, error, request as FastifyRequest, reply as FastifyReply),
  });
  app.setErrorHandler((error: Error, request, reply) => sendError(deps, error, request, reply));
  app.setNotFoundHandler((request, reply) => sendNotFound(deps, request, reply));
  addBootRoutes(app, deps);
  addLoaderRoutes(app, deps);
  addImageRoutes(app, { ...deps, attemptOf: (ip) => deps.boot.attemptOf(ip) });
  if (deps.images !== undefined) addRegistryRoutes(app, deps.images);
  await app.ready();
  return app;
}

function sendError(deps: BootAppDeps, error: Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, reason, text } = replyToError(error);
  const path = pathOf(request.url);
  if (status >= 500) deps.log.error(`HTTP ${path} of ${peerOf(request).remoteIp}: ${reason}.`, { cause: error });
  if (wantsScript(path)) return sendScript(reply, deps.boot.faultScript(reason, peerOf(request).localIp));
  return sendText(reply, status, text);
}

function sendNotFound(deps: BootAppDeps, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = pathOf(request.url);
  const { localIp, remoteIp } = peerOf(request);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return sendText(reply.header("allow", "GET, HEAD"), 405, "Machines only read here: GET and HEAD.\n");
  }
  if (wantsScript(path) && request.method === "GET") {
    return sendScript(reply, deps.boot.faultScript(`there is no ${path} on this appliance`, localIp));
  }
  if (isRaspberryPiFile(path)) {
    const mac = deps.macOf(remoteIp);
    deps.record({
      kind: "raspberry-pi",
      ...(mac !== undefined && { mac }),
      detail: { file: path.slice(0, 100), ip: remoteIp },
    });
  }
  deps.log.debug(`HTTP ${path.slice(0, 200)} of ${remoteIp}: not here.`);
  return sendText(reply, 404, "There is no such file here.\n");
}

const sendText = (reply: FastifyReply, status: number, text: string) =>
  reply.code(status).headers({ "content-type": "text/plain; charset=utf-8" }).send(text);
