// Labels, annotations and taints that a Node object must have and its kubelet may not give it (NodeRestriction): what the
// control plane changes. What was set is remembered in annotations under Talos's names, so that what a config no longer says
// goes away again and what others set stays. Called by run-duties.ts. Source: talos reference §4.4 (machine.nodeLabels …). Pure.
import { CONTROL_PLANE_LABEL, nodeTaints } from "../../server/contract/kubernetes/kubelet.ts";
import type { NodeConfig, Taint } from "../../server/contract/machine-config/node-config.ts";

export type NodeTaint = { key: string; value?: string; effect: string; timeAdded?: string };
export type NodeObject = {
  metadata: {
    name: string;
    resourceVersion?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: { podCIDR?: string; taints?: NodeTaint[]; unschedulable?: boolean };
  status?: {
    conditions?: { type: string; status: string; reason?: string; message?: string; lastHeartbeatTime?: string }[];
    addresses?: { type: string; address: string }[];
    nodeInfo?: { kubeletVersion?: string };
  };
};

/** What a node is to have, whoever says so. */
export type Wanted = {
  name: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  taints: readonly Taint[];
};

const OWNED = {
  labels: "talos.dev/owned-labels",
  annotations: "talos.dev/owned-annotations",
  taints: "talos.dev/owned-taints",
} as const;

/** From this node's own config. */
export const wantedOfConfig = (config: NodeConfig): Wanted => ({
  name: config.hostname,
  labels: { ...(config.controlPlane === undefined ? {} : { [CONTROL_PLANE_LABEL]: "" }), ...config.labels },
  annotations: config.annotations,
  taints: nodeTaints(config),
});

/** From the appliance's list. @param allowScheduling the cluster's: control planes take pods of everyone. */
export function wantedOfPeer(
  peer: {
    name: string;
    type: string;
    labels: Readonly<Record<string, string>>;
    annotations: Readonly<Record<string, string>>;
    taints: readonly string[];
  },
  allowScheduling: boolean,
): Wanted {
  const isControlPlane = peer.type === "controlplane";
  const taints = peer.taints.flatMap(parseTaint);
  const isShut = isControlPlane && !allowScheduling && !taints.some((t) => t.key === CONTROL_PLANE_LABEL);
  return {
    name: peer.name,
    labels: { ...(isControlPlane ? { [CONTROL_PLANE_LABEL]: "" } : {}), ...peer.labels },
    annotations: peer.annotations,
    taints: isShut ? [{ key: CONTROL_PLANE_LABEL, value: "", effect: "NoSchedule" }, ...taints] : taints,
  };
}

/** `key=value:Effect` or `key:Effect`. */
function parseTaint(text: string): Taint[] {
  const found = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
  return found === null ? [] : [{ key: found[1]!, value: found[2] ?? "", effect: found[3] as Taint["effect"] }];
}

/** A JSON merge patch (RFC 7396); undefined when the node has all that is wanted. It fails when the object changed meanwhile. */
export function planNodePatch(node: NodeObject, wanted: Wanted): Record<string, unknown> | undefined {
  const { labels = {}, annotations = {}, resourceVersion } = node.metadata;
  const labelChanges = mapChanges(labels, wanted.labels, ownedKeys(annotations, "labels"));
  const taints = taintsAfter(node.spec?.taints ?? [], wanted.taints, ownedKeys(annotations, "taints"));
  const owned = {
    ...ownedNote("labels", Object.keys(wanted.labels)),
    ...ownedNote("annotations", Object.keys(wanted.annotations)),
    ...ownedNote("taints", wanted.taints.map(taintId)),
  };
  const annotationChanges = {
    ...mapChanges(annotations, wanted.annotations, ownedKeys(annotations, "annotations")),
    ...mapChanges(annotations, dropUndefined(owned), Object.values(OWNED)),
  };
  const parts = {
    ...(isEmpty(labelChanges) ? {} : { labels: labelChanges }),
    ...(isEmpty(annotationChanges) ? {} : { annotations: annotationChanges }),
  };
  if (isEmpty(parts) && taints === undefined) return undefined;
  const metadata = { ...(resourceVersion === undefined ? {} : { resourceVersion }), ...parts };
  return { metadata, ...(taints === undefined ? {} : { spec: { taints } }) };
}

const isEmpty = (o: object): boolean => Object.keys(o).length === 0;
const dropUndefined = (o: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(o).filter((e): e is [string, string] => e[1] !== undefined));
const ownedNote = (what: keyof typeof OWNED, keys: readonly string[]): Record<string, string | undefined> => ({
  [OWNED[what]]: keys.length === 0 ? undefined : JSON.stringify([...keys].sort()),
});

function ownedKeys(annotations: Readonly<Record<string, string>>, what: keyof typeof OWNED): string[] {
  try {
    const keys: unknown = JSON.parse(annotations[OWNED[what]] ?? "[]");
    return Array.isArray(keys) ? keys.filter((k): k is string => typeof k === "string") : [];
  } catch {
    return [];
  }
}

/** What differs: a value, or null for a key that was ours and is wanted no more. */
function mapChanges(
  now: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
  owned: readonly string[],
): Record<string, string | null> {
  const set = Object.entries(wanted).filter(([key, value]) => now[key] !== value);
  const gone = owned.filter((key) => !(key in wanted) && key in now).map((key): [string, null] => [key, null]);
  return Object.fromEntries([...set, ...gone]);
}

const taintId = ({ key, effect }: { key: string; effect: string }): string => `${key}:${effect}`;

/** The whole list, because a merge patch replaces lists; undefined when nothing changes. Others' taints stay. */
function taintsAfter(now: readonly NodeTaint[], wanted: readonly Taint[], owned: readonly string[]) {
  const ids = new Set(wanted.map(taintId));
  const others = now.filter((t) => !ids.has(taintId(t)) && !owned.includes(taintId(t)));
  const ours: NodeTaint[] = wanted.map(({ key, value, effect }) => ({
    key,
    ...(value === "" ? {} : { value }),
    effect,
  }));
  const shown = (list: readonly NodeTaint[]) =>
    list
      .map((t) => `${t.key}=${t.value ?? ""}:${t.effect}`)
      .sort()
      .join();
  return shown([...others, ...ours]) === shown(now) ? undefined : [...others, ...ours];
}
