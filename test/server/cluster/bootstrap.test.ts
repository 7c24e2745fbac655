// Bootstrap exactly once: a table of situations, and a world in which machines, answers and the appliance fail at random.
import { describe, expect, test } from "vitest";
import {
  type BootstrapFacts,
  type BootstrapRecord,
  type ControlPlaneNode,
  decideBootstrap,
} from "../../../server/cluster/bootstrap.ts";

const NOW = 10_000_000;
const node = (name: string, more: Partial<ControlPlaneNode> = {}): ControlPlaneNode => ({
  nodeId: `id-${name}`,
  name,
  installId: `${name}-1`,
  isRetired: false,
  heardAtMs: NOW - 1000,
  isReachable: true,
  etcd: { kind: "none" },
  obstacle: undefined,
  ...more,
});
const data = (clusterId: string) => ({ etcd: { kind: "data", clusterId } as const });
const OFF = { isReachable: false };
const SILENT = { isReachable: false, heardAtMs: NOW - 600_001 };
const NEVER: BootstrapRecord = { kind: "never" };
const CHOSEN: BootstrapRecord = { kind: "intended", nodeId: "id-a", installId: "a-1", atMs: NOW - 500_000 };
const DONE: BootstrapRecord = {
  kind: "confirmed",
  etcdClusterId: "e1",
  members: [{ nodeId: "id-a", installId: "a-1" }],
  atMs: NOW - 9000,
};

const decide = (record: BootstrapRecord, nodes: ControlPlaneNode[], permitted?: number) =>
  decideBootstrap({ record, nodes, newDataPermittedAtMs: permitted, nowMs: NOW, silenceLimitMs: 600_000 });

describe("one situation, one decision", () => {
  test.each<[string, BootstrapRecord, ControlPlaneNode[], number | undefined, string, RegExp]>([
    ["no machine yet", NEVER, [], undefined, "wait", /no control plane machine/],
    ["one that is off", NEVER, [node("a", OFF)], undefined, "wait", /no control plane machine/],
    ["one that is not installed", NEVER, [node("a", { installId: undefined })], undefined, "wait", /no control plane/],
    ["one that is ready", NEVER, [node("a")], undefined, "intend", /^a is the first .* 1 were asked/],
    [
      "several: the first by name",
      NEVER,
      [node("b"), node("a")],
      undefined,
      "intend",
      /^a is the first .* 2 were asked/,
    ],
    [
      "one whose clock is wrong",
      NEVER,
      [node("a", { obstacle: "its clock is not set" })],
      undefined,
      "wait",
      /a: its clock/,
    ],
    [
      "the first has an obstacle, the second none",
      NEVER,
      [node("a", { obstacle: "x" }), node("b")],
      undefined,
      "intend",
      /^b is/,
    ],
    [
      "one that cannot tell yet",
      NEVER,
      [node("a"), node("b", { etcd: { kind: "unknown" } })],
      undefined,
      "wait",
      /b has not said/,
    ],
    ["one with old data", NEVER, [node("a"), node("b", data("e9"))], undefined, "conflict", /b holds the data.*e9/],
    [
      "a retired one with old data",
      NEVER,
      [node("a"), node("b", { ...data("e9"), isRetired: true })],
      undefined,
      "intend",
      /^a/,
    ],
    ["chosen, not begun", CHOSEN, [node("a"), node("b")], undefined, "tell", /a was chosen/],
    ["chosen, begun", CHOSEN, [node("a", data("e1")), node("b")], undefined, "confirm", /e1/],
    [
      "chosen, begun, joined by another",
      CHOSEN,
      [node("a", data("e1")), node("b", data("e1"))],
      undefined,
      "confirm",
      /id-a/,
    ],
    ["chosen, another has data", CHOSEN, [node("a"), node("b", data("e9"))], undefined, "conflict", /b holds/],
    ["chosen, off for a moment", CHOSEN, [node("a", OFF), node("b")], undefined, "wait", /not been heard for 1 s/],
    ["chosen, silent", CHOSEN, [node("a", SILENT), node("b")], undefined, "uncertain", /600 s: it may have begun/],
    ["chosen, silent, permitted", CHOSEN, [node("a", SILENT), node("b")], NOW - 1, "intend", /^b is/],
    [
      "chosen, silent, permitted before",
      CHOSEN,
      [node("a", SILENT), node("b")],
      NOW - 600_000,
      "uncertain",
      /may have begun/,
    ],
    ["chosen, retired", CHOSEN, [node("a", { isRetired: true }), node("b")], undefined, "uncertain", /retired/],
    ["chosen, gone from the inventory", CHOSEN, [node("b")], undefined, "uncertain", /retired/],
    ["chosen, reset", CHOSEN, [node("a", { installId: undefined }), node("b")], undefined, "uncertain", /was reset/],
    [
      "chosen, reinstalled and back",
      CHOSEN,
      [node("a", { installId: "a-2" }), node("b")],
      undefined,
      "intend",
      /reinstalled before/,
    ],
    [
      "chosen, reinstalled, another is off",
      CHOSEN,
      [node("a", { installId: "a-2" }), node("b", OFF)],
      undefined,
      "uncertain",
      /b may hold/,
    ],
    [
      "chosen, reinstalled, cannot tell",
      CHOSEN,
      [node("a", { installId: "a-2", etcd: { kind: "unknown" } })],
      undefined,
      "wait",
      /not said/,
    ],
    ["chosen, cannot tell", CHOSEN, [node("a", { etcd: { kind: "unknown" } })], undefined, "wait", /is asked/],
    [
      "chosen, its clock went wrong",
      CHOSEN,
      [node("a", { obstacle: "its clock is not set" })],
      undefined,
      "wait",
      /clock/,
    ],
    ["done and running", DONE, [node("a", data("e1"))], undefined, "done", /e1 runs/],
    ["done, node off for a year", DONE, [node("a", { ...OFF, heardAtMs: 0 })], undefined, "done", /data is on a/],
    ["done, permitted, but alive", DONE, [node("a", data("e1"))], NOW, "done", /runs/],
    ["done, permitted, off", DONE, [node("a", SILENT)], NOW, "done", /data is on a/],
    ["done, the last one reset", DONE, [node("a", { installId: undefined })], undefined, "lost", /every control plane/],
    [
      "done, the last one reinstalled",
      DONE,
      [node("a", { installId: "a-2" })],
      undefined,
      "lost",
      /every control plane/,
    ],
    ["done, the last one retired", DONE, [node("a", { isRetired: true })], undefined, "lost", /every control plane/],
    ["lost, permitted", DONE, [node("a", { installId: "a-2" })], NOW, "intend", /^a is the first/],
    [
      "lost, permitted before it was made",
      DONE,
      [node("a", { installId: "a-2" })],
      NOW - 9001,
      "lost",
      /every control/,
    ],
    ["done, another cluster's data", DONE, [node("a", data("e2"))], undefined, "conflict", /e2/],
    ["two clusters", DONE, [node("a", data("e1")), node("b", data("e2"))], undefined, "conflict", /a has e1, b has e2/],
  ])("%s", (_name, record, nodes, permitted, kind, words) => {
    const decision = decide(record, nodes, permitted);
    expect(decision.kind).toBe(kind);
    expect(JSON.stringify(decision.kind === "confirm" ? decision : decision.reason).replace(/^"|"$/g, "")).toMatch(
      words,
    );
    if ("remedy" in decision) expect(decision.remedy).not.toBe("");
  });
});

/** Three machines that lose power, answers that get lost, an appliance that dies between deciding and acting. */
function live(seed: number, steps: number): { ids: Set<string>; kinds: Set<string>; record: BootstrapRecord } {
  let state = seed;
  const chance = (percent: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % 100 < percent;
  };
  let record: BootstrapRecord = NEVER;
  let nowMs = NOW;
  const ids = new Set<string>();
  const kinds = new Set<string>();
  const machines = ["a", "b", "c"].map((name) => ({
    name,
    isOn: false,
    data: undefined as string | undefined,
    heardAtMs: 0,
  }));
  for (let step = 0; step < steps; step++) {
    nowMs += 20_000;
    for (const m of machines) if (chance(30)) m.isOn = !m.isOn;
    const nodes = machines.map((m) => {
      const isReachable = m.isOn && chance(80);
      if (isReachable) m.heardAtMs = nowMs;
      const etcd: ControlPlaneNode["etcd"] = chance(10)
        ? { kind: "unknown" }
        : m.data === undefined
          ? { kind: "none" }
          : { kind: "data", clusterId: m.data };
      return node(m.name, { isReachable, heardAtMs: m.heardAtMs, etcd });
    });
    const facts: BootstrapFacts = { record, nodes, newDataPermittedAtMs: undefined, nowMs, silenceLimitMs: 60_000 };
    const decision = decideBootstrap(facts);
    kinds.add(decision.kind);
    if (chance(20)) continue;
    if (decision.kind === "intend")
      record = { kind: "intended", nodeId: decision.nodeId, installId: decision.installId, atMs: nowMs };
    if (decision.kind === "confirm") {
      const { nodeId, installId, etcdClusterId } = decision;
      record = { kind: "confirmed", etcdClusterId, members: [{ nodeId, installId }], atMs: nowMs };
    }
    if (decision.kind === "tell" && chance(70)) {
      const told = machines.find((m) => `id-${m.name}` === decision.nodeId)!;
      if (told.isOn) told.data ??= `etcd-${seed}-${step}`;
      if (told.data !== undefined) ids.add(told.data);
    }
  }
  return { ids, kinds, record };
}

test("whatever fails, there is one etcd cluster and it is confirmed in the end", () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}`);
  const kinds = new Set<string>();
  for (let run = 0; run < 500; run++) {
    const world = live(seed + run, 200);
    expect([seed + run, world.ids.size, world.record.kind]).toEqual([seed + run, 1, "confirmed"]);
    for (const kind of world.kinds) kinds.add(kind);
  }
  expect([...kinds].sort()).toEqual(["confirm", "done", "intend", "tell", "uncertain", "wait"]);
});
