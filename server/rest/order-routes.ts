// POST /v1/machines/{install,reboot,shutdown,reset}: what a person wants a machine to do. Thin: plan-orders.ts decides, the
// inventory writes all of a plan or nothing, with its audit entry.
import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { PendingVerb } from "../../inventory/cluster.ts";
import type { AdminDeps } from "./app.ts";
import { viewOf } from "./machine-view.ts";
import { type OrderFacts, planInstallOrders, planVerbs } from "./plan-orders.ts";
import { ERROR_BODY, INSTALL_BODY, MACHINES, VERB_BODY } from "./schema.ts";

const FAULTS = { "4xx": ERROR_BODY, "5xx": ERROR_BODY };

const VERBS: Readonly<Record<PendingVerb["verb"], string>> = {
  reboot: "Restart machines that are in touch, all or none",
  shutdown: "Switch machines off that are in touch, all or none",
  reset:
    "Wipe what an install made on machines' system disks, all or none; they are discovered again, without approval",
};

export function addOrderRoutes(app: FastifyInstance, deps: AdminDeps): void {
  const { inventory, now, liveOf = () => undefined, endsCluster = () => undefined } = deps;
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const facts = async (): Promise<OrderFacts> => ({
    ...{ machines: await inventory.listMachines(), liveOf, endsCluster, newId: randomUUID, now: now() },
  });
  routes.post(
    "/v1/machines/install",
    {
      schema: {
        summary:
          "Order an install, also of what is installed, all or none; it counts as approval and opens the window anew",
        body: INSTALL_BODY,
        response: { 200: MACHINES, ...FAULTS },
      },
    },
    async (request) => {
      const actor = deps.actorOf(request);
      const machines = await inventory.changeMachines([], planInstallOrders(request.body, await facts()), actor);
      return { machines: machines.map((m) => viewOf(m, [], 0, liveOf(m.id))) };
    },
  );
  for (const [verb, summary] of Object.entries(VERBS) as [PendingVerb["verb"], string][]) {
    routes.post(
      `/v1/machines/${verb}`,
      { schema: { summary, body: VERB_BODY, response: { 200: MACHINES, ...FAULTS } } },
      async (request) => {
        const actor = deps.actorOf(request);
        const machines = await inventory.changeMachines([], planVerbs(verb, request.body, await facts()), actor);
        return { machines: machines.map((m) => viewOf(m, [], 0, liveOf(m.id))) };
      },
    );
  }
}
