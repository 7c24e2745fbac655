// What a person orders of machines, through the real routes: which orders stand afterwards, and every refusal with its words.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { MachineChange } from "../../../inventory/port.ts";
import type { LiveMachine } from "../../../server/boot/live-machine.ts";
import { NOW, openRig, type Rig } from "./open-rig.ts";

const A = "52:54:00:00:00:0a";
const B = "52:54:00:00:00:0b";
const INSTALLATION = { installId: "i1", number: 1, disk: "/dev/vda", at: NOW };

let rig: Rig;
let live: Record<string, LiveMachine>;
let lastOf: Record<string, string>;
beforeEach(async () => {
  live = {};
  lastOf = {};
  rig = await openRig({
    liveOf: (id) => live[id],
    // As the desk's: the last data goes with one, or with all of a pair.
    endsCluster: (machine, going) => lastOf[machine.name ?? ""] ?? (going.length > 1 ? lastOf.pair : undefined),
  });
});
afterEach(() => rig.close());

const post = async (verb: string, body: object) => {
  const answer = await rig.app.inject({ method: "POST", url: `/v1/machines/${verb}`, payload: body });
  return { status: answer.statusCode, body: answer.json() };
};
/** An installed machine of this name. */
async function installed(mac: string, name: string, over: Omit<MachineChange, "id"> = {}) {
  const creation = { macs: [mac], name, role: "controlplane", lifecycle: "approved" } as const;
  const [machine] = await rig.inventory.changeMachines([creation], [], "anna");
  const change = { id: machine!.id, lifecycle: "installed", installation: INSTALLATION, ...over } as const;
  await rig.inventory.changeMachines([], [change], "anna");
  return machine!;
}
const recordOf = (mac: string) => rig.inventory.findMachineByMac(mac);

test("install approves a discovered machine, and opens its window anew each time", async () => {
  await rig.inventory.sightMachine({ mac: A, at: NOW });
  const { status, body } = await post("install", { machines: [A], mayWipe: true });
  expect(status).toBe(200);
  expect(body.machines[0]).toMatchObject({
    lifecycle: "approved",
    install: { mayWipe: true, orderedAt: NOW, isConfigGiven: false },
  });
  expect(JSON.stringify(body)).not.toContain((await recordOf(A))!.install!.order);
  const first = (await recordOf(A))!.install!;
  const given = { ...first, firstContactAt: NOW, givenToKey: "ab", failure: { reason: "no disk", remedy: "fit one" } };
  await rig.inventory.changeMachines([], [{ id: (await recordOf(A))!.id, install: given }], "slipway");
  await post("install", { machines: [A] });
  const second = (await recordOf(A))!.install!;
  expect(second).toEqual({ order: second.order, mayWipe: false, orderedAt: NOW });
  expect(second.order).not.toBe(first.order);
  const audit = await rig.inventory.listAudit({});
  expect(audit.map((entry) => entry.detail)).toContainEqual(
    expect.stringContaining("install ordered, the disk may be wiped"),
  );
});

test("install of a machine that runs from its disk restarts it too", async () => {
  const { id } = await installed(A, "cp1");
  live[id] = { bootSource: "disk", installId: "i1" };
  const { body } = await post("install", { machines: ["cp1"] });
  expect(body.machines[0]).toMatchObject({
    lifecycle: "approved",
    verb: { verb: "reboot" },
    installation: INSTALLATION,
  });
});

test("reboot and shutdown are for machines in touch, reset may wait for its machine", async () => {
  const { id } = await installed(A, "cp1");
  for (const verb of ["reboot", "shutdown"]) {
    expect(await post(verb, { machines: [A] })).toMatchObject({
      status: 409,
      body: { code: "NOT_HEARD", message: `cp1: its agent is not in touch, so it cannot ${verb}` },
    });
  }
  expect((await post("reset", { machines: [A] })).body.machines[0].verb.verb).toBe("reset");
  live[id] = { bootSource: "disk", installId: "i1" };
  expect((await post("reboot", { machines: [A] })).body.machines[0].verb).toEqual({ verb: "reboot", at: NOW });
});

test("what would end a cluster needs the cluster's name", async () => {
  await installed(A, "cp1");
  lastOf.cp1 = "rack1";
  for (const [verb, named, says] of [
    ["reset", undefined, "cp1: holds the last data of cluster rack1, which would be gone for good"],
    [
      "install",
      "rack2",
      "cp1: holds the last data of cluster rack1, which would be gone for good, and rack2 was named",
    ],
  ] as const) {
    const answer = await post(verb, { machines: ["cp1"], ...(named && { clusterName: named }) });
    expect(answer).toMatchObject({ status: 409, body: { code: "ENDS_CLUSTER", message: says } });
  }
  expect((await recordOf(A))!.verb).toBeUndefined();
  expect((await post("reset", { machines: ["cp1"], clusterName: "rack1" })).status).toBe(200);
});

test("one wrong machine keeps all from being ordered", async () => {
  await installed(A, "cp1", { lifecycle: "installed", boot: "disk" });
  await rig.inventory.changeMachines([{ macs: [B], name: "old", lifecycle: "retired" }], [], "anna");
  const { body } = await post("install", { machines: [A, B, "nobody"] });
  expect(body.code).toBe("BAD_REQUEST");
  expect(body.message.split("\n").sort()).toEqual([
    "cp1: has boot: disk, so it would never load the OS; first: slipway set cp1 --unset boot",
    "nobody: no machine has this MAC, name or id",
    "old: is retired and cannot be installed; slipway retire old --undo takes it back into service",
  ]);
  expect((await recordOf(A))!.install).toBeUndefined();
});

test("machines show step, bytes and time left while they are in touch", async () => {
  const { id } = await installed(A, "cp1");
  await rig.inventory.moveActivity(id, "loading");
  await rig.inventory.moveActivity(id, "running");
  await rig.inventory.moveActivity(id, "installing", "step 3 of 9: writes the image");
  const step = { number: 3, of: 9, text: "writes the image", bytesDone: 120e6, bytesTotal: 205e6, elapsedMs: 12_000 };
  live[id] = {
    bootSource: "network",
    installId: "",
    step,
    node: { isReady: false, reason: "etcd", holdsEndpoint: true },
  };
  const { machines } = (await rig.app.inject({ method: "GET", url: "/v1/machines" })).json();
  expect(machines[0]).toMatchObject({
    activityReason: "step 3 of 9: writes the image, 120 of 205 MB, 9 s left",
    live: { bootSource: "network", step: { ...step, secondsLeft: 9 }, node: { holdsEndpoint: true } },
  });
  delete live[id];
  const { machines: later } = (await rig.app.inject({ method: "GET", url: "/v1/machines" })).json();
  expect(later[0].live).toBeUndefined();
  expect(later[0].activityReason).toBe("step 3 of 9: writes the image");
});

test("set gives a cluster and a role of files, and refuses what does not exist", async () => {
  const spec = { type: "worker" };
  const topology = {
    ...{ creations: [], changes: [], roles: [{ name: "storage", spec }] },
    clusters: [{ name: "rack1", spec: {}, bootstrap: { kind: "never" } }],
  };
  await rig.inventory.applyTopology(topology, "anna");
  const { body } = await post("set", { machines: [A], set: { role: "storage", cluster: "rack1" } });
  expect(body.machines[0]).toMatchObject({ role: "storage", cluster: "rack1" });
  const wrong = await post("set", { machines: [A], set: { role: "storag", cluster: "rack2" } });
  expect(wrong.body.message.split("\n")).toEqual([
    'role: must be one of the known roles (controlplane, worker, storage), found "storag"',
    'cluster: must be a cluster that exists (rack1), found "rack2"',
  ]);
  expect((await rig.app.inject({ method: "GET", url: "/v1/roles" })).json()).toEqual({
    roles: ["controlplane", "worker", "storage"],
  });
});

test.each(["reset", "install", "retire", "delete"])(
  "%s of two that hold the last data together asks for the cluster's name",
  async (verb) => {
    await installed(A, "cp1");
    await installed(B, "cp2");
    lastOf = { pair: "rack1" };
    const refused = await post(verb, { machines: ["cp1", "cp2"] });
    expect(refused).toMatchObject({
      status: 409,
      body: { code: "ENDS_CLUSTER", remedy: expect.stringContaining("--cluster-name") },
    });
    expect(refused.body.message.split("\n")).toEqual([
      "cp1: holds the last data of cluster rack1, which would be gone for good",
      "cp2: holds the last data of cluster rack1, which would be gone for good",
    ]);
    expect((await post(verb, { machines: ["cp1", "cp2"], clusterName: "rack1" })).status).toBe(200);
  },
);

test("what is undone leaves an installed machine installed, so that no approval installs it over its data", async () => {
  await installed(A, "cp1");
  const { status, body } = await post("approve", { machines: ["cp1"], undo: true });
  expect([status, body.code]).toEqual([409, "BAD_TRANSITION"]);
  expect(body.message).toBe(
    "cp1: is installed, so its approval is used up; to take it out: slipway retire cp1, or slipway reset cp1",
  );
  await post("retire", { machines: ["cp1"] });
  expect((await recordOf(A))!.lifecycle).toBe("retired");
  await post("retire", { machines: ["cp1"], undo: true });
  expect((await recordOf(A))!).toMatchObject({ lifecycle: "installed", installation: INSTALLATION });
  expect((await recordOf(A))!.install).toBeUndefined();
});

test("set changes no name, role or cluster of an installed machine", async () => {
  await installed(A, "cp1");
  const refused = await post("set", { machines: ["cp1"], set: { name: "cp2", role: null, boot: "os" } });
  expect([refused.status, refused.body.code]).toEqual([409, "CONFLICT"]);
  expect(refused.body.message.split("\n")).toEqual([
    "cp1: its name cannot change from cp1 to cp2: the machine is installed; `slipway reset cp1` first",
    "cp1: its role cannot change from controlplane to nothing: the machine is installed; `slipway reset cp1` first",
  ]);
  expect(await recordOf(A)).not.toHaveProperty("boot");
  expect((await post("set", { machines: ["cp1"], set: { name: "cp1", boot: "os" } })).status).toBe(200);
  expect((await recordOf(A))!.boot).toBe("os");
});
