// What iPXE asks: its first script, the script of its machine, autoexec.ipxe beside every loader, and its ticket. The
// answers come from server/boot/service.ts; here are only the routes. A fault on any of them but the ticket is answered
// with a script (app.ts).
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AUTOEXEC, ENTRY_PATH, LOOP_PATH, SCRIPT_PATH, ticketPath } from "../boot/paths.ts";
import type { RecordEvent } from "../boot/ports.ts";
import type { ScriptQuery } from "../boot/script-request.ts";
import type { BootService } from "../boot/service.ts";
import { peerOf } from "./deliver-routes.ts";

/** What these routes need of the boot service; tests give their own. */
export type BootPort = Pick<
  BootService,
  | "entryScript"
  | "loopScript"
  | "autoexec"
  | "script"
  | "ticket"
  | "httpLoader"
  | "faultScript"
  | "attemptOf"
  | "noteLoaderFetched"
>;
export type BootRouteDeps = { boot: BootPort; record: RecordEvent };

/** iPXE tries its own directory, then the root (pxe.md 2.9). */
const AUTOEXEC_PATHS = [`/${AUTOEXEC}`, `/ipxe/:dir/${AUTOEXEC}`, `/ipxe-http/:mac/:dir/${AUTOEXEC}`];

export function addBootRoutes(app: FastifyInstance, deps: BootRouteDeps): void {
  const { boot } = deps;
  const method = ["GET", "HEAD"];
  app.route({
    method,
    url: ENTRY_PATH,
    handler: (request, reply) => sendScript(reply, boot.entryScript(peerOf(request))),
  });
  app.route({
    method,
    url: LOOP_PATH,
    handler: (request, reply) => sendScript(reply, boot.loopScript(peerOf(request))),
  });
  for (const url of AUTOEXEC_PATHS) {
    app.route({ method, url, handler: (request, reply) => sendScript(reply, boot.autoexec(peerOf(request))) });
  }
  // GET only: asking for a script begins a boot attempt, fetching a ticket makes a new token.
  app.route({
    method: "GET",
    url: SCRIPT_PATH,
    exposeHeadRoute: false,
    handler: async (request, reply) => sendScript(reply, await boot.script(queryOf(request), peerOf(request))),
  });
  app.route({
    method: "GET",
    url: ticketPath(":id"),
    exposeHeadRoute: false,
    handler: (request: FastifyRequest<{ Params: { id: string } }>, reply) => sendTicket(deps, request, reply),
  });
}

/** Scripts are made for one machine and one moment: nobody may keep them. */
export function sendScript(reply: FastifyReply, script: string): FastifyReply {
  return reply
    .code(200)
    .headers({ "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" })
    .send(script);
}

/** A refused ticket is a 403: iPXE stops there and its script goes on, where a text would be booted in its place. */
async function sendTicket(
  { boot, record }: BootRouteDeps,
  request: FastifyRequest<{ Params: { id: string } }>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { id } = request.params;
  const answer = await boot.ticket(id, peerOf(request));
  const who = answer.mac !== undefined && { mac: answer.mac, attemptId: id };
  reply.header("cache-control", "no-store");
  if (answer.kind === "refused") {
    record({ kind: "ticket-refused", ...who, detail: { reason: answer.reason, ip: peerOf(request).remoteIp } });
    reply.code(403).header("content-type", "text/plain; charset=utf-8");
    return reply.send(
      `The ticket was refused: ${answer.reason}.\nPower the machine on again: each boot gets a fresh one.\n`,
    );
  }
  reply.raw.once("close", () => {
    if (reply.raw.writableFinished) record({ kind: "ticket-fetched", ...who, detail: {} });
  });
  return reply.code(200).header("content-type", "application/octet-stream").send(answer.body);
}

/** Query values as text; of a repeated key the first counts. */
function queryOf(request: FastifyRequest): ScriptQuery {
  const pairs = Object.entries(request.query as Record<string, string | string[]>);
  return Object.fromEntries(pairs.map(([key, value]) => [key, Array.isArray(value) ? value[0] : value]));
}
