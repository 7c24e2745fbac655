// /v1/status, /v1/roles and /v1/audit/…: the appliance's own state, and who changed what.
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { LIFECYCLE, ROLES } from "../../inventory/machine.ts";
import type { AdminDeps } from "./app.ts";
import { AUDIT_CHECK, AUDIT_QUERY, AUDIT_RESULT, ERROR_BODY, ROLES_RESULT } from "./schema.ts";
import { STATUS_RESULT } from "./status.ts";

const FAULTS = { "4xx": ERROR_BODY, "5xx": ERROR_BODY };
const DEFAULT_ENTRIES = 200;

export function addStatusRoutes(app: FastifyInstance, { inventory, status }: AdminDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    "/v1/status",
    {
      schema: { summary: "Interfaces, DHCP mode and why, assets, alarms", response: { 200: STATUS_RESULT, ...FAULTS } },
    },
    async () => {
      const [state, machines] = await Promise.all([status(), inventory.listMachines()]);
      const counts = Object.keys(LIFECYCLE).map((l) => [l, machines.filter((m) => m.lifecycle === l).length]);
      return { ...state, machines: Object.fromEntries(counts) };
    },
  );
  routes.get(
    "/v1/roles",
    { schema: { summary: "Roles that a machine can have", response: { 200: ROLES_RESULT, ...FAULTS } } },
    async () => ({
      roles: [...new Set([...ROLES, ...(await inventory.listRoles()).map((r) => r.name)])],
    }),
  );
  routes.get(
    "/v1/audit",
    {
      schema: {
        summary: "Who changed what, oldest first",
        querystring: AUDIT_QUERY,
        response: { 200: AUDIT_RESULT, ...FAULTS },
      },
    },
    async ({ query: { afterSeq, limit = DEFAULT_ENTRIES } }) => ({
      entries: await inventory.listAudit({ ...(afterSeq === undefined ? {} : { afterSeq }), limit }),
    }),
  );
  routes.get(
    "/v1/audit/verify",
    { schema: { summary: "Whether the chain of hashes holds", response: { 200: AUDIT_CHECK, ...FAULTS } } },
    async () => {
      const firstBadSeq = await inventory.checkAudit();
      return firstBadSeq === undefined ? { isIntact: true } : { isIntact: false, firstBadSeq };
    },
  );
}
