// A new kubeconfig merged into a file that a person has already: other clusters, users, contexts and settings stay. An entry
// of the same name is replaced when it is of the same cluster (the same CA), else the new one gets a number, as Talos's
// clients do. kubeconfig-file.ts reads and writes the file. Pure but for the YAML reader.
import { parse, stringify } from "yaml";
import { SlipwayError } from "../contract/errors.ts";

type Named = { name: string } & Record<string, unknown>;
type Config = { clusters?: Named[]; users?: Named[]; contexts?: Named[]; "current-context"?: string } & Record<
  string,
  unknown
>;

export type Merged = { text: string; context: string };

/**
 * @param before the file's text; empty when there is none.
 * @param added a kubeconfig of one cluster, one user, one context, as the appliance makes it.
 * @param forced name for the context, whatever the file has under it.
 * @throws BAD_REQUEST when the file is no kubeconfig; it names `path`.
 */
export function mergeKubeconfig(before: string, added: string, forced: string | undefined, path: string): Merged {
  const file = readConfig(before, path);
  const one = parse(added) as Config;
  const [cluster, user, context] = [one.clusters![0]!, one.users![0]!, one.contexts![0]!];
  const old = file.clusters?.find((c) => c.name === cluster.name);
  const clusterName =
    old === undefined || isSameCluster(old, cluster) ? cluster.name : freeName(file.clusters!, cluster.name);
  const wanted = forced ?? contextName(file, context.name, clusterName);
  const names = { cluster: clusterName, user: wanted };
  const details = { ...(context.context as object), ...names };
  const merged: Config = {
    apiVersion: "v1",
    kind: "Config",
    ...file,
    clusters: put(file.clusters, { ...cluster, name: clusterName }),
    users: put(file.users, { ...user, name: wanted }),
    contexts: put(file.contexts, { name: wanted, context: details }),
    "current-context": wanted,
  };
  return { text: stringify(merged, { lineWidth: 0, aliasDuplicateObjects: false }), context: wanted };
}

/** @throws BAD_REQUEST when the file is no kubeconfig; it names `path`. An empty text is one. */
export function assertKubeconfig(text: string, path: string): void {
  readConfig(text, path);
}

function readConfig(text: string, path: string): Config {
  let value: unknown;
  try {
    value = parse(text) ?? {};
  } catch {
    value = undefined;
  }
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  const lists = isMap ? ["clusters", "users", "contexts"].map((key) => (value as Config)[key]) : [];
  if (!isMap || lists.some((list) => list !== undefined && list !== null && !Array.isArray(list)))
    throw new SlipwayError("BAD_REQUEST", `${path}: is no kubeconfig, so nothing was merged into it`, {
      remedy: "Move the file away, name another with --file, or print with --stdout.",
    });
  const config = value as Config;
  // kubectl writes `clusters: null` into an empty file.
  for (const key of ["clusters", "users", "contexts"]) if (config[key] === null) delete config[key];
  return config;
}

const caOf = (cluster: Named) =>
  (cluster.cluster as Record<string, unknown> | undefined)?.["certificate-authority-data"];
const isSameCluster = (a: Named, b: Named): boolean => caOf(a) === caOf(b);

/** A context of this name that leads to another cluster keeps its name. */
function contextName(file: Config, name: string, clusterName: string): string {
  const old = file.contexts?.find((c) => c.name === name);
  const leadsTo = (old?.context as { cluster?: string } | undefined)?.cluster;
  return old === undefined || leadsTo === clusterName ? name : freeName(file.contexts!, name);
}

function freeName(list: readonly Named[], name: string): string {
  for (let n = 1; ; n++) if (!list.some((one) => one.name === `${name}-${n}`)) return `${name}-${n}`;
}

function put(list: readonly Named[] | undefined, one: Named): Named[] {
  const all = [...(list ?? [])];
  const at = all.findIndex((old) => old.name === one.name);
  if (at === -1) return [...all, one];
  return all.map((old, i) => (i === at ? one : old));
}
