// The admin API as its clients see it: over a real inventory, without a socket.
import { afterEach, beforeEach, expect, test } from "vitest";
import { NOW, openRig, type Rig, STATUS } from "./open-rig.ts";

const A = "52:54:00:00:00:0a";
const B = "52:54:00:00:00:0b";
const C = "52:54:00:00:00:0c";

let rig: Rig;
beforeEach(async () => {
  rig = await openRig();
});
afterEach(() => rig.close());

async function get(url: string) {
  const response = await rig.app.inject({ method: "GET", url });
  return { status: response.statusCode, body: response.json() };
}
async function post(url: string, payload: unknown) {
  const response = await rig.app.inject({ method: "POST", url, payload: payload as object });
  return { status: response.statusCode, body: response.json() };
}
const set = (machines: string[], fields: object, more: object = {}) =>
  post("/v1/machines/set", { machines, set: fields, ...more });
const see = (mac: string) => rig.inventory.sightMachine({ mac, at: NOW });

test("set writes an unknown MAC down, and changes a known one by any spelling, name or id", async () => {
  const made = await set(["52-54-00-00-00-0A"], { role: "worker", name: "Web1", address: "192.0.2.50" });
  expect(made).toMatchObject({
    status: 200,
    body: { machines: [{ macs: [A], role: "worker", name: "web1", address: "192.0.2.50", lifecycle: "discovered" }] },
  });
  const id = made.body.machines[0].id;
  for (const ref of ["web1", "WEB1", "5254.0000.000a", "52540000000A", id, id.slice(0, 8)]) {
    expect((await set([ref], { boot: "disk" })).body.machines[0].id).toBe(id);
  }
  expect((await set(["web1"], { boot: null, name: null })).body.machines[0]).not.toHaveProperty("name");
});

test("set on several machines is all or none", async () => {
  await see(A);
  const refused = await set([A, "nobody"], { role: "worker" });
  expect(refused).toEqual({
    status: 404,
    body: {
      code: "NOT_FOUND",
      message: "nobody: no machine has this MAC, name or id",
      remedy: "`slipway machines` lists what is known.",
      faults: [{ at: "nobody", message: "no machine has this MAC, name or id" }],
    },
  });
  expect((await get("/v1/machines")).body.machines[0].role).toBeUndefined();
  const done = await set([A, B], { role: "worker" }, { approve: true });
  expect(done.body.machines.map((m: { lifecycle: string }) => m.lifecycle)).toEqual(["approved", "approved"]);
});

test("every change is audited with its actor, and the chain holds", async () => {
  await set([A], { role: "worker" }, { approve: true });
  await post("/v1/machines/delete", { machines: [A] });
  const { entries } = (await get("/v1/audit")).body;
  expect(entries.map((e: { actor: string; action: string }) => `${e.actor} ${e.action}`)).toEqual([
    "uid 1000 (tester) create",
    "uid 1000 (tester) delete",
  ]);
  expect((await get("/v1/audit/verify")).body).toEqual({ isIntact: true });
});

const REFUSED: {
  name: string;
  machines?: string[];
  fields: object;
  more?: object;
  code: string;
  status: number;
  message: string;
}[] = [
  {
    name: "an unknown role, with those known",
    fields: { role: "etcd" },
    code: "UNKNOWN_ROLE",
    status: 400,
    message: 'role: must be one of the known roles (controlplane, worker), found "etcd"',
  },
  {
    name: "all wrong fields at once",
    fields: { role: "etcd", name: "web 1", address: "192.0.2.256", boot: "net" },
    code: "BAD_REQUEST",
    status: 400,
    message: [
      'name: must be a host name of letters, digits and hyphens, at most 63, without dots, found "web 1"',
      'role: must be one of the known roles (controlplane, worker), found "etcd"',
      'address: must be an IPv4 address such as 192.0.2.50, found "192.0.2.256"',
      'boot: must be one of os, disk, ignore, found "net"',
    ].join("\n"),
  },
  {
    name: "a name that is a MAC",
    fields: { name: "52540000000f" },
    code: "BAD_REQUEST",
    status: 400,
    message: 'name: must not look like a MAC, found "52540000000f"',
  },
  {
    name: "a name for two machines",
    machines: [A, B],
    fields: { name: "web1" },
    code: "BAD_REQUEST",
    status: 400,
    message: 'name: "web1" can be given to one machine only, found 2 machines',
  },
  {
    name: "an address outside every network",
    fields: { address: "198.51.100.7" },
    code: "BAD_REQUEST",
    status: 400,
    message: "address: must lie in a network that this appliance serves (192.0.2.0/24), found 198.51.100.7",
  },
  {
    name: "a broadcast address",
    fields: { address: "192.0.2.255" },
    code: "BAD_REQUEST",
    status: 400,
    message: "address: must not be the broadcast address of 192.0.2.0/24, found 192.0.2.255",
  },
  {
    name: "the appliance's own address",
    fields: { address: "192.0.2.1" },
    code: "CONFLICT",
    status: 409,
    message: "address: 192.0.2.1 is this appliance's own address",
  },
  {
    name: "an address that another machine has",
    fields: { address: "192.0.2.9" },
    code: "CONFLICT",
    status: 409,
    message: "address: 192.0.2.9 is reserved for taken already",
  },
  {
    name: "a name that another machine has",
    fields: { name: "taken" },
    code: "CONFLICT",
    status: 409,
    message: `name: "taken" is the name of ${C} already`,
  },
  {
    name: "an address that another machine leases",
    fields: { address: "192.0.2.77" },
    code: "CONFLICT",
    status: 409,
    message: `address: 192.0.2.77 is leased to ${B} for another 10 min`,
  },
  {
    name: "nothing at all",
    fields: {},
    code: "BAD_REQUEST",
    status: 400,
    message: "nothing to set: give at least one of role, cluster, name, address, boot or approve",
  },
  {
    name: "a field that does not exist",
    fields: { colour: "red" },
    code: "BAD_REQUEST",
    status: 400,
    message: expect.stringContaining("colour") as unknown as string,
  },
];
for (const { name, machines = [A], fields, more, code, status, message } of REFUSED) {
  test(`set refuses ${name}`, async () => {
    await set([C], { name: "taken", address: "192.0.2.9" });
    const seconds = NOW / 1000;
    await rig.inventory.saveLeases([
      {
        subnet: "192.0.2.0/24",
        address: "192.0.2.77",
        mac: B,
        state: "bound",
        startedAt: seconds,
        expiresAt: seconds + 600,
      },
    ]);
    const refused = await set(machines, fields, more);
    expect(refused).toMatchObject({ status, body: { code, message } });
    expect(refused.body.remedy).not.toBe("");
    expect((await rig.inventory.listMachines()).length).toBe(1);
  });
}

test("set lets a machine reserve the address that it leases", async () => {
  const seconds = NOW / 1000;
  await see(B);
  await rig.inventory.saveLeases([
    {
      subnet: "192.0.2.0/24",
      address: "192.0.2.77",
      mac: B,
      state: "bound",
      startedAt: seconds,
      expiresAt: seconds + 600,
    },
  ]);
  expect((await get("/v1/machines")).body.machines[0].leasedAddress).toBe("192.0.2.77");
  expect((await set([B], { address: "192.0.2.77" })).status).toBe(200);
});

test("approve moves machines on, twice is no change, undo takes it back", async () => {
  await see(A);
  const lifecycleAfter = async (verb: string, payload: object) =>
    (await post(`/v1/machines/${verb}`, { machines: [A], ...payload })).body.machines?.[0].lifecycle;
  expect(await lifecycleAfter("approve", {})).toBe("approved");
  expect(await lifecycleAfter("approve", {})).toBe("approved");
  expect(await lifecycleAfter("approve", { undo: true })).toBe("discovered");
  expect(await lifecycleAfter("retire", {})).toBe("retired");
  const refused = await post("/v1/machines/approve", { machines: [A] });
  expect(refused).toMatchObject({
    status: 409,
    body: {
      code: "BAD_TRANSITION",
      message: `${A}: is retired and cannot become approved; slipway retire ${A} --undo takes it back into service`,
    },
  });
  expect(await lifecycleAfter("retire", { undo: true })).toBe("discovered");
});

test("approve leaves an installed machine alone: approving it again would wipe its disk", async () => {
  const { id } = await see(A);
  for (const lifecycle of ["approved", "installed"] as const)
    await rig.inventory.changeMachines([], [{ id, lifecycle }], "slipway");
  expect((await post("/v1/machines/approve", { machines: [A] })).body.machines[0].lifecycle).toBe("installed");
  expect((await set([A], { boot: "disk" }, { approve: true })).body.machines[0].lifecycle).toBe("installed");
});

test("approve and delete refuse a MAC that nobody knows: it may be a slip of the finger", async () => {
  for (const verb of ["approve", "retire", "delete"]) {
    expect(await post(`/v1/machines/${verb}`, { machines: [A] })).toMatchObject({
      status: 404,
      body: { message: `${A}: no machine has this MAC` },
    });
  }
});

test("get keeps the facts, list leaves them out", async () => {
  const { id } = await see(A);
  await rig.inventory.changeMachines([], [{ id, facts: { cpu: { cores: 4 } } }], "slipway");
  expect((await get(`/v1/machines/${A}`)).body.facts).toEqual({ cpu: { cores: 4 } });
  expect((await get("/v1/machines")).body.machines[0]).not.toHaveProperty("facts");
  expect((await get("/v1/machines/nobody")).status).toBe(404);
});

test("import writes all rows or none, and says what it did", async () => {
  await see(A);
  const rows = [
    { macs: [A], role: "worker", name: "a" },
    { macs: [B, C], role: "controlplane", address: "192.0.2.60" },
  ];
  const dry = await post("/v1/machines/import", { rows, dryRun: true });
  expect(dry.body).toMatchObject({ created: 1, changed: 1, unchanged: 0, dryRun: true, machines: [] });
  expect(await rig.inventory.listMachines()).toHaveLength(1);
  const wrong = await post("/v1/machines/import", { rows: [...rows, { macs: ["x"], role: "y" }] });
  expect(wrong).toMatchObject({
    status: 400,
    body: {
      code: "BAD_IMPORT",
      faults: [
        { at: "rows.2.macs", message: 'must be a MAC such as 52:54:00:12:34:56, found "x"' },
        { at: "rows.2.role", message: 'must be one of the known roles (controlplane, worker), found "y"' },
      ],
    },
  });
  expect(await rig.inventory.listMachines()).toHaveLength(1);
  const done = await post("/v1/machines/import", { rows, approve: true });
  expect(done.body).toMatchObject({ created: 1, changed: 1, unchanged: 0, dryRun: false });
  expect(done.body.machines.map((m: { lifecycle: string }) => m.lifecycle)).toEqual(["approved", "approved"]);
  expect((await post("/v1/machines/import", { rows })).body).toMatchObject({ created: 0, changed: 0, unchanged: 2 });
});

test("events are told in plain words, by machine, since a time and after a number", async () => {
  await see(A);
  await see(B);
  await rig.inventory.recordEvents([
    { kind: "image-done", at: NOW + 5000, mac: A, detail: { file: "kernel", bytes: 12_000_000, ms: 500 } },
  ]);
  const { events } = (await get(`/v1/events?machine=${A}`)).body;
  expect(events.map((e: { text: string }) => e.text)).toEqual([
    "was seen for the first time",
    "has kernel: 12.0 MB in 0.50 s, 24.0 MB/s",
  ]);
  expect(events[1]).toMatchObject({ phase: "image", level: "info", mac: A });
  const since = new Date(NOW + 1).toISOString();
  expect((await get(`/v1/events?since=${since}`)).body.events).toHaveLength(1);
  expect((await get(`/v1/events?afterSeq=${events[0].seq}`)).body.events).toHaveLength(2);
  expect((await get("/v1/events?since=yesterday")).body.code).toBe("BAD_REQUEST");
  expect((await get("/v1/events?machine=nobody")).status).toBe(404);
});

test("events of a removed machine are still found by its MAC", async () => {
  await see(A);
  await post("/v1/machines/delete", { machines: [A] });
  expect((await get(`/v1/events?machine=${A}`)).body.events.at(-1).text).toContain("removed");
});

test("logs are those of all MACs of a machine, oldest first", async () => {
  await set([A], {}, { approve: true });
  const { id } = (await rig.inventory.findMachineByMac(A))!;
  await rig.inventory.changeMachines([], [{ id, macs: [A, B] }], "slipway");
  rig.inventory.appendLogLines([
    { at: 2, mac: B, source: "agent", text: "two" },
    { at: 1, mac: A, source: "kernel", text: "one" },
  ]);
  await new Promise((resolve) => setImmediate(resolve));
  await expect
    .poll(async () => (await get(`/v1/logs?machine=${A}`)).body.lines.map((l: { text: string }) => l.text))
    .toEqual(["one", "two"]);
});

test("status adds the machines by lifecycle to the appliance's own state", async () => {
  await see(A);
  expect((await get("/v1/status")).body).toEqual({
    ...STATUS,
    machines: { discovered: 1, approved: 0, installed: 0, ready: 0, retired: 0 },
  });
});

test("openapi.json describes every route and validates as what it says", async () => {
  const { body } = await get("/openapi.json");
  expect(body.openapi).toBe("3.1.0");
  expect(Object.keys(body.paths).sort()).toEqual([
    "/v1/audit",
    "/v1/audit/verify",
    "/v1/events",
    "/v1/events/follow",
    "/v1/export/machines",
    "/v1/logs",
    "/v1/machines",
    "/v1/machines/approve",
    "/v1/machines/delete",
    "/v1/machines/import",
    "/v1/machines/install",
    "/v1/machines/reboot",
    "/v1/machines/reset",
    "/v1/machines/retire",
    "/v1/machines/set",
    "/v1/machines/shutdown",
    "/v1/machines/{machine}",
    "/v1/roles",
    "/v1/status",
  ]);
  expect(body.paths["/v1/machines/set"].post.requestBody.content["application/json"].schema.required).toContain(
    "machines",
  );
});

test("every failure has the one form, also those that Fastify finds", async () => {
  const form = { code: expect.any(String), message: expect.any(String), remedy: expect.any(String) };
  const unknown = await get("/v2/machines");
  expect(unknown).toEqual({
    status: 404,
    body: { ...form, code: "NOT_FOUND", message: "the admin API has no GET /v2/machines" },
  });
  const noJson = await rig.app.inject({
    method: "POST",
    url: "/v1/machines/set",
    headers: { "content-type": "application/json" },
    payload: "{",
  });
  expect([noJson.statusCode, noJson.json()]).toEqual([400, { ...form, code: "BAD_REQUEST" }]);
  const noBody = await post("/v1/machines/approve", {});
  expect(noBody).toMatchObject({ status: 400, body: { code: "BAD_REQUEST", faults: [{ at: "machines" }] } });
});

test("an unexpected failure is told to the log, not to the client", async () => {
  const broken = await openRig({ status: async () => Promise.reject(new Error("secret path /root/x")) });
  const response = await broken.app.inject({ method: "GET", url: "/v1/status" });
  expect(response.statusCode).toBe(500);
  expect(response.body).not.toContain("secret");
  expect(broken.errors).toEqual(["admin API: GET /v1/status failed: Error: secret path /root/x"]);
  await broken.close();
});
