// `kubeconfig`: an administrator's certificate, merged into the file that kubectl reads (kubeconfig-file.ts). The appliance
// audits what it issues before it answers, so the place for it is looked at first: nothing is issued that cannot be kept.
import { SlipwayError } from "../contract/errors.ts";
import type { KubeconfigBody } from "../rest/cluster-schema.ts";
import { clusterName } from "./cluster-commands.ts";
import { assertMergeable, kubeconfigPath, mergeInto } from "./kubeconfig-file.ts";
import { mergeKubeconfig } from "./merge-kubeconfig.ts";
import { type CommonOptions, type Desk, openDesk } from "./output.ts";
import { parseTime } from "./parse-time.ts";

export type KubeconfigOptions = CommonOptions & {
  merge?: boolean;
  stdout?: boolean;
  file?: string;
  lifetime: string;
  forceContextName?: string;
  server?: string;
  tlsServerName?: string;
};

export async function runKubeconfig(name: string | undefined, options: KubeconfigOptions): Promise<void> {
  const { merge, stdout, file, server, tlsServerName, forceContextName } = options;
  if (stdout && (merge || file !== undefined)) {
    const other = merge ? "--merge" : "--file";
    throw new SlipwayError("BAD_REQUEST", `--stdout and ${other} contradict each other`, {
      remedy: "Give one of the two.",
    });
  }
  const lifetimeMs = parseTime("--lifetime", options.lifetime);
  const path = file ?? kubeconfigPath(process.env);
  const desk = await openDesk(options);
  const cluster = await clusterName(desk, name);
  if (!stdout) assertMergeable(path);
  const text = await fetchKubeconfig(desk, cluster, {
    lifetimeMs,
    ...(server === undefined ? {} : { server }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
  });
  if (stdout) return desk.print(mergeKubeconfig("", text, forceContextName, "standard output").text);
  const context = mergeInto(path, text, forceContextName);
  desk.note(`${path}: context ${context} leads to cluster ${cluster} now, and is the current one.\n`);
}

export async function fetchKubeconfig(
  desk: Pick<Desk, "client">,
  cluster: string,
  body: KubeconfigBody,
): Promise<string> {
  const path = `/v1/clusters/${encodeURIComponent(cluster)}/kubeconfig`;
  return (await desk.client.post<{ kubeconfig: string }>(path, body)).kubeconfig;
}
