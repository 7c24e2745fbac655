// Looks at a node: its services, etcd, the API servers, its own Node object. Edge: processes and the network. Called by
// run-node.ts; node-status.ts says what it means.
import type { EtcdStatus } from "../../server/contract/generated/agent.ts";
import { balancerUrl } from "../../server/contract/kubernetes/kubelet.ts";
import { NODE_PATHS, PORTS } from "../../server/contract/kubernetes/node-paths.ts";
import type { NodeContext } from "./context.ts";
import type { NodeObject } from "./node-patch.ts";
import type { Observation, PodObject } from "./node-status.ts";
import { type Api, type ApiAnswer, type ApiTarget, openApi } from "./open-api.ts";
import { readEtcdData, readText } from "./run-files.ts";
import { readUnits, SYSTEMD_SILENT, type Units } from "./run-systemd.ts";
import { SERVICE_ORDER } from "./services.ts";

/** Generous: an API server that is gone refuses at once, and under emulation an answer takes seconds. */
const LOOK_TIMEOUT_MS = 15_000;
const READY_TIMEOUT_MS = 4000;

/** The node's clients; undefined while their certificates are not there. */
export type Clients = {
  /** As this node, by the balancer. */
  kubelet(): Api | undefined;
  /** As the cluster's admin, at the own API server. */
  admin(): Api | undefined;
  etcd(): Api | undefined;
  /** As whoever may only ask to join. */
  bootstrap(): Api | undefined;
  close(): void;
};

/** Certificate and key in one file, which the kubelet replaces at each rotation. */
export const KUBELET_CERTIFICATE = `${NODE_PATHS.kubeletPki}/kubelet-client-current.pem`;

export function openClients(context: NodeContext): Clients {
  const { config } = context.deps;
  const kept = new Map<string, { made: string; api: Api }>();
  /** A client is made anew when its certificate is. */
  const client = (name: string, server: string, ca: string, credential: ApiTarget["credential"] | undefined) => {
    if (credential === undefined) return undefined;
    const made = "crt" in credential ? credential.crt : credential.token;
    const old = kept.get(name);
    if (old?.made === made) return old.api;
    old?.api.close();
    const api = openApi({ server, ca, credential });
    kept.set(name, { made, api });
    return api;
  };
  const { controlPlane, cluster } = config;
  const issued = (name: string) => context.settled?.issued.get(name);
  return {
    kubelet: () => {
      const pem = readText(KUBELET_CERTIFICATE);
      return client(
        "kubelet",
        balancerUrl(config),
        cluster.caCrt,
        pem === undefined ? undefined : { crt: pem, key: pem },
      );
    },
    admin: () =>
      controlPlane &&
      client("admin", `https://127.0.0.1:${controlPlane.apiServerPort}`, cluster.caCrt, issued("node-admin")),
    etcd: () =>
      controlPlane &&
      client("etcd", `https://127.0.0.1:${PORTS.etcdClient}`, controlPlane.etcdCa.crt, issued("etcd-admin")),
    bootstrap: () => client("bootstrap", balancerUrl(config), cluster.caCrt, { token: cluster.bootstrapToken }),
    close: () => {
      for (const { api } of kept.values()) api.close();
      kept.clear();
    },
  };
}

/** One request: whether the own API server answers `/readyz`. */
export async function isApiReady(clients: Clients): Promise<boolean> {
  const answer = await clients.admin()?.get("/readyz", READY_TIMEOUT_MS);
  return answer?.kind === "ok";
}

/**
 * Whether the cluster would hear this node's kubelet: with its own certificate, or else with the token that joins.
 * @returns why not, in words; undefined when it would.
 */
export async function whyUnheard(clients: Clients): Promise<string | undefined> {
  const own = clients.kubelet();
  const answer = await (own ?? clients.bootstrap())!.get("/readyz", READY_TIMEOUT_MS);
  // A certificate that is refused is the kubelet's to replace.
  if (answer.kind === "ok" || (own !== undefined && answer.kind === "refused" && answer.status < 500)) return undefined;
  return answer.reason;
}

export async function observe(context: NodeContext, clients: Clients): Promise<Observation> {
  const { deps, settled } = context;
  const isControlPlane = deps.config.controlPlane !== undefined;
  const around = deps.surroundings();
  const wanted = settled?.services ?? [];
  const [units, own, etcd, isApiServerReady] = await Promise.all([
    wanted.length === 0 ? {} : lookAtUnits(context),
    observeSelf(clients, deps.config.hostname),
    isControlPlane ? observeEtcd(context, clients) : undefined,
    isControlPlane ? isApiReady(clients) : false,
  ]);
  const unheard = context.hasApiAnswered || isControlPlane ? undefined : await whyUnheard(clients);
  if (!isControlPlane && unheard === undefined && settled !== undefined) context.hasApiAnswered = true;
  const cluster = isApiServerReady ? await observeCluster(clients.admin()!) : { nodes: [], pending: [] };
  return {
    installId: deps.installId,
    isControlPlane,
    setup: context.setup ?? (unheard === undefined ? undefined : `the cluster's API does not answer yet: ${unheard}`),
    bootstrapObstacle: context.bootstrapObstacle,
    units,
    etcd,
    isApiServerReady,
    ...own,
    ...cluster,
    holdsEndpoint: around.holdsEndpoint,
    configNotes: deps.configNotes,
    memoryAvailableBytes: around.memoryAvailableBytes,
  };
}

/** systemd starts again by itself what ends; a node that is Ready need not pay a program every two seconds to see it. */
const UNITS_WHEN_READY_MS = 10_000;

/** Of those that were told to run. When systemd says nothing, what was last known holds. */
async function lookAtUnits(context: NodeContext): Promise<Units> {
  const { unitsSeenMs } = context;
  const isFresh = unitsSeenMs !== undefined && performance.now() - unitsSeenMs < UNITS_WHEN_READY_MS;
  if (!(context.isReady && isFresh)) await askUnits(context);
  const wanted = context.settled?.services ?? [];
  return Object.fromEntries(Object.entries(context.units ?? {}).filter(([name]) => wanted.some((w) => w === name)));
}

async function askUnits(context: NodeContext): Promise<void> {
  const units = await readUnits(context.deps.run, SERVICE_ORDER);
  if (units === undefined) return context.tell.once("systemd", `${SYSTEMD_SILENT}.`);
  context.tell.over("systemd");
  context.units = units;
  context.unitsSeenMs = performance.now();
}

type List<T> = { items?: T[] };
const itemsOf = <T>(answer: ApiAnswer<List<T>>): T[] => (answer.kind === "ok" ? (answer.value.items ?? []) : []);

async function observeSelf(clients: Clients, name: string) {
  const api = clients.kubelet();
  const none = { node: undefined, nodeFault: "its kubelet has no certificate yet", isNodeUnknown: false, pods: [] };
  if (api === undefined) return none;
  const selector = `fieldSelector=spec.nodeName%3D${encodeURIComponent(name)}`;
  const [node, pods] = await Promise.all([
    api.get<NodeObject>(`/api/v1/nodes/${encodeURIComponent(name)}`, LOOK_TIMEOUT_MS),
    api.get<List<PodObject>>(`/api/v1/namespaces/kube-system/pods?${selector}`, LOOK_TIMEOUT_MS),
  ]);
  return {
    node: node.kind === "ok" ? node.value : undefined,
    nodeFault: node.kind === "ok" ? "" : node.reason,
    isNodeUnknown: node.kind === "refused" && node.status === 404,
    pods: itemsOf(pods),
  };
}

async function observeCluster(admin: Api): Promise<Pick<Observation, "nodes" | "pending">> {
  const [nodes, pending] = await Promise.all([
    admin.get<List<NodeObject>>("/api/v1/nodes?limit=1000", LOOK_TIMEOUT_MS),
    // A number that a person can read: who has more waiting pods than this sees the first ones.
    admin.get<List<PodObject>>("/api/v1/pods?fieldSelector=status.phase%3DPending&limit=50", LOOK_TIMEOUT_MS),
  ]);
  return { nodes: itemsOf(nodes), pending: itemsOf(pending) };
}

type Members = { header?: { cluster_id?: string; member_id?: string }; members?: { name?: string; ID?: string }[] };

/** The id from the data itself; health and members from etcd, when it answers. */
async function observeEtcd({ settled, setup }: NodeContext, clients: Clients): Promise<EtcdStatus> {
  // Before the disk is mounted, a directory without data says nothing.
  if (settled === undefined) {
    return {
      data: { $case: "unknown", value: setup ?? "the node is being set up" },
      healthy: false,
      memberId: "",
      members: [],
    };
  }
  const data = readEtcdData(NODE_PATHS.etcdData);
  if (data.kind === "none") return { data: { $case: "none", value: {} }, healthy: false, memberId: "", members: [] };
  const answer = await clients.etcd()?.send<Members>("POST", "/v3/cluster/member/list", {});
  const members = answer?.kind === "ok" ? answer.value : undefined;
  const names = (members?.members ?? []).map(({ name, ID }) => name || hex(ID ?? "0")).sort();
  const healthy = members !== undefined;
  if (data.kind === "data") {
    const { clusterId, memberId } = data.ids;
    return { data: { $case: "clusterId", value: clusterId }, healthy, memberId, members: names };
  }
  const id = members?.header?.cluster_id;
  if (id === undefined)
    return { data: { $case: "unknown", value: data.reason }, healthy, memberId: "", members: names };
  return {
    data: { $case: "clusterId", value: hex(id) },
    healthy,
    memberId: hex(members?.header?.member_id ?? "0"),
    members: names,
  };
}

/** The gateway writes 64-bit numbers in decimal. */
const hex = (decimal: string): string => BigInt(decimal).toString(16);
