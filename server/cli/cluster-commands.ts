// `cluster create|list|status|delete|bootstrap`.
import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../contract/errors.ts";
import type { ClusterStatusView, CreateBody, CreatedView } from "../rest/cluster-schema.ts";
import { confirmName } from "./ask-person.ts";
import { clusterPage, clusterTable } from "./cluster-table.ts";
import { type CommonOptions, type Desk, openDesk, show } from "./output.ts";
import { parseTime } from "./parse-time.ts";

type Clusters = { clusters: ClusterStatusView[] };
export type CreateOptions = CommonOptions & { endpoint?: string; single?: boolean };
export type StatusOptions = CommonOptions & { wait?: boolean; timeout: string };

const LOOK_EVERY_MS = 2000;

export async function runClusterCreate(name: string, options: CreateOptions): Promise<void> {
  const desk = await openDesk(options);
  const { endpoint, single } = options;
  const body: CreateBody = { name, ...(endpoint ? { endpoint } : {}), ...(single ? { single } : {}) };
  if (desk.isTerminal) desk.note("Making the cluster's keys and asking the wire for the endpoint: some seconds.\n");
  const created = await desk.client.post<CreatedView>("/v1/clusters", body);
  await show(
    desk,
    created,
    () =>
      `cluster ${created.name}: created, endpoint ${created.endpoint} (${created.reason})\n` +
      "Next: give machines a role and let them install:\n" +
      "  slipway set MAC --role controlplane --approve\n" +
      (single ? "" : "  slipway set MAC --role worker --approve\n") +
      `  slipway cluster status ${created.name} --wait\n`,
  );
}

export async function runClusterList(options: CommonOptions): Promise<void> {
  const desk = await openDesk(options);
  const { clusters } = await desk.client.get<Clusters>("/v1/clusters");
  await show(desk, clusters, () => clusterTable(clusters, desk.width));
}

/** @throws CLUSTER_NOT_WHOLE after it has shown how the cluster is. */
export async function runClusterStatus(name: string | undefined, options: StatusOptions): Promise<void> {
  const timeoutMs = parseTime("--timeout", options.timeout);
  const desk = await openDesk(options);
  const wanted = await clusterName(desk, name);
  const read = () => desk.client.get<ClusterStatusView>(`/v1/clusters/${encodeURIComponent(wanted)}`);
  let status = await read();
  const endsAt = desk.now() + timeoutMs;
  let said = "";
  while (options.wait && !status.isGreen && desk.now() < endsAt) {
    if (status.summary !== said) desk.note(`${status.summary}\n`);
    said = status.summary;
    await sleep(LOOK_EVERY_MS);
    // An appliance that restarts meanwhile is asked again.
    status = await read().catch((fault) => keepWaiting(fault, status));
  }
  await show(desk, status, () => clusterPage(status, desk.now(), desk.width));
  if (status.isGreen) return;
  const { summary, remedy } = status;
  throw new SlipwayError("CLUSTER_NOT_WHOLE", `cluster ${wanted}: ${summary}`, remedy === undefined ? {} : { remedy });
}

function keepWaiting(fault: unknown, status: ClusterStatusView): ClusterStatusView {
  if (fault instanceof SlipwayError && fault.code === "NOT_RUNNING")
    return { ...status, summary: "the appliance does not answer; asked again until it does" };
  throw fault;
}

/** @throws NOT_FOUND when there is none, BAD_REQUEST when several are meant. */
export async function clusterName({ client }: Pick<Desk, "client">, name: string | undefined): Promise<string> {
  if (name !== undefined) return name;
  const { clusters } = await client.get<Clusters>("/v1/clusters");
  const [only, ...more] = clusters;
  if (only === undefined)
    throw new SlipwayError("NOT_FOUND", "there is no cluster yet", {
      remedy: "`slipway cluster create NAME` makes one.",
    });
  if (more.length === 0) return only.name;
  throw new SlipwayError("BAD_REQUEST", `there are several clusters: ${clusters.map((c) => c.name).join(", ")}`, {
    remedy: "Name the one that is meant.",
  });
}

export async function runClusterDelete(name: string, options: CommonOptions & { yes?: boolean }): Promise<void> {
  const desk = await openDesk(options);
  const question = `Forget cluster ${name}? Type its name: `;
  if (!options.yes && !(await confirmName(`cluster delete ${name}`, question, name)))
    return desk.note("Nothing was deleted.\n");
  const path = `/v1/clusters/${encodeURIComponent(name)}/delete`;
  const deleted = await desk.client.post<{ name: string; secretsPath?: string }>(path, {});
  const kept = deleted.secretsPath === undefined ? "" : `; its sealed secrets lie at ${deleted.secretsPath}`;
  await show(desk, deleted, () => `cluster ${name}: deleted${kept}\n`);
}

export async function runClusterBootstrap(name: string, options: CommonOptions & { yes?: boolean }): Promise<void> {
  const desk = await openDesk(options);
  const question = `Give up the data of cluster ${name} for good? Type its name: `;
  if (!options.yes && !(await confirmName(`cluster bootstrap ${name}`, question, name)))
    return desk.note("Nothing was permitted.\n");
  const path = `/v1/clusters/${encodeURIComponent(name)}/bootstrap`;
  const permitted = await desk.client.post<{ name: string }>(path, { newData: true });
  await show(desk, permitted, () => `cluster ${name}: may begin anew, once\n  slipway cluster status ${name} --wait\n`);
}
