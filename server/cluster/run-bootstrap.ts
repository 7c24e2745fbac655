// Does what decideBootstrap says, one cluster at a time: writes it down, and only then lets it be told. desk-service.ts calls
// step() whenever something about a control plane changed. Edge: the inventory, the clock.
import type { ClusterRecord } from "../../inventory/cluster.ts";
import type { EventKind, NewEvent } from "../../inventory/event.ts";
import type { Inventory } from "../../inventory/port.ts";
import { type BootstrapDecision, type BootstrapFacts, type BootstrapRecord, decideBootstrap } from "./bootstrap.ts";
import type { Turns } from "./turns.ts";

export type BootstrapDeps = {
  inventory: Pick<Inventory, "applyTopology">;
  now: () => number;
  /** Writes an event of the machine with this id, or of none. */
  tell: (kind: EventKind, detail: NonNullable<NewEvent["detail"]>, machineId?: string) => void;
  warn: (text: string, fields?: Record<string, unknown>) => void;
  /** The cluster as it is on the disk now; undefined when it is gone. */
  look: (name: string) => Promise<{ cluster: ClusterRecord; facts: BootstrapFacts } | undefined>;
  /** All that changes clusters takes turns: a record that was read before another's write would undo that. */
  turns: Turns;
  /** Called after each step that decided something else than the last. */
  onDecision: (name: string) => void;
};

export type Bootstraps = {
  /** Takes the next steps of a cluster. Never rejects; never runs twice at once for one cluster. */
  step(name: string): Promise<void>;
  /** What was decided last; undefined before the first step. */
  decisionOf(name: string): BootstrapDecision | undefined;
  forget(name: string): void;
};

/** intend → tell, confirm → done: more steps at once would be a decision that contradicts itself. */
const MAX_STEPS = 4;
/** What people hear of, and how loud. `tell` and `wait` follow from these. */
const EVENT_OF: Partial<Record<BootstrapDecision["kind"], EventKind>> = {
  intend: "bootstrap-intended",
  confirm: "bootstrap-confirmed",
  uncertain: "bootstrap-uncertain",
  lost: "cluster-lost",
  conflict: "bootstrap-conflict",
};

export function runBootstraps(deps: BootstrapDeps): Bootstraps {
  const decisions = new Map<string, BootstrapDecision>();
  const waiting = new Set<string>();

  const decide = async (name: string): Promise<boolean> => {
    const seen = await deps.look(name);
    if (seen === undefined) return false;
    const { cluster, facts } = seen;
    const decision = decideBootstrap(facts);
    const next = nextRecord(decision, facts, deps.now());
    if (next !== undefined) {
      const { createdAt: _, newDataPermittedAt, ...record } = cluster;
      // A permission is for one beginning. Its time alone would not say so: the clock may have been set back since.
      const kept = decision.kind === "intend" || newDataPermittedAt === undefined ? {} : { newDataPermittedAt };
      const changed = { ...record, ...kept, bootstrap: next };
      await deps.inventory.applyTopology({ clusters: [changed], roles: [], creations: [], changes: [] }, "slipway");
    }
    if (!isSame(decisions.get(name), decision)) {
      sayChange(deps, name, decisions.get(name), decision);
      decisions.set(name, decision);
      deps.onDecision(name);
    }
    return next !== undefined;
  };
  const run = async (name: string): Promise<void> => {
    try {
      for (let i = 0; i < MAX_STEPS && (await decide(name)); i++);
    } catch (err) {
      // A full disk, for one: nothing was told that is not written down, and the next change or second tries again.
      deps.warn(`The bootstrap of cluster ${name} could not be written down; it is tried again.`, { err });
    }
  };
  return {
    decisionOf: (name) => decisions.get(name),
    forget: (name) => void decisions.delete(name),
    async step(name) {
      // One that waits for its turn will see all that has happened until then.
      if (waiting.has(name)) return;
      waiting.add(name);
      await deps.turns.take(() => {
        waiting.delete(name);
        return run(name);
      });
    },
  };
}

/** What has to be written down before the decision counts; undefined: it stands already. */
function nextRecord(decision: BootstrapDecision, facts: BootstrapFacts, nowMs: number): BootstrapRecord | undefined {
  const { nodeId, installId, etcdClusterId } = decision as Partial<Extract<BootstrapDecision, { kind: "confirm" }>>;
  if (decision.kind === "intend") return { kind: "intended", nodeId: nodeId!, installId: installId!, atMs: nowMs };
  if (decision.kind === "confirm") {
    const members = [{ nodeId: nodeId!, installId: installId! }];
    return { kind: "confirmed", etcdClusterId: etcdClusterId!, members, atMs: nowMs };
  }
  return decision.kind === "done" ? joined(facts) : undefined;
}

/** A control plane that has joined holds the data too: with it left, the cluster is not lost. */
function joined({ record, nodes }: BootstrapFacts): BootstrapRecord | undefined {
  if (record.kind !== "confirmed") return undefined;
  const holders = nodes.filter(
    (n) => n.isReachable && n.etcd.kind === "data" && n.etcd.clusterId === record.etcdClusterId,
  );
  const missing = holders.filter(
    (n) => !record.members.some((m) => m.nodeId === n.nodeId && m.installId === n.installId),
  );
  if (missing.length === 0) return undefined;
  const added = missing.map((n) => ({ nodeId: n.nodeId, installId: n.installId! }));
  const kept = record.members.filter((m) => !added.some((a) => a.nodeId === m.nodeId));
  return { ...record, members: [...kept, ...added] };
}

/** Reasons count seconds of silence: those are no other decision. */
const isSame = (a: BootstrapDecision | undefined, b: BootstrapDecision): boolean =>
  a !== undefined && keyOf(a) === keyOf(b);
const keyOf = (decision: BootstrapDecision): string => JSON.stringify(decision).replace(/\d+ s\b/g, "");

function sayChange(
  deps: BootstrapDeps,
  cluster: string,
  before: BootstrapDecision | undefined,
  decision: BootstrapDecision,
): void {
  const kind = EVENT_OF[decision.kind];
  const { nodeId, reason, remedy, etcdClusterId } = decision as { [K in string]?: string };
  if (kind !== undefined && before?.kind !== decision.kind)
    deps.tell(kind, { cluster, reason, remedy: remedy?.replace("NAME", cluster), etcdClusterId }, nodeId);
  const wasBad = before?.kind === "uncertain" || before?.kind === "lost" || before?.kind === "conflict";
  if (wasBad && (decision.kind === "done" || decision.kind === "tell"))
    deps.tell("cluster-settled", { cluster, reason });
}
