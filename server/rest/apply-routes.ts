// POST /v1/apply and GET /v1/export/site: files of Cluster, Role and Machine documents, all or none. The machines' fields are judged as an import's
// (plan-import.ts), the rest by server/cluster; every fault has its file, line and column.
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { readTopology, topologyError } from "../cluster/topology-document.ts";
import type { AdminDeps } from "./app.ts";
import type { ClusterParts } from "./cluster-routes.ts";
import { APPLIED, APPLY_BODY } from "./cluster-schema.ts";
import { gatherFacts } from "./machine-routes.ts";
import { planMachines } from "./plan-apply.ts";
import { ERROR_BODY } from "./schema.ts";
import { formatSite } from "./site-document.ts";

const FAULTS = { "4xx": ERROR_BODY, "5xx": ERROR_BODY };

export function addApplyRoutes(app: FastifyInstance, deps: AdminDeps, { admin }: ClusterParts): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    "/v1/export/site",
    { schema: { summary: "Clusters, roles and machines as a stream of documents that /v1/apply reads back" } },
    async (_request, reply) => {
      const { inventory } = deps;
      const [clusters, roles, machines] = await Promise.all([
        inventory.listClusters(),
        inventory.listRoles(),
        inventory.listMachines(),
      ]);
      return reply.type("application/yaml; charset=utf-8").send(formatSite({ clusters, roles, machines }));
    },
  );
  routes.post(
    "/v1/apply",
    {
      schema: {
        summary: "Create and change clusters, roles and machines from documents; none is written when one is wrong",
        body: APPLY_BODY,
        response: { 200: APPLIED, ...FAULTS },
      },
    },
    async (request) => {
      const { files, dryRun = false } = request.body;
      const actor = deps.actorOf(request);
      const { inventory } = deps;
      const [clusters, roles] = await Promise.all([inventory.listClusters(), inventory.listRoles()]);
      const known = { clusters: clusters.map((c) => c.name), roles: roles.map((r) => r.name) };
      const { parsed, faultAt } = readTopology(files, known);
      if (parsed.kind === "faults") throw topologyError(parsed.faults);
      const machines = planMachines(parsed.machines, await gatherFacts(deps, true), faultAt);
      if (machines.faults.length > 0) throw topologyError(machines.faults);
      const result = await admin.apply({ topology: parsed, faultAt, machines, isDryRun: dryRun }, actor);
      return { dryRun, ...result };
    },
  );
}
