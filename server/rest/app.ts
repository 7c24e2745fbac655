// The admin API as a Fastify application: people's and programs' door to the inventory (design §2 row 12). It has no port
// and no accounts: who may open dataDir/admin.sock (admin-socket.ts) may do everything, and each change carries who it was.
import swagger from "@fastify/swagger";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import type { Machine } from "../../inventory/machine.ts";
import type { Actor, Inventory } from "../../inventory/port.ts";
import type { LiveMachine } from "../boot/live-machine.ts";
import type { Log } from "../boot/ports.ts";
import { SlipwayError } from "../contract/errors.ts";
import { addClusterRoutes, type ClusterParts } from "./cluster-routes.ts";
import { errorReply } from "./error-reply.ts";
import { addEventRoutes } from "./event-routes.ts";
import { addImageRoutes, type ImageParts } from "./image-routes.ts";
import { addMachineRoutes } from "./machine-routes.ts";
import type { StatusDocument } from "./status.ts";
import { addStatusRoutes } from "./status-routes.ts";
import { addTicketRoutes, type IssueTicket } from "./ticket-routes.ts";

export type AdminDeps = {
  inventory: Inventory;
  log: Log;
  /** Milliseconds since 1970. */
  now: () => number;
  version: string;
  /** The appliance's own state; called for each `status` and each change of an address. */
  status: () => Promise<StatusDocument>;
  /** Who asks; throws NOT_ALLOWED when that cannot be known. `actorOfPeer` of peer-socket.ts in the appliance. */
  actorOf: (request: FastifyRequest) => Actor;
  /** What a machine that is in touch says of itself; without it nobody is. */
  liveOf?: (machineId: string) => LiveMachine | undefined;
  /** Name of the cluster whose last data this machine holds, alone or with those that go too; without it there are no clusters. */
  endsCluster?: (machine: Machine, going: readonly Machine[]) => string | undefined;
  /** Makes a ticket for a machine that no boot script leads here; without it there is no such route. */
  issueTicket?: IssueTicket;
  /** Clusters and machine configs; without it there are no such routes. */
  clusters?: ClusterParts;
  /** Container images of people's own; without it there are no such routes. */
  images?: ImageParts;
};

/** 20,000 rows of an import fit. */
const BODY_BYTES = 8 * 2 ** 20;

/** The application without a socket: tests use `inject`, {@link listenAdmin} opens the socket. */
export async function buildAdminApp(deps: AdminDeps): Promise<FastifyInstance> {
  const app = fastify({ logger: false, bodyLimit: BODY_BYTES, routerOptions: { ignoreTrailingSlash: true } });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app, deps.log);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Slipway admin API",
        description:
          "Served on dataDir/admin.sock only. Every error has the form of ErrorBody; docs/errors.md lists the codes.",
        version: deps.version,
      },
    },
    transform: jsonSchemaTransform,
  });
  addMachineRoutes(app, deps);
  addEventRoutes(app, deps);
  addStatusRoutes(app, deps);
  if (deps.issueTicket !== undefined) addTicketRoutes(app, deps, deps.issueTicket);
  if (deps.clusters !== undefined) addClusterRoutes(app, deps, deps.clusters);
  if (deps.images !== undefined) addImageRoutes(app, deps, deps.images);
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
  await app.ready();
  return app;
}

function answerFaults(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((error, request, reply) => {
    const { status, body } = errorReply(error);
    if (body.code === "INTERNAL") log.error(`admin API: ${request.method} ${request.url} failed`, { err: error });
    return reply.code(status).type("application/json").serializer(JSON.stringify).send(body);
  });
  app.setNotFoundHandler((request) => {
    const path = request.url.split("?")[0];
    throw new SlipwayError("NOT_FOUND", `the admin API has no ${request.method} ${path}`, {
      remedy: "GET /openapi.json lists what there is; an older appliance knows less than a newer CLI.",
    });
  });
}
