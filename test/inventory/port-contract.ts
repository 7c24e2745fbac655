// What every implementation of the inventory's port must do, as one suite: run on SQLite by store.test.ts, and on a second
// engine when there is one (design §2 row 16).
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeEvent } from "../../inventory/event.ts";
import type { Lease } from "../../inventory/lease.ts";
import type { Machine } from "../../inventory/machine.ts";
import type { Inventory, TopologyChange } from "../../inventory/port.ts";
import type { BootAttempt, Ticket } from "../../inventory/ticket.ts";

/** A fresh, empty inventory whose clock stands at `now()`, and the way to destroy it. */
export type Opened = { inventory: Inventory; dispose: () => Promise<void> };

const NOW = Date.parse("2026-11-24T20:00:00Z");
const A = "52:54:00:00:00:0a";
const B = "52:54:00:00:00:0b";
const C = "52:54:00:00:00:0c";
const UUID = "564d0b2e-3c1f-4a5b-8c7d-001122334455";
const SWAPPED = "2e0b4d56-1f3c-5b4a-8c7d-001122334455";
const LEASE: Lease = {
  subnet: "192.0.2.0/24",
  address: "192.0.2.100",
  mac: A,
  clientId: "01525400",
  hostname: "node-a",
  state: "bound",
  startedAt: NOW / 1000,
  expiresAt: NOW / 1000 + 3600,
};

export function describeInventoryPort(name: string, open: (now: () => number) => Promise<Opened>): void {
  describe(name, () => {
    let inventory: Inventory;
    let dispose: () => Promise<void>;
    let now: number;
    beforeEach(async () => {
      now = NOW;
      ({ inventory, dispose } = await open(() => now));
    });
    afterEach(() => dispose());

    const sight = (mac: string, over: object = {}) => inventory.sightMachine({ mac, at: now, ...over });
    const change = (id: string, over: object, actor = "uid 1000 (anna)") =>
      inventory.changeMachines([], [{ id, ...over }], actor);
    const kinds = async (mac: string) => (await inventory.listEvents({ mac })).map((e) => e.kind);

    describe("sightMachine", () => {
      test("makes an unknown MAC a discovered machine, with its event", async () => {
        const machine = await sight(A, { arch: "amd64", firmware: "uefi", uuid: UUID, interfaceName: "eth1" });
        expect(machine).toEqual({
          id: machine.id,
          macs: [A],
          uuid: UUID,
          arch: "amd64",
          firmware: "uefi",
          lifecycle: "discovered",
          activity: "off",
          createdAt: "2026-11-24T20:00:00.000Z",
          seenAt: "2026-11-24T20:00:00.000Z",
        });
        expect(await inventory.findMachineByMac(A)).toEqual(machine);
        expect(await inventory.findMachineById(machine.id)).toEqual(machine);
        const [event] = await inventory.listEvents({ machineId: machine.id });
        expect(event).toMatchObject({
          kind: "discovered",
          mac: A,
          machineId: machine.id,
          detail: { interface: "eth1" },
        });
      });
      test("makes one machine of two packets in the same turn", async () => {
        const [first, second] = await Promise.all([sight(A), sight(A)]);
        expect(second!.id).toBe(first!.id);
        expect(await inventory.listMachines()).toHaveLength(1);
      });
      test("hearMachine moves seenAt, to the minute, and brings no removed machine back", async () => {
        const { id } = await sight(A);
        now += 59_000;
        await inventory.hearMachine(id, now);
        expect((await inventory.findMachineById(id))?.seenAt).toBe("2026-11-24T20:00:00.000Z");
        now += 3_600_000;
        await inventory.hearMachine(id, now);
        expect((await inventory.findMachineById(id))?.seenAt).toBe("2026-11-24T21:00:59.000Z");
        await inventory.hearMachine(id, NOW);
        expect((await inventory.findMachineById(id))?.seenAt).toBe("2026-11-24T21:00:59.000Z");
        await inventory.deleteMachines([id], "tester");
        await inventory.hearMachine(id, now + 3_600_000);
        expect(await inventory.listMachines()).toEqual([]);
      });
      test("hearMachine of a machine that a person wrote down is its first being seen", async () => {
        const [machine] = await inventory.changeMachines([{ macs: [A], name: "web1" }], [], "tester");
        await inventory.hearMachine(machine!.id, now + 1000);
        expect((await inventory.findMachineById(machine!.id))?.seenAt).toBe("2026-11-24T20:00:01.000Z");
        expect(await kinds(A)).toContain("discovered");
      });
      const SAME = [
        { name: "the same UUID", uuid: UUID },
        { name: "32 bare digits", uuid: UUID.replaceAll("-", "").toUpperCase() },
        { name: "the other byte order", uuid: SWAPPED },
      ];
      for (const { name, uuid } of SAME) {
        // Anybody on the wire can say any UUID: a MAC that a claim added would have role, ticket and reservation.
        test(`keeps a NIC with ${name} apart from its machine, and tells whose UUID it is`, async () => {
          const first = await sight(A, { uuid: UUID });
          const second = await sight(B, { uuid });
          expect(second.id).not.toBe(first.id);
          expect(await inventory.findMachineByMac(A)).toMatchObject({ macs: [A] });
          const [event] = await inventory.listEvents({ mac: B });
          expect(event).toMatchObject({ kind: "discovered", detail: { uuidOf: A } });
        });
      }
      test("gives a claimed UUID nothing of an approved machine", async () => {
        const { id } = await sight(A, { uuid: UUID });
        await change(id, { lifecycle: "approved", role: "controlplane", address: "192.0.2.10", name: "cp1" });
        const claim = await sight(B, { uuid: UUID });
        expect(claim).toMatchObject({ macs: [B], lifecycle: "discovered" });
        expect(claim.role ?? claim.address ?? claim.name).toBeUndefined();
        expect(await inventory.findMachineById(id)).toMatchObject({ macs: [A], role: "controlplane" });
      });
      test("does not let a packet replace the UUID or serial of an approved or enrolled machine", async () => {
        const approved = await sight(A, { uuid: UUID, serial: "S1" });
        await change(approved.id, { lifecycle: "approved" });
        const enrolled = await sight(B);
        await change(enrolled.id, { uuid: UUID, serial: "S2", keyFingerprint: "ab" }, `machine ${B}`);
        const other = "11111111-2222-3333-4444-555555555555";
        for (const mac of [A, B]) await sight(mac, { uuid: other, serial: "forged" });
        expect(await inventory.findMachineByMac(A)).toMatchObject({ uuid: UUID, serial: "S1" });
        expect(await inventory.findMachineByMac(B)).toMatchObject({ uuid: UUID, serial: "S2" });
      });
      const APART = [
        { name: "all 00", uuid: "00000000-0000-0000-0000-000000000000" },
        { name: "all ff", uuid: "ffffffff-ffff-ffff-ffff-ffffffffffff" },
        { name: "AMI's template", uuid: "03000200-0400-0500-0006-000700080009" },
        { name: "AMI's template in the other order", uuid: "00020003-0004-0005-0006-000700080009" },
        { name: "no UUID", uuid: "not settable" },
      ];
      for (const { name, uuid } of APART) {
        test(`takes no UUID from ${name}`, async () => {
          const [first, second] = [await sight(A, { uuid }), await sight(B, { uuid })];
          expect(second.id).not.toBe(first.id);
          expect(second.uuid).toBeUndefined();
        });
      }
      test("tells nobody's name when several boards share a UUID", async () => {
        for (const mac of [A, B, C]) await sight(mac, { uuid: UUID });
        expect((await inventory.listEvents({ mac: C }))[0]!.detail).not.toHaveProperty("uuidOf");
      });
      test("believes the MAC before the UUID", async () => {
        const [a, b] = [await sight(A, { uuid: UUID }), await sight(B)];
        expect((await sight(B, { uuid: UUID })).id).toBe(b.id);
        expect((await sight(A)).id).toBe(a.id);
      });
      test("keeps what it knows when a later packet says less", async () => {
        await sight(A, { uuid: UUID, arch: "amd64", serial: "S1" });
        now += 120_000;
        const later = await sight(A);
        expect(later).toMatchObject({ uuid: UUID, arch: "amd64", serial: "S1", seenAt: "2026-11-24T20:02:00.000Z" });
      });
      test("tells once when a machine that was written down appears", async () => {
        const [written] = await inventory.changeMachines([{ macs: [A], name: "one" }], [], "anna");
        now += 5000;
        expect(await sight(A)).toMatchObject({ id: written!.id, name: "one", seenAt: "2026-11-24T20:00:05.000Z" });
        now += 90_000;
        await sight(A);
        expect(await kinds(A)).toEqual(["changed", "discovered"]);
      });
      test("writes down a sighting whose clock is behind without turning seenAt back", async () => {
        const first = await sight(A);
        now -= 10_000;
        expect((await sight(A, { arch: "arm64" })).seenAt).toBe(first.seenAt);
      });
    });

    describe("changeMachines", () => {
      test("sets and clears fields", async () => {
        const { id } = await sight(A);
        const [set] = await change(id, {
          name: "one",
          role: "worker",
          address: "192.0.2.5",
          boot: "disk",
          facts: { a: 1 },
        });
        expect(set).toMatchObject({ name: "one", role: "worker", address: "192.0.2.5", boot: "disk", facts: { a: 1 } });
        const [cleared] = await change(id, { name: null, role: null, address: null, boot: null });
        expect(cleared).toEqual({ ...(await inventory.findMachineById(id)) });
        expect(Object.keys(cleared!)).not.toContain("name");
      });
      test("approves with time, actor, event and audit entry", async () => {
        const { id } = await sight(A);
        const [machine] = await change(id, { lifecycle: "approved" });
        expect(machine).toMatchObject({ approvedAt: "2026-11-24T20:00:00.000Z", approvedBy: "uid 1000 (anna)" });
        expect(await kinds(A)).toEqual(["discovered", "changed", "approved"]);
        const audit = await inventory.listAudit({});
        // Being seen is no change by anyone: strangers could fill a log that is never cut.
        expect(audit.map((e) => e.action)).toEqual(["approve"]);
        expect(audit[0]).toMatchObject({ actor: "uid 1000 (anna)", target: id });
        const [back] = await change(id, { lifecycle: "discovered" });
        expect(back!.approvedAt).toBeUndefined();
      });
      test("writes what belongs to an install only while that is ordered, and audits deeds that change no record", async () => {
        const { id } = await sight(A);
        const install = { order: "one", mayWipe: false, orderedAt: 0 };
        await change(id, { lifecycle: "approved", install });
        await change(id, { install: { ...install, givenToKey: "k" }, whileOrder: "one" });
        await change(id, { install: { ...install, order: "two" } });
        await expect(change(id, { lifecycle: "installed", install: null, whileOrder: "one" })).rejects.toMatchObject({
          code: "CONFLICT",
        });
        expect(await inventory.findMachineById(id)).toMatchObject({ lifecycle: "approved", install: { order: "two" } });
        const deed = { actor: "anna", action: "issue", target: "cluster rack1", detail: "a kubeconfig" };
        await inventory.appendAudit(deed);
        expect((await inventory.listAudit({})).at(-1)).toMatchObject(deed);
        expect(await inventory.checkAudit()).toBeUndefined();
      });
      test("writes nothing when nothing changes", async () => {
        const { id } = await sight(A);
        await change(id, { name: "one" });
        await change(id, { name: "one" });
        expect(await inventory.listAudit({})).toHaveLength(1);
      });
      const CLASHES = [
        {
          name: "a MAC",
          over: { macs: [B, A] },
          says: /MAC 52:54:00:00:00:0a.*belongs to machine one \(52:54:00:00:00:0a\)/,
        },
        { name: "a name", over: { name: "one" }, says: /the name one.*machine one/ },
        { name: "a name in capitals", over: { name: "ONE" }, says: /the name ONE.*machine one/ },
        { name: "an address", over: { address: "192.0.2.5" }, says: /the address 192.0.2.5.*machine one/ },
      ];
      for (const { name, over, says } of CLASHES) {
        test(`refuses ${name} of another machine, and writes none of the call`, async () => {
          const [one, two] = [await sight(A), await sight(B)];
          await change(one.id, { name: "one", address: "192.0.2.5" });
          const before = await inventory.listMachines();
          const call = inventory.changeMachines(
            [{ macs: [C] }],
            [
              { id: one.id, role: "worker" },
              { id: two.id, ...over },
            ],
            "anna",
          );
          await expect(call).rejects.toMatchObject({ code: "CONFLICT", message: expect.stringMatching(says) });
          expect(await inventory.listMachines()).toEqual(before);
          expect(await inventory.checkAudit()).toBeUndefined();
        });
      }
      test("lets two machines swap name, address and MAC", async () => {
        const [one, two] = [await sight(A), await sight(B)];
        await inventory.changeMachines(
          [],
          [
            { id: one.id, name: "one", address: "192.0.2.1" },
            { id: two.id, name: "two", address: "192.0.2.2" },
          ],
          "anna",
        );
        const swapped = await inventory.changeMachines(
          [],
          [
            { id: one.id, name: "two", address: "192.0.2.2", macs: [B] },
            { id: two.id, name: "one", address: "192.0.2.1", macs: [A] },
          ],
          "anna",
        );
        expect(swapped.map((m) => [m.id, m.name, m.macs[0]])).toEqual([
          [one.id, "two", B],
          [two.id, "one", A],
        ]);
        expect((await inventory.findMachineByMac(A))!.id).toBe(two.id);
      });
      test("refuses the same MAC twice among creations", async () => {
        const call = inventory.changeMachines(
          [
            { macs: [A], name: "one" },
            { macs: [A], name: "two" },
          ],
          [],
          "anna",
        );
        await expect(call).rejects.toMatchObject({ code: "CONFLICT" });
        expect(await inventory.listMachines()).toEqual([]);
      });
      test("refuses an unknown id, an illegal lifecycle and an empty list of MACs", async () => {
        const { id } = await sight(A);
        await expect(change("nobody", { name: "x" })).rejects.toMatchObject({ code: "NOT_FOUND" });
        await expect(change(id, { lifecycle: "ready" })).rejects.toMatchObject({ code: "BAD_TRANSITION" });
        await expect(change(id, { macs: [] })).rejects.toMatchObject({ code: "BAD_REQUEST" });
      });
      test("creates approved machines with role and address", async () => {
        const [machine] = await inventory.changeMachines(
          [{ macs: [A, B], name: "one", role: "controlplane", address: "192.0.2.9", lifecycle: "approved" }],
          [],
          "anna",
        );
        expect(machine).toMatchObject({
          lifecycle: "approved",
          role: "controlplane",
          macs: [A, B],
          approvedBy: "anna",
        });
        expect(await kinds(A)).toEqual(["changed", "approved"]);
      });
      test("keeps a pairing code out of events and audit", async () => {
        const { id } = await sight(A);
        await change(id, { pairingCode: "1234-5678" });
        expect(JSON.stringify([await inventory.listEvents({}), await inventory.listAudit({})])).not.toContain(
          "1234-5678",
        );
      });
    });

    describe("installs, installations and verbs", () => {
      const INSTALL = { order: "order-of-chance", mayWipe: true, orderedAt: NOW };
      const INSTALLATION = { installId: "i1", number: 2, disk: "/dev/vda", at: NOW };
      const VERB = { id: "v1", verb: "reset", at: NOW } as const;
      test("are kept whole, and cleared by null", async () => {
        const { id } = await sight(A);
        const spec = { patches: [{ machine: { sysctls: {} } }] };
        const fields = {
          install: INSTALL,
          installation: INSTALLATION,
          verb: VERB,
          spec,
          diskBoots: 2,
          cluster: "rack1",
        };
        await change(id, fields);
        expect(await inventory.findMachineById(id)).toMatchObject(fields);
        await change(id, { install: null, installation: null, verb: null, spec: null, diskBoots: 0, cluster: null });
        const cleared = await inventory.findMachineById(id);
        expect(Object.keys(cleared!)).not.toEqual(
          expect.arrayContaining([expect.stringMatching(/install|verb|spec|disk/)]),
        );
      });
      test("are told in words that hold no order, no key and no patch", async () => {
        const { id } = await sight(A);
        const spec = { patches: [{ machine: { registries: { password: "hunter2" } } }] };
        await change(id, { install: INSTALL, spec });
        await change(id, {
          install: { ...INSTALL, firstContactAt: NOW, givenToKey: "abcdef", givenInAttempt: "attempt-1" },
        });
        await change(id, { verb: VERB });
        const told = JSON.stringify([await inventory.listEvents({}), await inventory.listAudit({})]);
        for (const secret of ["order-of-chance", "abcdef", "hunter2"]) expect(told).not.toContain(secret);
        for (const words of [
          "install ordered, the disk may be wiped",
          "spec changed",
          "config given out",
          "reset ordered",
        ]) {
          expect(told).toContain(words);
        }
      });
      test("of the appliance's own doing are audited, and are no event of a person", async () => {
        const { id } = await sight(A);
        await change(id, { install: INSTALL }, "slipway");
        expect(await kinds(A)).toEqual(["discovered"]);
        expect((await inventory.listAudit({})).map((e) => e.actor)).toEqual(["slipway"]);
      });
      test("a count that anybody on the wire can move is written, and fills no log", async () => {
        const { id } = await sight(A);
        const heard: unknown[] = [];
        inventory.watchMachines((machines) => heard.push(machines[0]?.diskBoots));
        for (const diskBoots of [1, 2, 2, 0]) await change(id, { diskBoots }, "slipway");
        expect(heard).toEqual([1, 2, undefined]);
        expect(await kinds(A)).toEqual(["discovered"]);
        expect(await inventory.listAudit({})).toEqual([]);
      });
    });

    describe("clusters and roles", () => {
      const CLUSTER = { name: "rack1", spec: { port: 6443, endpoint: "192.0.2.9" }, bootstrap: { kind: "never" } };
      const ROLE = { name: "storage", spec: { type: "worker", patches: [] } };
      const apply = (over: Partial<TopologyChange>) =>
        inventory.applyTopology({ clusters: [], roles: [], creations: [], changes: [], ...over }, "anna");
      const words = async () => (await inventory.listEvents({})).map(describeEvent);

      test("are written as given, told once, and not again when nothing is different", async () => {
        const heard: string[] = [];
        inventory.watchClusters(() => heard.push("changed"));
        await apply({ clusters: [CLUSTER], roles: [ROLE] });
        await apply({ clusters: [CLUSTER], roles: [ROLE] });
        expect(await inventory.listClusters()).toEqual([{ ...CLUSTER, createdAt: "2026-11-24T20:00:00.000Z" }]);
        expect(await inventory.listRoles()).toEqual([ROLE]);
        expect(heard).toEqual(["changed"]);
        expect(await words()).toEqual(["cluster rack1: created (by anna)", "role storage: created (by anna)"]);
      });
      test("say which keys changed and never a value, and who begins", async () => {
        await apply({ clusters: [CLUSTER], roles: [ROLE] });
        now += 5000;
        const bootstrap = { kind: "intended", nodeId: "m1", installId: "i1", atMs: NOW };
        await apply({ clusters: [{ ...CLUSTER, spec: { ...CLUSTER.spec, endpoint: "192.0.2.8" }, bootstrap }] });
        await apply({ roles: [{ ...ROLE, spec: { type: "worker", patches: [{ secret: "hunter2" }] } }] });
        await apply({ clusters: [{ ...CLUSTER, bootstrap, newDataPermittedAt: NOW }] });
        await apply({ clusters: [{ ...CLUSTER, bootstrap }] });
        expect((await words()).slice(2)).toEqual([
          "cluster rack1: endpoint changed; bootstrap never → intended (m1) (by anna)",
          "role storage: patches changed (by anna)",
          "cluster rack1: endpoint changed; a first member for new data was permitted (by anna)",
          "cluster rack1: the permission for new data was used or taken back (by anna)",
        ]);
        expect((await inventory.listClusters())[0]).toMatchObject({ createdAt: "2026-11-24T20:00:00.000Z" });
        expect(JSON.stringify(await inventory.listAudit({}))).not.toContain("hunter2");
        expect(await inventory.checkAudit()).toBeUndefined();
      });
      test("are written with their machines, or not at all", async () => {
        const [one] = await inventory.changeMachines([{ macs: [A], name: "one" }], [], "anna");
        const heard: string[] = [];
        inventory.watchClusters(() => heard.push("changed"));
        const call = apply({ clusters: [CLUSTER], roles: [ROLE], creations: [{ macs: [B], name: "one" }] });
        await expect(call).rejects.toMatchObject({ code: "CONFLICT" });
        expect([await inventory.listClusters(), await inventory.listRoles(), heard]).toEqual([[], [], []]);
        const machines = await apply({
          clusters: [CLUSTER],
          creations: [{ macs: [B], name: "two", role: "storage" }],
          changes: [{ id: one!.id, cluster: "rack1" }],
        });
        expect(machines.map((m) => [m.name, m.role, m.cluster])).toEqual([
          ["two", "storage", undefined],
          ["one", undefined, "rack1"],
        ]);
      });
      test("go only when no machine names them, all or none", async () => {
        await apply({ clusters: [CLUSTER, { ...CLUSTER, name: "rack2" }] });
        await inventory.changeMachines([{ macs: [A], name: "one", cluster: "rack2" }], [], "anna");
        for (const [names, code] of [
          [["rack1", "rack2"], "CONFLICT"],
          [["rack1", "nobody"], "NOT_FOUND"],
        ] as const) {
          await expect(inventory.deleteClusters(names, "anna")).rejects.toMatchObject({ code });
        }
        expect(await inventory.listClusters()).toHaveLength(2);
        await inventory.deleteClusters(["rack1"], "anna");
        expect((await inventory.listClusters()).map((c) => c.name)).toEqual(["rack2"]);
        expect((await inventory.listAudit({})).at(-1)).toMatchObject({ action: "delete", target: "cluster rack1" });
      });
    });

    describe("deleteMachines", () => {
      test("removes machines, attempts and tickets, revokes the key, keeps the events", async () => {
        const machine = await sight(A);
        await change(machine.id, { keyFingerprint: "abcd" });
        await inventory.saveAttempt(attemptOf(machine), ticketOf(machine));
        await inventory.deleteMachines([machine.id], "anna");
        expect(await inventory.findMachineByMac(A)).toBeUndefined();
        expect(await inventory.findTicket("attempt-1")).toBeUndefined();
        expect(await inventory.isKeyRevoked("abcd")).toBe(true);
        expect(await inventory.listEvents({ machineId: machine.id })).toHaveLength(3);
        expect((await inventory.listAudit({})).at(-1)).toMatchObject({ action: "delete", actor: "anna" });
        expect((await sight(A)).id).not.toBe(machine.id);
      });
      test("removes none when one is not there", async () => {
        const { id } = await sight(A);
        await expect(inventory.deleteMachines([id, "nobody"], "anna")).rejects.toMatchObject({ code: "NOT_FOUND" });
        expect(await inventory.listMachines()).toHaveLength(1);
      });
    });

    describe("moveActivity", () => {
      test("writes a legal move with its reason and refuses an illegal one", async () => {
        const { id } = await sight(A);
        expect(await inventory.moveActivity(id, "firmware")).toBe(true);
        expect(await inventory.moveActivity(id, "installing", "to sda")).toBe(false);
        expect(await inventory.moveActivity(id, "failed", "no loader")).toBe(true);
        expect(await inventory.findMachineById(id)).toMatchObject({ activity: "failed", activityReason: "no loader" });
        expect(await inventory.moveActivity(id, "off")).toBe(true);
        expect((await inventory.findMachineById(id))!.activityReason).toBeUndefined();
        expect(await inventory.moveActivity("nobody", "off")).toBe(false);
      });
      test("gives a failed machine a reason even when nobody named one", async () => {
        const { id } = await sight(A);
        await inventory.moveActivity(id, "firmware");
        await inventory.moveActivity(id, "failed");
        expect((await inventory.findMachineById(id))!.activityReason).toBe("no reason was given");
      });
    });

    describe("watching", () => {
      test("tells of committed machines, deletions and events, until it is stopped", async () => {
        const heard: unknown[] = [];
        const stopMachines = inventory.watchMachines((m, d) => heard.push([m.map((x) => x.macs[0]), d]));
        const stopEvents = inventory.watchEvents((e) => heard.push(e.map((x) => x.kind)));
        const { id } = await sight(A);
        await inventory.deleteMachines([id], "anna");
        expect(heard).toEqual([["discovered"], [[A], []], ["changed"], [[], [id]]]);
        stopMachines();
        stopEvents();
        await sight(B);
        expect(heard).toHaveLength(4);
      });
      test("tells nothing of what failed", async () => {
        const { id } = await sight(A);
        const heard: unknown[] = [];
        inventory.watchEvents((e) => heard.push(e));
        inventory.watchMachines((m) => heard.push(m));
        await expect(inventory.changeMachines([{ macs: [B] }], [{ id, macs: [B] }], "anna")).rejects.toThrow();
        expect(heard).toEqual([]);
      });
      test("goes on when a listener throws", async () => {
        const heard: unknown[] = [];
        inventory.watchEvents(() => {
          throw new Error("listener");
        });
        inventory.watchEvents((e) => heard.push(e));
        await sight(A);
        expect(heard).toHaveLength(1);
      });
    });

    describe("leases", () => {
      test("keep the last state of each address", async () => {
        await inventory.saveLeases([LEASE, { ...LEASE, address: "192.0.2.101", mac: B }]);
        const { clientId: _, hostname: __, ...bare } = LEASE;
        await inventory.saveLeases([{ ...bare, mac: C, state: "declined" }]);
        const leases = (await inventory.listLeases()).sort((a, b) => a.address.localeCompare(b.address));
        expect(leases).toEqual([
          { ...bare, mac: C, state: "declined" },
          { ...LEASE, address: "192.0.2.101", mac: B },
        ]);
      });
    });

    describe("attempts and tickets", () => {
      test("are kept whole", async () => {
        const machine = await sight(A);
        await inventory.saveAttempt(attemptOf(machine), ticketOf(machine));
        await inventory.saveAttempt({ ...attemptOf(machine), decision: "wait" });
        expect(await inventory.findAttempt("attempt-1")).toEqual({ ...attemptOf(machine), decision: "wait" });
        expect(await inventory.findTicket("attempt-1")).toEqual(ticketOf(machine));
        expect(await inventory.findAttempt("other")).toBeUndefined();
        expect(await inventory.findTicketByTokenHash("other")).toBeUndefined();
      });
      test("need their machine", async () => {
        const machine = { ...(await sight(A)), id: "nobody" };
        await expect(inventory.saveAttempt(attemptOf(machine))).rejects.toMatchObject({ code: "NOT_FOUND" });
      });
      test("replaceTicket lets exactly one of two win", async () => {
        const machine = await sight(A);
        const ticket = ticketOf(machine);
        await inventory.saveAttempt(attemptOf(machine), ticket);
        const tokenHash = createHash("sha256").update("token").digest("hex");
        const fetched = { ...ticket, tokenHash, fetchedAt: NOW + 1 };
        expect(await inventory.replaceTicket(ticket, fetched)).toBe(true);
        expect(await inventory.findTicketByTokenHash(tokenHash)).toEqual(fetched);
        const spend = (key: string) =>
          inventory.replaceTicket(fetched, { ...fetched, keyFingerprint: key, spentAt: NOW + 2 });
        const won = await Promise.all([spend("a"), spend("b")]);
        expect(won).toEqual([true, false]);
        expect((await inventory.findTicket(ticket.id))!.keyFingerprint).toBe("a");
        expect(await inventory.findTicketByKey("a")).toMatchObject({ id: ticket.id, keyFingerprint: "a" });
        expect(await inventory.findTicketByKey("b")).toBeUndefined();
      });
    });

    describe("keys and marks", () => {
      test("a revoked key stays revoked", async () => {
        expect(await inventory.isKeyRevoked("ff")).toBe(false);
        await inventory.revokeKey("ff", "machine", "a new boot took its place");
        await inventory.revokeKey("ff", "machine", "again");
        expect(await inventory.isKeyRevoked("ff")).toBe(true);
      });
      test("marks are kept by name", async () => {
        expect(await inventory.readMark("dhcp-mode eth1")).toBeUndefined();
        await inventory.writeMark("dhcp-mode eth1", "proxy");
        await inventory.writeMark("dhcp-mode eth1", "server");
        expect(await inventory.readMark("dhcp-mode eth1")).toBe("server");
      });
    });

    describe("events", () => {
      const record = (count: number, mac?: string) =>
        inventory.recordEvents(
          Array.from({ length: count }, (_, i) => ({
            kind: "dhcp-ack" as const,
            at: NOW + i,
            ...(mac ? { mac } : {}),
            detail: { address: `192.0.2.${i}`, seconds: undefined },
          })),
        );
      test("are read oldest first, the newest when a limit cuts", async () => {
        await record(5, A);
        const all = await inventory.listEvents({});
        expect(all.map((e) => e.seq)).toEqual([1, 2, 3, 4, 5]);
        expect((await inventory.listEvents({ limit: 2 })).map((e) => e.seq)).toEqual([4, 5]);
        expect((await inventory.listEvents({ afterSeq: 1, limit: 2 })).map((e) => e.seq)).toEqual([2, 3]);
        expect(all[0]).toEqual({ seq: 1, at: NOW, kind: "dhcp-ack", mac: A, detail: { address: "192.0.2.0" } });
      });
      test("of a machine include those before it was known, and no others", async () => {
        await record(2, A);
        await record(1, B);
        await record(1);
        const { id } = await sight(A);
        await record(1, A);
        expect(await inventory.listEvents({ machineId: id })).toHaveLength(4);
        expect(await inventory.listEvents({ mac: B })).toHaveLength(1);
      });
    });

    describe("log lines", () => {
      test("are read back oldest first, by machine", async () => {
        const line = (mac: string, text: string) => ({ at: NOW, mac, source: "kernel" as const, text });
        inventory.appendLogLines([line(A, "one"), line(B, "two"), line(A, "three")]);
        expect((await inventory.listLogLines({ mac: A })).map((l) => l.text)).toEqual(["one", "three"]);
        expect((await inventory.listLogLines({ limit: 2 })).map((l) => l.text)).toEqual(["two", "three"]);
      });
      test("are dropped oldest first when they come too fast, with one event", async () => {
        const lines = Array.from({ length: 25_000 }, (_, i) => ({
          at: NOW,
          mac: A,
          source: "agent" as const,
          text: `${i}`,
        }));
        inventory.appendLogLines(lines);
        const kept = await inventory.listLogLines({ limit: 100_000 });
        expect(kept.at(-1)!.text).toBe("24999");
        await inventory.writeMark("after", "the drop event");
        const events = (await inventory.listEvents({})).filter((e) => e.kind === "log-dropped");
        expect(events).toHaveLength(1);
        expect(kept.length + Number(events[0]!.detail.lines)).toBe(25_000);
      });
    });

    describe("audit", () => {
      test("holds over many entries", async () => {
        const { id } = await sight(A);
        for (let i = 0; i < 40; i++) await change(id, { name: `n${i}` });
        expect(await inventory.checkAudit()).toBeUndefined();
        expect((await inventory.listAudit({ afterSeq: 2, limit: 2 })).map((e) => e.seq)).toEqual([3, 4]);
        expect((await inventory.listAudit({ limit: 2 })).map((e) => e.seq)).toEqual([39, 40]);
      });
    });

    test("close writes what is queued, and a second close does nothing", async () => {
      const written = inventory.writeMark("queued", "yes");
      await inventory.close();
      await expect(written).resolves.toBeUndefined();
      await inventory.close();
      await expect(inventory.writeMark("late", "no")).rejects.toMatchObject({ code: "NOT_RUNNING" });
      await expect(inventory.readMark("queued")).rejects.toMatchObject({ code: "NOT_RUNNING" });
    });
  });
}

function attemptOf(machine: Machine): BootAttempt {
  return {
    id: "attempt-1",
    machineId: machine.id,
    mac: A,
    startedAt: NOW,
    sourceIp: "192.0.2.100",
    platform: "uefi",
    arch: "x86_64",
    decision: "os",
  };
}
function ticketOf(machine: Machine): Ticket {
  return {
    id: "attempt-1",
    machineId: machine.id,
    mac: A,
    sourceIp: "192.0.2.100",
    issuedAt: NOW,
    expiresAt: NOW + 900_000,
  };
}
