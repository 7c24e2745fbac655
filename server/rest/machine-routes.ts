// /v1/machines: list, get; set, approve, retire, delete, import, export. Thin: the plans are pure (plan-set.ts,
// plan-import.ts), the inventory writes all of a plan or nothing, with its audit entry.
import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { parseCidr } from "../../inventory/address.ts";
import { type Machine, ROLES } from "../../inventory/machine.ts";
import { SlipwayError } from "../contract/errors.ts";
import type { AdminDeps } from "./app.ts";
import type { Facts, FieldFault } from "./check-fields.ts";
import { findMachine } from "./find-machine.ts";
import { judgeEnds } from "./judge-end.ts";
import { formatCsv } from "./machine-csv.ts";
import { formatDocuments } from "./machine-document.ts";
import { viewOf } from "./machine-view.ts";
import { addOrderRoutes } from "./order-routes.ts";
import { planImport } from "./plan-import.ts";
import { knownMachines, type Move, planMove, planSet } from "./plan-set.ts";
import { raiseFaults } from "./raise-faults.ts";
import {
  APPROVE_BODY,
  DELETE_BODY,
  ERROR_BODY,
  IMPORT_BODY,
  IMPORT_RESULT,
  MACHINE,
  MACHINE_QUERY,
  MACHINES,
  type MachineView,
  RETIRE_BODY,
  SET_BODY,
} from "./schema.ts";

const DOCUMENTS_AT_ONCE = 20;
const FAULTS = { "4xx": ERROR_BODY, "5xx": ERROR_BODY };

export function addMachineRoutes(app: FastifyInstance, deps: AdminDeps): void {
  addReadingRoutes(app, deps);
  addWritingRoutes(app, deps);
  addOrderRoutes(app, deps);
  addImportRoute(app, deps);
}

async function listViews({ inventory, now, liveOf }: AdminDeps): Promise<MachineView[]> {
  const [machines, leases] = await Promise.all([inventory.listMachines(), inventory.listLeases()]);
  return machines.map((m) => viewOf(m, leases, now() / 1000, liveOf?.(m.id)));
}

function addReadingRoutes(app: FastifyInstance, deps: AdminDeps): void {
  const { inventory, now } = deps;
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    "/v1/machines",
    { schema: { summary: "All machines", response: { 200: MACHINES, ...FAULTS } } },
    async () => ({ machines: await listViews(deps) }),
  );
  routes.get(
    "/v1/machines/:machine",
    {
      schema: {
        summary: "One machine with all that is known",
        params: MACHINE_QUERY,
        response: { 200: MACHINE, ...FAULTS },
      },
    },
    async ({ params }) => {
      const machine = await getMachine(deps, params.machine);
      const view = viewOf(machine, await inventory.listLeases(), now() / 1000, deps.liveOf?.(machine.id));
      return { ...view, facts: machine.facts };
    },
  );
  routes.get(
    "/v1/export/machines",
    {
      schema: {
        summary: "All machines as a file: a stream of Machine documents, or CSV; `import` reads both back",
        querystring: z.object({ format: z.enum(["yaml", "csv"]).default("yaml") }),
      },
    },
    async ({ query }, reply) => {
      // In the order of the MACs, so that two exports can be compared line by line.
      const views = (await listViews(deps)).toSorted((a, b) => (a.macs[0]! < b.macs[0]! ? -1 : 1));
      reply.type(query.format === "csv" ? "text/csv; charset=utf-8" : "application/yaml; charset=utf-8");
      return reply.send(Readable.from(query.format === "csv" ? [formatCsv(views)] : documentsOf(views)));
    },
  );
}

/** Thousands of machines as YAML take seconds: DHCP must be answered between them. */
async function* documentsOf(views: readonly MachineView[]) {
  for (let i = 0; i < views.length; i += DOCUMENTS_AT_ONCE) {
    yield formatDocuments(views.slice(i, i + DOCUMENTS_AT_ONCE));
    await nextTurn();
  }
}

function addWritingRoutes(app: FastifyInstance, deps: AdminDeps): void {
  const { inventory, endsCluster = () => undefined } = deps;
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const answer = (machines: readonly Machine[]) => ({ machines: machines.map((m) => viewOf(m, [], 0, undefined)) });

  routes.post(
    "/v1/machines/set",
    {
      schema: {
        summary: "Change fields of machines, all or none",
        body: SET_BODY,
        response: { 200: MACHINES, ...FAULTS },
      },
    },
    async (request) => {
      const actor = deps.actorOf(request);
      const { creations, changes } = planSet(request.body, await gatherFacts(deps, request.body.set.address != null));
      return answer(await inventory.changeMachines(creations, changes, actor));
    },
  );
  const move = async (order: Move, actor: string) =>
    answer(await inventory.changeMachines([], planMove(order, await inventory.listMachines(), endsCluster), actor));
  routes.post(
    "/v1/machines/approve",
    {
      schema: {
        summary: "Approve machines, all or none: they may install",
        body: APPROVE_BODY,
        response: { 200: MACHINES, ...FAULTS },
      },
    },
    (request) => move({ ...request.body, verb: "approve" }, deps.actorOf(request)),
  );
  routes.post(
    "/v1/machines/retire",
    {
      schema: {
        summary: "Retire machines, all or none: they go on to their disk and get nothing else",
        body: RETIRE_BODY,
        response: { 200: MACHINES, ...FAULTS },
      },
    },
    (request) => move({ ...request.body, verb: "retire" }, deps.actorOf(request)),
  );
  routes.post(
    "/v1/machines/delete",
    {
      schema: {
        summary: "Forget machines, all or none; their events and audit entries stay",
        body: DELETE_BODY,
        response: { 200: MACHINES, ...FAULTS },
      },
    },
    async (request) => {
      const actor = deps.actorOf(request);
      const faults: FieldFault[] = [];
      const machines = knownMachines(request.body.machines, await inventory.listMachines(), faults);
      judgeEnds(machines, request.body.clusterName, endsCluster, faults);
      raiseFaults(faults, "BAD_REQUEST");
      await inventory.deleteMachines(
        machines.map((m) => m.id),
        actor,
      );
      return answer(machines);
    },
  );
}

function addImportRoute(app: FastifyInstance, deps: AdminDeps): void {
  const { inventory } = deps;
  app.withTypeProvider<ZodTypeProvider>().post(
    "/v1/machines/import",
    {
      schema: {
        summary: "Create and change machines from rows; every row is checked, none is written when one is wrong",
        body: IMPORT_BODY,
        response: { 200: IMPORT_RESULT, ...FAULTS },
      },
    },
    async (request) => {
      const { rows, approve = false, dryRun = false } = request.body;
      const actor = deps.actorOf(request);
      const { creations, changes, unchanged } = planImport(rows, approve, await gatherFacts(deps, true));
      const machines = dryRun ? [] : await inventory.changeMachines(creations, changes, actor);
      const views = machines.map((m) => viewOf(m, [], 0, undefined));
      return { created: creations.length, changed: changes.length, unchanged, dryRun, machines: views };
    },
  );
}

/** @throws NOT_FOUND, BAD_REQUEST when the name fits several. */
export async function getMachine({ inventory }: AdminDeps, ref: string): Promise<Machine> {
  const found = findMachine(await inventory.listMachines(), ref);
  if (found.kind === "machine") return found.machine;
  if (found.kind === "several") throw new SlipwayError("BAD_REQUEST", `"${ref}" is ${found.reason}; give more of it`);
  const reason = found.kind === "none" ? found.reason : "no machine has this MAC";
  throw new SlipwayError("NOT_FOUND", `"${ref}": ${reason}`);
}

/** Leases and networks cost a look at the interfaces; only addresses need them. */
export async function gatherFacts({ inventory, now, status }: AdminDeps, withNetworks: boolean): Promise<Facts> {
  const [machines, clusters, roles, leases, state] = await Promise.all([
    inventory.listMachines(),
    inventory.listClusters(),
    inventory.listRoles(),
    withNetworks ? inventory.listLeases() : [],
    withNetworks ? status() : undefined,
  ]);
  const interfaces = state?.interfaces ?? [];
  return {
    machines,
    clusters: clusters.map((c) => c.name),
    roles: [...new Set([...ROLES, ...roles.map((r) => r.name)])],
    leases,
    networks: interfaces.flatMap((i) => i.networks.flatMap((n) => parseCidr(n.subnet) ?? [])),
    ownAddresses: interfaces.flatMap((i) => i.addresses),
    endpoints: new Map(clusters.map((c): [string, string] => [String(c.spec.endpoint), c.name])),
    nowSeconds: now() / 1000,
  };
}
