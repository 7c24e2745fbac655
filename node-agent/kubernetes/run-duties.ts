// What a control plane node does for its cluster beside running it: the objects of kube-system, serving certificates, labels
// and taints of all nodes. What any node does: learn where API servers are. Edge: the network and one file. Called by
// run-node.ts while the own API server is ready.
import { clusterObjects, FIELD_MANAGER } from "../../server/contract/kubernetes/manifests.ts";
import { type NodeFacts, ownAddresses } from "../../server/contract/kubernetes/node-facts.ts";
import { decideServingRequest } from "../../server/contract/kubernetes/serving-request.ts";
import type { KubernetesObject } from "../../server/contract/kubernetes/static-pod.ts";
import { objectPath } from "./api-path.ts";
import { type EndpointSlice, serversOfSlices } from "./balancer.ts";
import type { NodeContext, Settled } from "./context.ts";
import { KEPT_FILE, type Kept, renderKept } from "./kept.ts";
import { type NodeObject, planNodePatch, type Wanted, wantedOfConfig, wantedOfPeer } from "./node-patch.ts";
import type { Api } from "./open-api.ts";
import { writeFiles } from "./run-files.ts";
import { type CsrObject, isPending, knownNodes, readServingRequest } from "./serving-csr.ts";

/** What others changed in our objects is put right this often. */
const REAPPLY_MS = 600_000;
const SLICES_MS = 30_000;

/** What was done last, so that it is not done again at each look. */
export type DutyState = { applied: string; appliedFor: NodeFacts | undefined; appliedAtMs: number; slicesAtMs: number };
export const newDutyState = (): DutyState => ({ applied: "", appliedFor: undefined, appliedAtMs: 0, slicesAtMs: 0 });

/** Server-side apply of all objects of the cluster, when they changed or ten minutes passed. One that fails is tried again. */
export async function applyObjects(context: NodeContext, settled: Settled, api: Api, state: DutyState): Promise<void> {
  // The uptime of the process: a clock that is set must not make it skip or hurry.
  const isDue = performance.now() - state.appliedAtMs >= REAPPLY_MS;
  if (state.appliedFor === settled.facts && !isDue) return;
  const objects = clusterObjects(context.deps.config, settled.facts);
  const wanted = JSON.stringify(objects);
  if (state.applied === wanted && !isDue) {
    state.appliedFor = settled.facts;
    return;
  }
  const faults: string[] = [];
  for (const object of objects) {
    const fault = await applyObject(api, object);
    if (fault !== undefined) faults.push(fault);
  }
  if (faults.length === 0) {
    Object.assign(state, { applied: wanted, appliedFor: settled.facts, appliedAtMs: performance.now() });
    context.tell.once("apply", `The cluster's ${objects.length} own objects are as they should be.`);
  } else context.tell.once("apply", `Not all of the cluster's own objects were applied: ${faults.join("; ")}.`);
}

async function applyObject(api: Api, object: KubernetesObject): Promise<string | undefined> {
  const query = `?fieldManager=${FIELD_MANAGER}&force=true`;
  const answer = await api.send("PATCH", `${objectPath(object)}${query}`, object, "application/apply-patch+yaml");
  return answer.kind === "ok" ? undefined : `${object.kind} ${object.metadata.name}: ${answer.reason}`;
}

const CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
/** Those for serving certificates; the controller manager answers the others. */
export const SERVING_REQUESTS = `${CSRS}?fieldSelector=spec.signerName%3Dkubernetes.io%2Fkubelet-serving`;

/** Approves kubelets' requests for serving certificates, each only under names that its node is known by. */
export async function approveServing(
  context: NodeContext,
  settled: Settled,
  api: Api,
  requests: readonly CsrObject[],
): Promise<void> {
  const { deps, orders, tell } = context;
  const { hostname } = deps.config;
  const own = { name: hostname, dnsNames: [hostname], addresses: ownAddresses(deps.config, settled.facts) };
  const nodes = knownNodes(orders?.peers ?? [], own);
  for (const csr of requests.filter(isPending)) {
    const { name } = csr.metadata;
    const verdict = judge(csr, nodes);
    // It stays pending: the appliance's next list may know the address.
    if (verdict.kind === "refuse")
      tell.once(
        `csr ${csr.spec.username}`,
        `A serving certificate for ${csr.spec.username} is not approved: ${verdict.reason}.`,
      );
    if (verdict.kind !== "approve") continue;
    const condition = {
      type: "Approved",
      status: "True",
      reason: "SlipwayApproved",
      message: "Names and addresses are the node's.",
    };
    const body = { ...csr, status: { ...csr.status, conditions: [condition] } };
    const answer = await api.send("PUT", `${CSRS}/${name}/approval`, body);
    if (answer.kind === "ok") {
      tell.over(`csr ${csr.spec.username}`);
      deps.log.info(`Approved the serving certificate of ${csr.spec.username}.`);
    }
  }
}

function judge(csr: CsrObject, nodes: ReturnType<typeof knownNodes>) {
  try {
    return decideServingRequest(readServingRequest(csr), nodes);
  } catch (error) {
    return { kind: "refuse", reason: (error as Error).message } as const;
  }
}

/** Labels, annotations and taints of every node that is known and there. */
export async function labelNodes(context: NodeContext, api: Api, nodes: readonly NodeObject[]): Promise<void> {
  const { deps, orders } = context;
  const allowScheduling = deps.config.controlPlane?.allowScheduling ?? false;
  const own = wantedOfConfig(deps.config);
  const others = (orders?.peers ?? []).filter((p) => p.name !== own.name).map((p) => wantedOfPeer(p, allowScheduling));
  for (const wanted of [own, ...others]) {
    const node = nodes.find((n) => n.metadata.name === wanted.name);
    if (node !== undefined) await labelNode(context, api, node, wanted);
  }
}

async function labelNode({ tell }: NodeContext, api: Api, node: NodeObject, wanted: Wanted): Promise<void> {
  const patch = planNodePatch(node, wanted);
  if (patch === undefined) return;
  const answer = await api.send(
    "PATCH",
    `/api/v1/nodes/${wanted.name}?fieldManager=${FIELD_MANAGER}`,
    patch,
    "application/merge-patch+json",
  );
  // A conflict is the kubelet's heartbeat between our look and our word: the next look has it.
  if (answer.kind === "ok" || (answer.kind === "refused" && answer.status === 409)) tell.over(`labels ${wanted.name}`);
  else tell.once(`labels ${wanted.name}`, `Labels and taints of ${wanted.name} cannot be set: ${answer.reason}.`);
}

const SLICE = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";

/** Any node, as itself: where API servers are, for its balancer. */
export async function learnServers(context: NodeContext, api: Api, state: DutyState): Promise<void> {
  if (state.slicesAtMs !== 0 && performance.now() - state.slicesAtMs < SLICES_MS) return;
  const answer = await api.get<EndpointSlice>(SLICE);
  if (answer.kind !== "ok") return;
  state.slicesAtMs = performance.now();
  const servers = serversOfSlices([answer.value]);
  // None is a control plane that is just coming up: the last list is better.
  if (servers.length > 0) keep(context, { ...context.kept, servers });
}

/** Writes what was learnt to STATE, where it is new. */
export function keep(context: NodeContext, kept: Kept): void {
  if (renderKept(kept) === renderKept(context.kept)) return;
  context.kept = kept;
  const path = `${context.deps.stateDir}/${KEPT_FILE}`;
  writeFiles([{ path, text: renderKept(kept), uid: process.getuid?.() ?? 0, mode: 0o600 }]);
}
