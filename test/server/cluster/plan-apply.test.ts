// What must not change under installed machines, told at its line; names of unnamed nodes; whose end is a cluster's end.
import { expect, test } from "vitest";
import type { Machine } from "../../../inventory/machine.ts";
import { endsCluster } from "../../../server/cluster/ends-cluster.ts";
import { chooseNodeName } from "../../../server/cluster/node-name.ts";
import { peerOf } from "../../../server/cluster/node-peers.ts";
import { differingKeys, machineFaults, roleFaults } from "../../../server/cluster/plan-apply.ts";
import type { FaultAt } from "../../../server/cluster/topology-document.ts";
import { CONTROL_PLANE, WORKER } from "./sample.ts";

const machine = (over: Partial<Machine> = {}): Machine => ({
  ...{ id: "m1", macs: ["52:54:00:00:00:01"], name: "a", role: "storage", lifecycle: "installed", activity: "running" },
  installation: { installId: "i1", number: 1, disk: "/dev/vda", at: 0 },
  ...{ createdAt: "", seenAt: "", ...over },
});
const faultAt: FaultAt = (kind, name, path, message) => ({
  file: "f",
  line: 1,
  column: 1,
  path: `${kind} ${name} ${path}`,
  message,
});
const said = (faults: { path: string; message: string }[]) => faults.map((f) => `${f.path}: ${f.message}`);
const site = (machines: Machine[]) => ({ clusters: [], roles: [], machines });
const STORAGE = { ...WORKER, name: "storage" };
const record = { name: "storage", spec: { type: "worker" } };

test("a role's type and cluster stay while installed machines have it", () => {
  const changed = { ...STORAGE, type: "controlplane" as const, cluster: "rack2" };
  expect(said(roleFaults(changed, record, site([machine()]), faultAt))).toEqual([
    "Role storage spec.type: cannot change from worker to controlplane: 1 installed machines have this role, a for one; reset them first, or write another role",
    "Role storage spec.cluster: cannot change from nothing to rack2: 1 installed machines have this role, a for one; reset them first, or write another role",
  ]);
  const { installation: _, ...fresh } = machine({ lifecycle: "approved" });
  expect(roleFaults(changed, record, site([fresh]), faultAt)).toEqual([]);
  expect(roleFaults(changed, undefined, site([machine()]), faultAt)).toEqual([]);
  expect(roleFaults({ ...STORAGE, patches: [{}] }, record, site([machine()]), faultAt)).toEqual([]);
});

test("an installed machine's name, role and cluster stay; what a document leaves out is no change", () => {
  expect(said(machineFaults({ name: "b", role: "worker", cluster: "x" }, machine(), faultAt))).toEqual([
    "Machine b metadata.name: cannot change from a to b: the machine is installed; `slipway reset a` first",
    "Machine b spec.role: cannot change from storage to worker: the machine is installed; `slipway reset a` first",
    "Machine b spec.cluster: cannot change from nothing to x: the machine is installed; `slipway reset a` first",
  ]);
  expect(machineFaults({ name: "a" }, machine(), faultAt)).toEqual([]);
  expect(machineFaults({ name: "b" }, undefined, faultAt)).toEqual([]);
});

test("keys that differ are told in their order, absent and undefined are the same", () => {
  expect(differingKeys({ b: [1], a: 1, c: undefined }, { b: [2], a: 1, d: 3 })).toEqual(["b", "d"]);
  expect(differingKeys(undefined, {})).toEqual([]);
});

test("names count up past those that are taken, and stay host names however long their parts are", () => {
  expect(chooseNodeName("rack1", "controlplane", [])).toBe("rack1-cp-1");
  expect(chooseNodeName("rack1", "worker", ["rack1-worker-1", "rack1-worker-3"])).toBe("rack1-worker-2");
  for (const [cluster, role] of [
    ["c".repeat(63), "worker"],
    ["rack1", "r".repeat(63)],
    [`${"c".repeat(54)}-x`, "worker"],
    ["a", `-${"r".repeat(62)}`],
  ] as const)
    expect(chooseNodeName(cluster, role, [])).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$/);
});

test("a cluster ends with the last machine that holds its data, or may hold it", () => {
  const cluster = (bootstrap: object) => ({
    ...{ name: "rack1", spec: {}, createdAt: "" },
    bootstrap: { ...bootstrap },
  });
  const member = { nodeId: "m1", installId: "i1" };
  const ends = (bootstrap: object, ...machines: Machine[]) =>
    endsCluster(machines[0]!, { clusters: [cluster(bootstrap)], roles: [], machines });
  expect(ends({ kind: "never" }, machine())).toBeUndefined();
  expect(ends({ kind: "intended", ...member, atMs: 0 }, machine())).toBe("rack1");
  const two = { kind: "confirmed", etcdClusterId: "x", atMs: 0, members: [member, { nodeId: "m2", installId: "i2" }] };
  const other = machine({ id: "m2", installation: { installId: "i2", number: 1, disk: "", at: 0 } });
  expect(ends(two, machine(), other)).toBeUndefined();
  expect(ends(two, machine(), { ...other, lifecycle: "retired" })).toBe("rack1");
  const reset = { id: "v", verb: "reset", at: 0 } as const;
  expect(ends(two, machine(), { ...other, verb: reset })).toBe("rack1");
  expect(ends(two, machine(), { ...other, verb: { ...reset, verb: "reboot" } })).toBeUndefined();
  const site = { clusters: [cluster(two)], roles: [], machines: [machine(), other] };
  expect(endsCluster(machine(), site, [machine(), other])).toBe("rack1");
  expect(endsCluster(machine(), site, [machine()])).toBeUndefined();
  expect(ends(two, other, machine({ installation: { installId: "new", number: 2, disk: "", at: 0 } }))).toBe("rack1");
});

test("a peer's static addresses count, and what is another's does not", () => {
  const patches = [
    { machine: { network: { interfaces: [{ interface: "eth0", addresses: ["192.0.2.40/24", "192.0.2.9/24"] }] } } },
  ];
  const peer = peerOf({
    machine: machine({ spec: { patches } }),
    role: CONTROL_PLANE,
    leased: [],
    isForeign: (ip) => ip === "192.0.2.9",
  });
  expect(peer.addresses).toEqual(["192.0.2.40"]);
});
