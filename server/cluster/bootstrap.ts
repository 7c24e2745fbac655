// Who starts a cluster's etcd, exactly once. Two first members would be two clusters that both look whole, so the choice is
// written down before the node is told, and doubt stops everything until it is over. The appliance calls decideBootstrap
// whenever something about a control plane changes, does the one thing that it says, writes it down, and calls again.
// Reason and remedy are what people read in `slipway cluster status`. Pure.

/** What is written down about a cluster's first member. Times in milliseconds since 1970. */
export type BootstrapRecord =
  | { kind: "never" }
  /** Committed before the node was told. `installId`: which installation of that machine was meant. */
  | { kind: "intended"; nodeId: string; installId: string; atMs: number }
  /** `members`: installations that are known to hold the data. */
  | { kind: "confirmed"; etcdClusterId: string; members: readonly Member[]; atMs: number };
export type Member = { nodeId: string; installId: string };

/** A control plane machine as it is known now. */
export type ControlPlaneNode = {
  nodeId: string;
  name: string;
  /** Changes with every reset and reinstall; undefined while it is not installed. */
  installId: string | undefined;
  isRetired: boolean;
  heardAtMs: number | undefined;
  /** Answers right now. */
  isReachable: boolean;
  /** Its answer: no data, data of that cluster, or it cannot tell yet. Only meant while reachable. */
  etcd: { kind: "none" } | { kind: "data"; clusterId: string } | { kind: "unknown" };
  /** Why it cannot be the first member yet ("its clock is not set"); undefined when it can. */
  obstacle: string | undefined;
};

export type BootstrapFacts = {
  record: BootstrapRecord;
  nodes: readonly ControlPlaneNode[];
  /** When a person last permitted new data; used up by the next intent. */
  newDataPermittedAtMs: number | undefined;
  nowMs: number;
  /** How long a chosen node may be silent before its fate counts as unknown. */
  silenceLimitMs: number;
};

export type BootstrapDecision =
  | { kind: "wait"; reason: string }
  /** Commit the intent, then ask again. */
  | { kind: "intend"; nodeId: string; installId: string; reason: string }
  /** Tell this node, as often as needed: it does it once. */
  | { kind: "tell"; nodeId: string; reason: string }
  | { kind: "confirm"; nodeId: string; installId: string; etcdClusterId: string }
  | { kind: "done"; reason: string }
  | { kind: "uncertain"; reason: string; remedy: string }
  | { kind: "lost"; reason: string; remedy: string }
  | { kind: "conflict"; reason: string; remedy: string };

/** Ten minutes: a reboot with slow firmware, disk checks and an image load fits in. */
export const SILENCE_LIMIT_MS = 600_000;

const NEW_DATA = "if its data is gone for good: `slipway cluster bootstrap NAME --new-data`";
type Holder = ControlPlaneNode & { clusterId: string };

export function decideBootstrap(facts: BootstrapFacts): BootstrapDecision {
  const nodes = facts.nodes.filter((n) => !n.isRetired);
  const holders = nodes.flatMap((n): Holder[] =>
    n.isReachable && n.etcd.kind === "data" ? [{ ...n, clusterId: n.etcd.clusterId }] : [],
  );
  const ids = [...new Set(holders.map((h) => h.clusterId))];
  if (ids.length > 1) {
    const who = holders.map((h) => `${h.name} has ${h.clusterId}`).join(", ");
    return {
      kind: "conflict",
      reason: `two etcd clusters: ${who}`,
      remedy: "reset the machines that hold the wrong one",
    };
  }
  const { record } = facts;
  if (record.kind === "confirmed") return decideConfirmed(facts, record, nodes, holders);
  if (record.kind === "intended") return decideIntended(facts, record, nodes, holders);
  return decideFirst(nodes, holders);
}

const foreign = (holder: Holder): BootstrapDecision => ({
  kind: "conflict",
  reason: `${holder.name} holds the data of an etcd cluster (${holder.clusterId}) that is not this one`,
  remedy: `reset it: \`slipway reset ${holder.name}\``,
});

/** Nothing is written down of a beginning, yet one was: a copy of the database from before it looks the same as foreign data. */
const found = (holder: Holder): BootstrapDecision => ({
  kind: "conflict",
  reason: `${holder.name} holds the data of an etcd cluster (${holder.clusterId}), and this appliance knows of no beginning`,
  remedy: `if the inventory was restored from an older copy, do not reset: restore a newer one from dataDir/backup; if the data is of no use: \`slipway reset ${holder.name}\``,
});

function decideFirst(nodes: readonly ControlPlaneNode[], holders: readonly Holder[]): BootstrapDecision {
  if (holders[0] !== undefined) return found(holders[0]);
  const reachable = nodes.filter((n) => n.isReachable && n.installId !== undefined);
  const mute = reachable.find((n) => n.etcd.kind === "unknown");
  if (mute !== undefined) return { kind: "wait", reason: `${mute.name} has not said yet whether it holds etcd data` };
  const [first] = reachable.filter((n) => n.obstacle === undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (first !== undefined) {
    const reason = `${first.name} is the first control plane that is ready; ${reachable.length} were asked, none has data`;
    return { kind: "intend", nodeId: first.nodeId, installId: first.installId!, reason };
  }
  const why = reachable.map((n) => `${n.name}: ${n.obstacle}`).join("; ");
  return { kind: "wait", reason: why || "no control plane machine has been installed and heard yet" };
}

/** A person's word counts for what was written down before it. */
const isPermitted = ({ newDataPermittedAtMs: at, record }: BootstrapFacts): boolean =>
  at !== undefined && record.kind !== "never" && at > record.atMs;

function decideIntended(
  facts: BootstrapFacts,
  record: Extract<BootstrapRecord, { kind: "intended" }>,
  nodes: readonly ControlPlaneNode[],
  holders: readonly Holder[],
): BootstrapDecision {
  const chosen = nodes.find((n) => n.nodeId === record.nodeId);
  const stranger = holders.find((h) => h.nodeId !== record.nodeId);
  const own = holders.find((h) => h.nodeId === record.nodeId && h.installId === record.installId);
  if (own !== undefined) {
    const { nodeId, installId, clusterId } = own;
    return { kind: "confirm", nodeId, installId: installId!, etcdClusterId: clusterId };
  }
  if (stranger !== undefined) return foreign(stranger);
  if (chosen?.isReachable && chosen.installId === record.installId) return decideTold(chosen);
  if (isPermitted(facts)) return decideFirst(nodes, holders);
  if (chosen === undefined) return uncertain(`the machine chosen for the bootstrap was retired before it confirmed it`);
  return chosen.installId === record.installId
    ? decideSilent(facts, chosen)
    : decideReinstalled(chosen, nodes, holders);
}

const uncertain = (reason: string): BootstrapDecision => ({ kind: "uncertain", reason, remedy: NEW_DATA });

function decideTold(chosen: ControlPlaneNode): BootstrapDecision {
  if (chosen.etcd.kind === "unknown") return { kind: "wait", reason: `${chosen.name} is asked whether it has begun` };
  if (chosen.obstacle !== undefined) return { kind: "wait", reason: `${chosen.name}: ${chosen.obstacle}` };
  return { kind: "tell", nodeId: chosen.nodeId, reason: `${chosen.name} was chosen and has no data yet` };
}

function decideSilent(facts: BootstrapFacts, chosen: ControlPlaneNode): BootstrapDecision {
  const silentMs = facts.nowMs - (chosen.heardAtMs ?? (facts.record as { atMs: number }).atMs);
  const since = `${chosen.name} was chosen for the bootstrap and has not been heard for ${Math.floor(silentMs / 1000)} s`;
  return silentMs <= facts.silenceLimitMs
    ? { kind: "wait", reason: since }
    : { kind: "uncertain", reason: `${since}: it may have begun`, remedy: `power it on, or, ${NEW_DATA}` };
}

/** Its disk was wiped, and with it whatever it had begun. Only another control plane could still hold a copy. */
function decideReinstalled(
  chosen: ControlPlaneNode,
  nodes: readonly ControlPlaneNode[],
  holders: readonly Holder[],
): BootstrapDecision {
  if (!chosen.isReachable || chosen.installId === undefined) {
    return uncertain(`${chosen.name} was chosen for the bootstrap and was reset before it confirmed it`);
  }
  const silent = nodes.filter((n) => n.nodeId !== chosen.nodeId && n.installId !== undefined && !n.isReachable);
  if (silent.length > 0) {
    return uncertain(
      `${chosen.name} was reinstalled in the bootstrap; ${silent.map((n) => n.name).join(", ")} may hold data`,
    );
  }
  const alone = decideFirst([chosen], holders);
  return alone.kind === "intend" ? { ...alone, reason: `${chosen.name} was reinstalled before it confirmed` } : alone;
}

function decideConfirmed(
  facts: BootstrapFacts,
  record: Extract<BootstrapRecord, { kind: "confirmed" }>,
  nodes: readonly ControlPlaneNode[],
  holders: readonly Holder[],
): BootstrapDecision {
  const wrong = holders.find((h) => h.clusterId !== record.etcdClusterId);
  if (wrong !== undefined) return foreign(wrong);
  if (holders.length > 0) return { kind: "done", reason: `etcd cluster ${record.etcdClusterId} runs` };
  const left = nodes.filter((n) => record.members.some((m) => m.nodeId === n.nodeId && m.installId === n.installId));
  if (left.length > 0) {
    return { kind: "done", reason: `bootstrapped; its data is on ${left.map((n) => n.name).join(", ")}` };
  }
  if (isPermitted(facts)) return decideFirst(nodes, holders);
  return {
    kind: "lost",
    reason: "every control plane that held the cluster's data was reset, reinstalled or retired",
    remedy: "restore etcd from a snapshot, or begin anew: `slipway cluster bootstrap NAME --new-data`",
  };
}
