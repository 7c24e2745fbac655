// The desk over a real inventory: waits, names, configs, orders, and the bootstrap that is on the disk before it is told.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SlipwayError } from "../../../server/contract/errors.ts";
import { decodeMachineConfig } from "../../../server/contract/machine-config/decode.ts";
import { nodeConfigOf } from "../../../server/contract/machine-config/node-config.ts";
import { CP, data, NO_DATA, NOW, nodeStatus, type TestDesk, testDesk } from "./desk.ts";

let t: TestDesk;
beforeEach(async () => {
  t = await testDesk();
});
afterEach(() => t.desk.close());
const create = (name = "rack1") => t.admin.create({ name, isSingle: false }, "tester");

test("a machine waits for role, cluster and the choice among several, in words with a command", async () => {
  const m = await t.machine({ macs: [CP], name: "a" });
  const waits = async (change: object) => t.desk.waitOf({ ...(await t.get(m.id)), ...change });
  expect(await waits({})).toEqual({ waits: "a has no role", next: "slipway set a --role controlplane|worker" });
  expect(await waits({ role: "worker" })).toEqual({
    waits: "there is no cluster yet",
    next: "slipway cluster create NAME",
  });
  await create();
  await t.settle();
  expect(await waits({ role: "worker" })).toBeUndefined();
  expect(await waits({ role: "ghost" })).toMatchObject({ waits: "there is no role ghost" });
  await create("rack2");
  await t.settle();
  expect(await waits({ role: "worker" })).toEqual({
    waits: "several clusters (rack1, rack2)",
    next: "slipway set a --cluster NAME",
  });
  expect(await waits({ role: "worker", cluster: "rack2" })).toBeUndefined();
  // A network that came later.
  t.wire.siteNetworks = () => ["192.0.2.0/24", "10.96.7.0/24"];
  expect(await waits({ role: "worker", cluster: "rack2" })).toEqual({
    waits: "cluster rack2: serviceSubnet 10.96.0.0/12 overlaps with the site's network 10.96.7.0/24; choose another",
    next: "give the Cluster document of rack2 other networks, then slipway apply -f FILE",
  });
});

test("a second cluster takes no node away from the first, and the first cannot be deleted under its nodes", async () => {
  await create();
  await t.settle();
  const m = await t.machine({ macs: [CP], name: "a", role: "controlplane" });
  expect(await t.desk.renderConfig(m)).toMatchObject({ kind: "config", cluster: "rack1" });
  // As the hand-out and the install write it down (server/grpc).
  const installation = { installId: "install-1", number: 1, disk: "/dev/vda", at: NOW, cluster: "rack1" };
  await t.inventory.changeMachines([], [{ id: m.id, lifecycle: "installed", installation }], "test");
  await create("rack2");
  await t.settle();
  expect(t.desk.ordersOf(await t.get(m.id))?.peers.map((p) => p.name)).toEqual(["a"]);
  expect(t.desk.waitOf(await t.get(m.id))).toBeUndefined();
  await expect(t.admin.remove("rack1", "tester")).rejects.toMatchObject({ code: "CONFLICT" });
  await t.admin.remove("rack2", "tester");
  const [reset] = await t.inventory.changeMachines(
    [],
    [{ id: m.id, lifecycle: "discovered", installation: null }],
    "test",
  );
  expect(reset!.cluster).toBeUndefined();
});

test("a config is the decoder's, an unnamed machine gets its name in the inventory first, two at once get two", async () => {
  await create();
  await t.settle();
  const machines = await Promise.all(
    [1, 2].map((n) => t.machine({ macs: [`52:54:00:00:00:0${n}`], role: "controlplane" })),
  );
  const answers = await Promise.all(machines.map((m) => t.desk.renderConfig(m)));
  const names = answers.map((answer) => {
    const decoded = decodeMachineConfig(answer.kind === "config" ? answer.text : "");
    return decoded.kind === "config" ? nodeConfigOf(decoded.config).hostname : decoded.faults;
  });
  expect(names.sort()).toEqual(["rack1-cp-1", "rack1-cp-2"]);
  expect((await t.inventory.listMachines()).map((m) => m.name).sort()).toEqual(names);
  const audit = await t.inventory.listAudit({});
  expect(audit.filter((e) => e.actor === "slipway" && e.detail.includes("name nothing → rack1-cp")).length).toBe(2);
});

test("a patch that no node takes is a refusal that the machine waits with, until the patch is mended", async () => {
  await create();
  await t.settle();
  const m = await t.machine({
    macs: [CP],
    name: "a",
    role: "worker",
    spec: { patches: [{ machine: { files: [] } }, { machine: { sysctls: { "no/such key": "1" } } }] },
  });
  const refused = await t.desk.renderConfig(m);
  expect(refused).toMatchObject({
    kind: "refused",
    reason: expect.stringMatching(/its config has a fault: machine\.sysctls/),
  });
  expect(t.desk.waitOf(m)).toMatchObject({ waits: refused.kind === "refused" && refused.reason });
  const [mended] = await t.inventory.changeMachines([], [{ id: m.id, spec: null }], "tester");
  expect(t.desk.waitOf(mended!)).toBeUndefined();
  expect((await t.desk.renderConfig(mended!)).kind).toBe("config");
});

test("a bundle that is missing is a refusal with its remedy, never an exception", async () => {
  t.desk.close();
  t = await testDesk({
    openBundle: async () => {
      throw new SlipwayError("SECRETS_DAMAGED", "clusters/rack1.age is not there");
    },
  });
  await create();
  await t.settle();
  const m = await t.machine({ macs: [CP], name: "a", role: "worker" });
  expect(await t.desk.renderConfig(m)).toMatchObject({
    kind: "refused",
    reason: "clusters/rack1.age is not there",
    remedy: expect.stringContaining("Put dataDir/secrets back"),
  });
});

test("a role that asks for a better grade than open gets no machine", async () => {
  await create();
  await t.inventory.applyTopology(
    {
      clusters: [],
      roles: [{ name: "vault", spec: { type: "worker", leastGrade: "keyed" } }],
      creations: [],
      changes: [],
    },
    "tester",
  );
  await t.settle();
  const m = await t.machine({ macs: [CP], name: "a", role: "vault" });
  expect(t.desk.waitOf(m)).toMatchObject({ waits: expect.stringContaining("takes machines of grade keyed or better") });
});

test("control planes hear of all nodes with labels, taints and given addresses; workers of none", async () => {
  await create();
  const cp = await t.machine({ macs: [CP], name: "cp", role: "controlplane", address: "192.0.2.10" });
  const facts = { nics: [{ addresses: ["192.0.2.50/24", "192.0.2.127/24", "192.0.2.10/24", "127.0.0.1/8"] }] };
  const patches = [
    { machine: { nodeLabels: { disk: "ssd" }, nodeTaints: { gpu: "yes:NoSchedule", bare: "NoExecute" } } },
  ];
  const w = await t.machine({ macs: ["52:54:00:00:00:02"], name: "w", role: "worker", spec: { patches } });
  await t.inventory.changeMachines([], [{ id: w.id, facts }], "test");
  await t.settle();
  const orders = t.desk.ordersOf(cp);
  expect(orders?.bootstrapEtcd).toBe(false);
  expect(orders?.peers).toEqual([
    {
      ...{ name: "cp", type: "controlplane", addresses: ["192.0.2.10"], annotations: {}, taints: [] },
      labels: { "node.kubernetes.io/exclude-from-external-load-balancers": "" },
    },
    // Nobody gave it an address, so its own word counts, but not for the endpoint or another's.
    {
      ...{ name: "w", type: "worker", addresses: ["192.0.2.50"], annotations: {}, labels: { disk: "ssd" } },
      taints: ["gpu=yes:NoSchedule", "bare=:NoExecute"],
    },
  ]);
  expect(t.desk.ordersOf(w)).toEqual({ bootstrapEtcd: false, peers: [] });
  const lease = { mac: "52:54:00:00:00:02", address: "192.0.2.140", subnet: "192.0.2.0/24", state: "bound" as const };
  await t.inventory.saveLeases([{ ...lease, startedAt: NOW / 1000, expiresAt: NOW / 1000 + 600 }]);
  const told: string[] = [];
  t.desk.watchOrders((ids) => void told.push(...ids));
  await t.settle();
  expect(t.desk.ordersOf(cp)?.peers[1]?.addresses).toEqual(["192.0.2.140"]);
  expect(told).toEqual([cp.id]);
});

describe("the bootstrap", () => {
  const stored = async () => (await t.inventory.listClusters())[0]!.bootstrap;
  const controlPlane = async (n = 1) => {
    const machine = await t.machine({ macs: [`52:54:00:00:00:0${n}`], name: `cp${n}`, role: "controlplane" });
    return t.installed(machine, `install-${n}`);
  };
  const kinds = () => t.events.map((e) => e.kind);

  test("is written down, then told, then confirmed; a restart in between changes nothing", async () => {
    await create();
    const cp = await controlPlane();
    t.desk.noteStatus(cp, nodeStatus("install-1", { ready: false, etcd: NO_DATA }));
    await t.settle();
    expect(await stored()).toMatchObject({ kind: "intended", nodeId: cp.id, installId: "install-1" });
    expect(t.desk.ordersOf(cp)?.bootstrapEtcd).toBe(true);
    t.desk.close();
    const again = await t.reopen();
    await t.settle();
    expect(again.ordersOf(cp)?.bootstrapEtcd).toBe(false);
    again.noteStatus(cp, nodeStatus("install-1", { ready: false, etcd: NO_DATA }));
    await t.settle();
    await again.turns.take(async () => {});
    expect(again.ordersOf(cp)?.bootstrapEtcd).toBe(true);
    again.noteStatus(cp, nodeStatus("install-1", { etcd: data("abc") }));
    await t.settle();
    await again.turns.take(async () => {});
    expect(await stored()).toMatchObject({ kind: "confirmed", etcdClusterId: "abc", members: [{ nodeId: cp.id }] });
    expect(again.ordersOf(cp)?.bootstrapEtcd).toBe(false);
    expect(kinds()).toEqual(["bootstrap-intended", "bootstrap-confirmed"]);
    again.close();
  });

  test("of three at once is one node's, and the others are members when they hold the data", async () => {
    await create();
    const all = [await controlPlane(1), await controlPlane(2), await controlPlane(3)];
    all.forEach((m, i) => void t.desk.noteStatus(m, nodeStatus(`install-${i + 1}`, { etcd: NO_DATA })));
    await t.settle();
    expect(all.map((m) => t.desk.ordersOf(m)?.bootstrapEtcd)).toEqual([true, false, false]);
    all.forEach((m, i) => void t.desk.noteStatus(m, nodeStatus(`install-${i + 1}`, { etcd: data("abc") })));
    await t.settle();
    const record = (await stored()) as { members: { nodeId: string }[] };
    expect(record.members.map((m) => m.nodeId).sort()).toEqual(all.map((m) => m.id).sort());
    const machines = await Promise.all(all.map((m) => t.get(m.id)));
    expect(machines.map((m) => t.desk.endsCluster(m))).toEqual([undefined, undefined, undefined]);
  });

  test("a word of another installation than the one written down is not believed", async () => {
    await create();
    const cp = await controlPlane();
    t.desk.noteStatus(cp, nodeStatus("install-old", { etcd: NO_DATA }));
    await t.settle();
    expect(await stored()).toEqual({ kind: "never" });
  });

  test("the last control plane's reset loses the cluster, and only a person permits another beginning", async () => {
    await create();
    const cp = await controlPlane();
    t.desk.noteStatus(cp, nodeStatus("install-1", { etcd: NO_DATA }));
    await t.settle();
    t.desk.noteStatus(cp, nodeStatus("install-1", { etcd: data("abc") }));
    await t.settle();
    expect(t.desk.endsCluster(await t.get(cp.id))).toBe("rack1");
    await expect(t.admin.permitNewData("rack1", "tester")).rejects.toMatchObject({ code: "BAD_TRANSITION" });
    t.desk.noteGone(cp.id);
    await t.inventory.changeMachines([], [{ id: cp.id, lifecycle: "discovered", installation: null }], "test");
    await t.settle();
    expect(t.desk.view.decisionOf("rack1")).toMatchObject({ kind: "lost" });
    // The clock was an hour ahead when it began, and is set right: the word counts all the same, and for one beginning.
    t.time.now -= 3_600_000;
    await t.admin.permitNewData("rack1", "tester");
    const [again] = await t.inventory.changeMachines([], [{ id: cp.id, lifecycle: "approved" }], "test");
    const fresh = await t.installed(again!, "install-2");
    t.desk.noteStatus(fresh, nodeStatus("install-2", { etcd: NO_DATA }));
    await t.settle();
    expect(await stored()).toMatchObject({ kind: "intended", installId: "install-2" });
    expect((await t.inventory.listClusters())[0]).not.toHaveProperty("newDataPermittedAt");
    expect(kinds()).toEqual([
      ...["bootstrap-intended", "bootstrap-confirmed", "cluster-lost", "bootstrap-permitted", "bootstrap-intended"],
    ]);
  });

  test("a chosen node that is silent for long leaves it uncertain until it is heard", async () => {
    await create();
    const cp = await controlPlane();
    t.desk.noteStatus(cp, nodeStatus("install-1", { etcd: NO_DATA }));
    await t.settle();
    t.desk.noteGone(cp.id);
    await t.settle();
    expect(t.desk.view.decisionOf("rack1")).toMatchObject({ kind: "wait" });
    t.time.now += 3_600_000;
    await t.settle();
    expect(t.desk.view.decisionOf("rack1")).toMatchObject({ kind: "uncertain" });
    t.desk.noteStatus(cp, nodeStatus("install-1", { etcd: NO_DATA }));
    await t.settle();
    expect(t.desk.ordersOf(cp)?.bootstrapEtcd).toBe(true);
    expect(kinds()).toEqual(["bootstrap-intended", "bootstrap-uncertain", "cluster-settled"]);
    t.desk.noteStatus(cp, nodeStatus("install-1", { etcd: data("abc") }));
    await t.settle();
    expect(t.desk.view.decisionOf("rack1")).toMatchObject({ kind: "done" });
  });
});
