// Looks at a node: its services, etcd, the API servers, its own Node object. Edge: processes and the network. Called by
// run-node.ts; node-status.ts says what it means.
import type { EtcdStatus } from "../../server/contract/generated/agent.ts";
import { balancerUrl } from "../../server/contract/kubernetes/kubelet.ts";
import { clusterObjects } from "../../server/contract/kubernetes/manifests.ts";
import { NODE_PATHS, PORTS } from "../../server/contract/kubernetes/node-paths.ts";
import { apiWords } from "./api-words.ts";
import type { NodeContext } from "./context.ts";
import type { NodeObject } from "./node-patch.ts";
import type { Observation, PodObject } from "./node-status.ts";
import { type Api, type ApiAnswer, type ApiTarget, openApi } from "./open-api.ts";
import { openWatch, type Watch } from "./open-watch.ts";
import { readEtcdData, readText } from "./run-files.ts";
import { lookAtUnits } from "./run-units.ts";
import type { CsrObject } from "./serving-csr.ts";
import { unfinishedWorkloads, type WorkloadObject, workloadsOf } from "./workloads.ts";

/** For the endpoint, which is given for five seconds at a time. */
const PING_TIMEOUT_MS = 4000;
/** For what a person is told: a server that is gone refuses at once, and an emulated one that is busy takes seconds. */
const READY_TIMEOUT_MS = 15_000;
/** A number that a person can read: who has more waiting pods than this sees the first ones. */
const MOST_PENDING = 50;

/** What is followed rather than asked for, by who may: with its path. */
export type Watched = {
  node: NodeObject;
  pods: PodObject;
  nodes: NodeObject;
  pending: PodObject;
  requests: CsrObject;
  deployments: WorkloadObject;
  daemonSets: WorkloadObject;
};
type WatchName = keyof Watched;

/** The node's clients; undefined while their certificates are not there. */
export type Clients = {
  /** As this node, by the balancer. */
  kubelet(): Api | undefined;
  /** As the cluster's admin, at the own API server. */
  admin(): Api | undefined;
  etcd(): Api | undefined;
  /** As whoever may only ask to join. */
  bootstrap(): Api | undefined;
  /** A list at hand, of the own client that it is named for. */
  watch<N extends WatchName>(name: N, api: Api, path: string): Promise<ApiAnswer<readonly Watched[N][]>>;
  /** Ends whatever runs, at once; what is asked later fails at once. */
  close(): void;
};

/** Certificate and key in one file, which the kubelet replaces at each rotation. */
export const KUBELET_CERTIFICATE = `${NODE_PATHS.kubeletPki}/kubelet-client-current.pem`;

/** @param changed is called when something changed in what is followed. */
export function openClients(context: NodeContext, changed: () => void): Clients {
  const { config } = context.deps;
  const kept = new Map<string, { made: string; api: Api }>();
  const watches = new Map<WatchName, { api: Api; watch: Watch<Watched[WatchName]> }>();
  let isClosed = false;
  /** Its watches first: they would go on with the old certificate. */
  const end = (api: Api) => {
    for (const kept of watches.values()) if (kept.api === api) kept.watch.close();
    api.close();
  };
  /** A client is made anew when its certificate is. */
  const client = (name: string, server: string, ca: string, credential: ApiTarget["credential"] | undefined) => {
    if (credential === undefined) return undefined;
    const made = "crt" in credential ? credential.crt : credential.token;
    const old = kept.get(name);
    if (old?.made === made) return old.api;
    if (old !== undefined) end(old.api);
    const api = openApi({ server, ca, credential });
    if (isClosed) api.close();
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
      client("etcd", `https://127.0.0.1:${PORTS.etcdHttp}`, controlPlane.etcdCa.crt, issued("etcd-admin")),
    bootstrap: () => client("bootstrap", balancerUrl(config), cluster.caCrt, { token: cluster.bootstrapToken }),
    watch: <N extends WatchName>(name: N, api: Api, path: string) => {
      const old = watches.get(name);
      if (old?.api !== api) {
        old?.watch.close();
        watches.set(name, { api, watch: openWatch<Watched[N]>(api, path, changed) });
      }
      return watches.get(name)!.watch.items() as Promise<ApiAnswer<readonly Watched[N][]>>;
    },
    close: () => {
      isClosed = true;
      // They stay in the map: a turn that still runs gets these, and with them its end.
      for (const { api } of kept.values()) end(api);
    },
  };
}

/** One request: whether the own API server answers, which it does without etcd, too. */
export const doesApiAnswer = (clients: Pick<Clients, "admin">): Promise<boolean> =>
  isFine(clients, "/livez/ping", PING_TIMEOUT_MS);

/** One request: whether the own API server is ready, etcd included. */
const isApiReady = (clients: Clients): Promise<boolean> => isFine(clients, "/readyz", READY_TIMEOUT_MS);

async function isFine(clients: Pick<Clients, "admin">, path: string, timeoutMs: number): Promise<boolean> {
  const answer = await clients.admin()?.get(path, timeoutMs);
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
  return apiWords(answer, own === undefined ? "token" : "certificate");
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
  const cluster = isApiServerReady ? await observeCluster(context, clients, clients.admin()!) : NO_CLUSTER;
  return {
    installId: deps.installId,
    isControlPlane,
    setup: context.setup ?? unheard,
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

const itemsOf = <T>(answer: ApiAnswer<readonly T[]>): readonly T[] => (answer.kind === "ok" ? answer.value : []);

async function observeSelf(clients: Clients, name: string) {
  const api = clients.kubelet();
  const none = { node: undefined, nodeFault: "its kubelet has no certificate yet", isNodeUnknown: false, pods: [] };
  if (api === undefined) return none;
  const self = encodeURIComponent(name);
  const [nodes, pods] = await Promise.all([
    clients.watch("node", api, `/api/v1/nodes?fieldSelector=metadata.name%3D${self}`),
    clients.watch("pods", api, `/api/v1/namespaces/kube-system/pods?fieldSelector=spec.nodeName%3D${self}`),
  ]);
  const node = itemsOf(nodes)[0];
  const isNodeUnknown = nodes.kind === "ok" && node === undefined;
  const nodeFault = nodes.kind === "ok" ? (isNodeUnknown ? "its kubelet has not registered it" : "") : nodes.reason;
  return { node, nodeFault, isNodeUnknown, pods: itemsOf(pods) };
}

type ClusterSight = Pick<Observation, "nodes" | "pending" | "unfinished">;
const NO_CLUSTER: ClusterSight = { nodes: [], pending: [], unfinished: [] };

async function observeCluster(context: NodeContext, clients: Clients, admin: Api): Promise<ClusterSight> {
  const [nodes, pending, deployments, daemonSets] = await Promise.all([
    clients.watch("nodes", admin, "/api/v1/nodes"),
    clients.watch("pending", admin, "/api/v1/pods?fieldSelector=status.phase%3DPending"),
    clients.watch("deployments", admin, "/apis/apps/v1/namespaces/kube-system/deployments"),
    clients.watch("daemonSets", admin, "/apis/apps/v1/namespaces/kube-system/daemonsets"),
  ]);
  const { settled, deps } = context;
  if (settled !== undefined) context.ownWorkloads ??= workloadsOf(clusterObjects(deps.config, settled.facts));
  return {
    nodes: itemsOf(nodes),
    pending: itemsOf(pending).slice(0, MOST_PENDING),
    unfinished: unfinishedWorkloads(context.ownWorkloads ?? [], {
      Deployment: deployments.kind === "ok" ? deployments.value : undefined,
      DaemonSet: daemonSets.kind === "ok" ? daemonSets.value : undefined,
    }),
  };
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
