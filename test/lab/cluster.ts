// A cluster in the lab: made, given its machines, watched until it is whole, by the admin API that the CLI uses. Called by
// run-cluster.ts (npm start, npm run lab), the end-to-end tests and the long tests. What it is made of: cluster-shape.ts.
import { setTimeout as sleep } from "node:timers/promises";
import type { AdminClient } from "../../server/cli/admin-client.ts";
import { SlipwayError } from "../../server/contract/errors.ts";
import type { ClusterStatusView } from "../../server/rest/cluster-schema.ts";
import type { MachineView } from "../../server/rest/schema.ts";
import { type ClusterShape, type PlannedNode, planNodes, slowRoles } from "./cluster-shape.ts";
import type { LabMachine } from "./machine.ts";

export type LabNode = PlannedNode & { machine: LabMachine };

export type ClusterSettings = {
  name: string;
  shape: ClusterShape;
  /** Pods may run on the control plane. */
  isSingle?: boolean;
  /** Where the pool is another server's, the address has to be named. */
  endpoint?: string;
  /** Its machines' processors are emulated. */
  isSlow?: boolean;
  makeMachine: (node: PlannedNode, index: number) => LabMachine;
};

export type LabCluster = {
  readonly name: string;
  readonly nodes: readonly LabNode[];
  /** `192.0.2.127`. */
  readonly endpoint: string;
  status(): Promise<ClusterStatusView>;
  /**
   * Waits until every node of the cluster is there and all of it is green.
   * @param onChange called with each new summary.
   * @throws COMMAND_FAILED with the summary, the remedy and each machine's last words when the time is over.
   */
  waitUntilGreen(timeoutMs: number, onChange?: (summary: string) => void): Promise<ClusterStatusView>;
  /** Every node is Ready; pods that a new cluster starts then may still be on their way. */
  waitUntilReady(timeoutMs: number, onChange?: (summary: string) => void): Promise<ClusterStatusView>;
  /** An administrator's kubeconfig; `server` leads to it by another way than its endpoint. */
  kubeconfig(server?: string): Promise<string>;
};

/** The lab's machines of an earlier run: their disks are gone, and the inventory must not wait for them. */
const LAB_MAC = /^52:54:00:00:/;
const LOOK_EVERY_MS = 1000;

/** Forgets what an earlier run on the same dataDir left: its machines, then its cluster. */
export async function forgetEarlier(admin: AdminClient, cluster: string): Promise<void> {
  const { machines } = await admin.get<{ machines: MachineView[] }>("/v1/machines");
  const old = machines.flatMap(({ macs }) => macs.filter((mac) => LAB_MAC.test(mac)).slice(0, 1));
  if (old.length > 0) await admin.post("/v1/machines/delete", { machines: old, clusterName: cluster });
  const { clusters } = await admin.get<{ clusters: { name: string }[] }>("/v1/clusters");
  if (clusters.some(({ name }) => name === cluster)) await admin.post(`/v1/clusters/${cluster}/delete`, {});
}

/** Makes the cluster and writes its machines down, approved; none is switched on yet. */
export async function makeCluster(admin: AdminClient, settings: ClusterSettings): Promise<LabCluster> {
  const { name, shape, isSingle = false, endpoint, isSlow = false, makeMachine } = settings;
  const body = { name, single: isSingle, ...(endpoint === undefined ? {} : { endpoint }) };
  const created = await admin.post<{ endpoint: string }>("/v1/clusters", body);
  if (isSlow) await admin.post("/v1/apply", { files: [{ name: "lab-roles.yaml", text: slowRoles() }] });
  const nodes = planNodes(name, shape).map((node, index) => ({ ...node, machine: makeMachine(node, index) }));
  for (const { name: host, role, machine } of nodes) {
    await admin.post("/v1/machines/set", { machines: [machine.mac], set: { name: host, role }, approve: true });
  }
  const status = () => admin.get<ClusterStatusView>(`/v1/clusters/${name}`);
  return {
    ...{ name, nodes, endpoint: created.endpoint, status },
    waitUntilGreen: (timeoutMs, onChange) => waitUntil("green", { nodes, status }, timeoutMs, onChange),
    waitUntilReady: (timeoutMs, onChange) => waitUntil("Ready", { nodes, status }, timeoutMs, onChange),
    kubeconfig: async (server) => {
      const wanted = server === undefined ? {} : { server };
      return (await admin.post<{ kubeconfig: string }>(`/v1/clusters/${name}/kubeconfig`, wanted)).kubeconfig;
    },
  };
}

const REACHED: Record<"green" | "Ready", (seen: ClusterStatusView) => boolean> = {
  green: (seen) => seen.isGreen,
  Ready: (seen) => seen.nodes.every((node) => node.isReady),
};

async function waitUntil(
  wanted: keyof typeof REACHED,
  { nodes, status }: Pick<LabCluster, "nodes" | "status">,
  timeoutMs: number,
  onChange: (summary: string) => void = () => {},
): Promise<ClusterStatusView> {
  const until = Date.now() + timeoutMs;
  let told = "";
  let seen: ClusterStatusView | undefined;
  while (Date.now() < until) {
    // The appliance may be away for a moment: it is killed in tests.
    seen = (await status().catch(() => undefined)) ?? seen;
    if (seen !== undefined && seen.summary !== told) {
      told = seen.summary;
      onChange(told);
    }
    if (seen !== undefined && seen.nodes.length === nodes.length && REACHED[wanted](seen)) return seen;
    await sleep(LOOK_EVERY_MS);
  }
  const words = nodes.map(({ name, machine }) => `${name} (${machine.mac}) said last:\n${machine.lastWords()}`);
  throw new SlipwayError(
    "COMMAND_FAILED",
    `the cluster was not ${wanted} within ${Math.round(timeoutMs / 1000)} s: ${seen?.summary ?? "nobody could say how it is"}` +
      `${seen?.remedy ? `; ${seen.remedy}` : ""}\n${JSON.stringify(seen, undefined, 1)}\n${words.join("\n")}`,
  );
}
