// What the cluster routes accept and answer, as zod schemas (as schema.ts for machines). Pure.
import { z } from "zod";

const name = z.string().min(1).max(63).describe("Name of a cluster.");

export const CLUSTER_QUERY = z.object({ cluster: name });
export const CREATE_BODY = z.strictObject({
  name,
  endpoint: z
    .string()
    .max(253)
    .optional()
    .describe("Address that no machine has, or a host name; without it one beside the pool is chosen."),
  single: z.boolean().optional().describe("Pods may run on control plane nodes."),
});
export type CreateBody = z.infer<typeof CREATE_BODY>;
export const CREATED = z.object({ name: z.string(), endpoint: z.string(), reason: z.string() });
export type CreatedView = z.infer<typeof CREATED>;

const bootstrap = z.object({ state: z.string(), reason: z.string(), remedy: z.string().optional() });
const component = z.object({ name: z.string(), state: z.string(), detail: z.string() });

export const CLUSTER_STATUS = z.object({
  name: z.string(),
  createdAt: z.string().describe("ISO-8601 UTC."),
  endpoint: z.string().optional(),
  endpointHolder: z.string().optional().describe("Node that has the endpoint's address now."),
  isGreen: z.boolean(),
  summary: z.string().describe("One sentence."),
  remedy: z.string().optional(),
  bootstrap,
  etcd: z.object({
    clusterId: z.string().optional(),
    members: z.array(z.object({ node: z.string(), isHealthy: z.boolean(), detail: z.string() })),
  }),
  nodes: z.array(
    z.object({
      name: z.string(),
      type: z.enum(["controlplane", "worker"]),
      isReady: z.boolean(),
      reason: z.string().describe("What is missing; empty when ready."),
      since: z.number().optional().describe("Milliseconds since 1970, as far as this appliance saw."),
      version: z.string().optional(),
      address: z.string().optional(),
      isCordoned: z.boolean(),
      isHeard: z.boolean(),
      memoryAvailableBytes: z.number().optional(),
      components: z.array(component),
    }),
  ),
  waiting: z
    .array(
      z.object({ name: z.string(), lifecycle: z.string(), doing: z.string(), waits: z.string(), next: z.string() }),
    )
    .describe("Machines of the cluster that are no nodes yet."),
  pendingPods: z.array(z.object({ namespace: z.string(), name: z.string(), reason: z.string() })),
  notes: z.array(z.object({ node: z.string(), note: z.string() })),
});
export type ClusterStatusView = z.infer<typeof CLUSTER_STATUS>;
export const CLUSTERS = z.object({ clusters: z.array(CLUSTER_STATUS) });

export const BOOTSTRAP_BODY = z.strictObject({
  newData: z.literal(true).describe("The cluster's data is gone for good; a new one may begin."),
});
export const DELETED = z.object({
  name: z.string(),
  secretsPath: z.string().optional().describe("Where its sealed secrets lie now."),
});

export const APPLY_BODY = z.strictObject({
  files: z
    .array(z.strictObject({ name: z.string().max(4096), text: z.string() }))
    .min(1)
    .max(1000),
  dryRun: z.boolean().optional(),
});
export type ApplyBody = z.infer<typeof APPLY_BODY>;
export const APPLIED = z.object({
  dryRun: z.boolean(),
  applied: z.array(
    z.object({
      kind: z.enum(["Cluster", "Role", "Machine"]),
      name: z.string(),
      change: z.enum(["created", "changed", "unchanged"]),
      what: z.array(z.string()).readonly().describe("Keys that differ."),
    }),
  ),
  endpoints: z.array(z.object({ cluster: z.string(), endpoint: z.string(), reason: z.string() })),
});
export type AppliedView = z.infer<typeof APPLIED>;

export const CONFIG_VIEW = z.object({
  text: z.string().describe("The machine config, YAML, with its secrets masked."),
  notes: z
    .array(z.object({ line: z.number(), column: z.number(), path: z.string(), message: z.string(), class: z.string() }))
    .describe("Accepted, and not in force as written."),
});
export type ConfigView = z.infer<typeof CONFIG_VIEW>;

export const KUBECONFIG_BODY = z.strictObject({
  lifetimeMs: z.number().int().positive().optional().describe("Of the certificate; default a year."),
  server: z
    .url({ protocol: /^https$/, error: "must be a URL such as https://127.0.0.1:16443" })
    .max(500)
    .optional(),
  tlsServerName: z.string().max(253).optional(),
});
export type KubeconfigBody = z.infer<typeof KUBECONFIG_BODY>;
export const KUBECONFIG_VIEW = z.object({ kubeconfig: z.string().describe("YAML with a private key: a secret.") });
