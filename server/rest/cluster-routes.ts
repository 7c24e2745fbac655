// /v1/clusters and /v1/apply: people's and programs' door to clusters. Thin: server/cluster decides and writes. A kubeconfig
// and a config leave by this socket only, and no log shows them.
import { randomBytes } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { adminKubeconfig } from "../cluster/admin-kubeconfig.ts";
import type { ClusterAdmin } from "../cluster/admin-service.ts";
import { getCluster } from "../cluster/admin-service.ts";
import { clusterStatus } from "../cluster/cluster-status.ts";
import type { Desk } from "../cluster/desk-service.ts";
import { maskSecrets } from "../cluster/mask-secrets.ts";
import { clusterOf } from "../cluster/site.ts";
import { SlipwayError } from "../contract/errors.ts";
import { formatConfigFaults } from "../contract/machine-config/decode.ts";
import type { SecretsBundle } from "../contract/machine-config/secrets-bundle.ts";
import type { AdminDeps } from "./app.ts";
import { addApplyRoutes } from "./apply-routes.ts";
import * as s from "./cluster-schema.ts";
import { getMachine } from "./machine-routes.ts";
import { viewOf } from "./machine-view.ts";
import { ERROR_BODY, MACHINE_QUERY } from "./schema.ts";

export type ClusterParts = {
  desk: Desk;
  admin: ClusterAdmin;
  /** Opens a cluster's sealed bundle. */
  openBundle: (cluster: string) => Promise<SecretsBundle>;
  record: (event: { kind: "kubeconfig-issued"; detail: { cluster: string; actor: string; hours: number } }) => void;
};

const FAULTS = { "4xx": ERROR_BODY, "5xx": ERROR_BODY };
const HOUR_MS = 3_600_000;
const YEAR_HOURS = 8760;

export function addClusterRoutes(app: FastifyInstance, deps: AdminDeps, parts: ClusterParts): void {
  addReadingRoutes(app, deps, parts);
  addWritingRoutes(app, deps, parts);
  addSecretRoutes(app, deps, parts);
  addApplyRoutes(app, deps, parts);
}

function statusOfCluster({ desk }: ClusterParts, { liveOf }: AdminDeps, name: string): s.ClusterStatusView {
  const { view } = desk;
  const record = getCluster(view.site, name);
  return clusterStatus(record, {
    ...view,
    site: view.site,
    waitOf: (m) => desk.waitOf(m),
    decision: view.decisionOf(name),
    isInTouch: (id) => liveOf?.(id) !== undefined,
    stepOf: (m) => viewOf(m, [], 0, liveOf?.(m.id)).activityReason,
  });
}

function addReadingRoutes(app: FastifyInstance, deps: AdminDeps, parts: ClusterParts): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    "/v1/clusters",
    { schema: { summary: "All clusters and how they are", response: { 200: s.CLUSTERS, ...FAULTS } } },
    async () => ({ clusters: parts.desk.view.site.clusters.map(({ name }) => statusOfCluster(parts, deps, name)) }),
  );
  routes.get(
    "/v1/clusters/:cluster",
    {
      schema: {
        summary: "One cluster: nodes, etcd, endpoint, what is missing and why",
        params: s.CLUSTER_QUERY,
        response: { 200: s.CLUSTER_STATUS, ...FAULTS },
      },
    },
    async ({ params }) => statusOfCluster(parts, deps, params.cluster),
  );
}

function addWritingRoutes(app: FastifyInstance, deps: AdminDeps, { admin }: ClusterParts): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.post(
    "/v1/clusters",
    {
      schema: {
        summary: "Make a cluster: its secrets, and an endpoint that is no node's address",
        body: s.CREATE_BODY,
        response: { 200: s.CREATED, ...FAULTS },
      },
    },
    async (request) => {
      const { name, endpoint, single = false } = request.body;
      const order = { name, isSingle: single, ...(endpoint === undefined ? {} : { endpoint }) };
      const { record, reason } = await admin.create(order, deps.actorOf(request));
      return { name, endpoint: clusterOf(record).endpoint ?? "", reason };
    },
  );
  routes.post(
    "/v1/clusters/:cluster/delete",
    {
      schema: {
        summary: "Forget a cluster that has no installed machines",
        params: s.CLUSTER_QUERY,
        response: { 200: s.DELETED, ...FAULTS },
      },
    },
    async (request) => {
      const name = request.params.cluster;
      return { name, ...(await admin.remove(name, deps.actorOf(request))) };
    },
  );
  routes.post(
    "/v1/clusters/:cluster/bootstrap",
    {
      schema: {
        summary: "Permit a lost cluster, or one in doubt, to begin anew with new data",
        params: s.CLUSTER_QUERY,
        body: s.BOOTSTRAP_BODY,
        response: { 200: s.DELETED, ...FAULTS },
      },
    },
    async (request) => {
      await admin.permitNewData(request.params.cluster, deps.actorOf(request));
      return { name: request.params.cluster };
    },
  );
}

function addSecretRoutes(app: FastifyInstance, deps: AdminDeps, parts: ClusterParts): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    "/v1/machines/:machine/config",
    {
      schema: {
        summary: "The machine config as it would be given out now, with its secrets masked",
        params: MACHINE_QUERY,
        response: { 200: s.CONFIG_VIEW, ...FAULTS },
      },
    },
    async ({ params }) => previewConfig(deps, parts, params.machine),
  );
  routes.post(
    "/v1/clusters/:cluster/kubeconfig",
    {
      schema: {
        summary: "A kubeconfig with a fresh administrator's certificate; who had it made is an event",
        params: s.CLUSTER_QUERY,
        body: s.KUBECONFIG_BODY,
        response: { 200: s.KUBECONFIG_VIEW, ...FAULTS },
      },
    },
    async (request, reply) => {
      const name = request.params.cluster;
      const actor = deps.actorOf(request);
      const cluster = clusterOf(getCluster(parts.desk.view.site, name));
      const { endpoint } = cluster;
      if (endpoint === undefined)
        throw new SlipwayError("BAD_TRANSITION", `cluster ${name} has no endpoint yet`, {
          remedy: `\`slipway cluster status ${name}\` says what is missing.`,
        });
      const bundle = await parts.openBundle(name);
      const source = { randomBytes, nowMs: deps.now() };
      const kubeconfig = adminKubeconfig({ ...cluster, endpoint }, bundle, request.body, source);
      const hours = Math.round(((request.body.lifetimeMs ?? YEAR_HOURS * HOUR_MS) / HOUR_MS) * 10) / 10;
      const detail = `cluster ${name}: an administrator's kubeconfig, good for ${hours} h`;
      await deps.inventory.appendAudit({ actor, action: "issue", target: `cluster ${name}`, detail });
      parts.record({ kind: "kubeconfig-issued", detail: { cluster: name, actor, hours } });
      reply.header("cache-control", "no-store");
      return { kubeconfig };
    },
  );
}

async function previewConfig(deps: AdminDeps, { desk }: ClusterParts, ref: string): Promise<s.ConfigView> {
  const machine = await getMachine(deps, ref);
  const rendered = await desk.previewConfig(machine);
  if (rendered.kind === "refused")
    throw new SlipwayError("BAD_TRANSITION", `no config can be made for ${ref}: ${rendered.reason}`, {
      remedy: rendered.remedy,
    });
  if (rendered.kind === "faults") {
    const faults = rendered.faults.map((f) => ({
      at: `config:${f.line}:${f.column}`,
      message: `${f.path}: ${f.message}`,
    }));
    throw new SlipwayError("BAD_IMPORT", formatConfigFaults("config", rendered.faults).join("\n"), {
      faults,
      remedy: "Correct the patches in the Role or Machine document, then `slipway apply -f FILE`.",
    });
  }
  const notes = rendered.notes.map(({ line, column, path, message, class: kind }) => ({
    line,
    column,
    path,
    message,
    class: kind,
  }));
  return { text: maskSecrets(rendered.text) ?? "", notes };
}
