// The agent against the real gRPC server and the real inventory, over loopback: one test per way in which a boot goes.
import { X509Certificate } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Appliance, MAC, startAppliance, testAuthority } from "../server/grpc/appliance.ts";
import { factsOf, kernelLogOf, type TestMachine, testMachine, until } from "./machine.ts";

let appliance: Appliance;
const machines: TestMachine[] = [];

beforeEach(async () => {
  appliance = await startAppliance();
});
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.dispose();
  await appliance.close();
});

function machineAt(mac = MAC, over: Parameters<typeof testMachine>[1] = {}, facts = factsOf(mac)): TestMachine {
  const machine = testMachine(mac, over, facts);
  machines.push(machine);
  return machine;
}

/** A machine that fetched this ticket and runs. */
function run(
  machine: TestMachine,
  token: string,
  over: { caFingerprint?: string; server?: string; mac?: string } = {},
) {
  const { authority, address } = appliance;
  machine.putTicket({ token, caFingerprint: authority.fingerprint, server: address, mac: MAC, ...over });
  machine.start();
}

const shows = (machine: TestMachine, text: string) =>
  until(
    `"${text}" on the screen`,
    () => machine.state().includes(text),
    () => `${machine.state()} | ${machine.said.join("")}`,
  );

test("an unknown machine enrols and waits visibly, and goes on when it is approved with a role", async () => {
  const { token, machine: stored } = await appliance.boot();
  const machine = machineAt();
  run(machine, token);
  await shows(machine, "waits: nobody approved it yet");
  const waiting = await appliance.inventory.findMachineById(stored.id);
  expect(waiting).toMatchObject({ activity: "waiting", product: "QEMU Standard PC", arch: "amd64", firmware: "uefi" });
  expect(waiting?.pairingCode).toBe(machine.screens.at(-1)?.pairingCode);
  expect(machine.screens.at(-1)?.next).toBe(`On the appliance: slipway approve ${MAC}`);

  await appliance.inventory.changeMachines([], [{ id: stored.id, lifecycle: "approved" }], "uid 0");
  await shows(machine, "waits: it has no role yet");
  await appliance.inventory.changeMachines([], [{ id: stored.id, role: "worker", name: "node-7" }], "uid 0");
  await shows(machine, "waits: there is no cluster yet");
  expect(machine.screens.at(-1)?.name).toBe("node-7");
  await until("the event", async () => (await appliance.events()).includes("would-install"));
  const approved = await appliance.inventory.findMachineById(stored.id);
  expect(approved).toMatchObject({
    activity: "waiting",
    installDisk: expect.stringContaining("/dev/vda: virtual disk, 32 GB"),
  });
  const events = await appliance.events();
  expect(events.filter((kind) => kind === "enrolled")).toHaveLength(1);
  expect(events).toContain("agent-contact");
  expect(appliance.said).toEqual([]);
});

test("the ticket goes away once it is spent, key and identity are for root alone, and no token is in the log", async () => {
  const { token } = await appliance.boot();
  const machine = machineAt();
  run(machine, token);
  await shows(machine, "waits:");
  expect(existsSync(join(machine.dir, "ticket.json"))).toBe(false);
  expect(statSync(join(machine.dir, "key.pem")).mode & 0o777).toBe(0o600);
  expect(statSync(join(machine.dir, "identity.json")).mode & 0o777).toBe(0o600);
  expect([...machine.said, ...appliance.said, JSON.stringify(machine.screens)].join("")).not.toContain(token);
});

test("a restarted agent goes on without a ticket", async () => {
  const { token } = await appliance.boot();
  const machine = machineAt();
  run(machine, token);
  await shows(machine, "waits:");
  await machine.stop();
  machine.screens.length = 0;
  machine.start();
  await shows(machine, "waits:");
  expect((await appliance.events()).filter((kind) => kind === "enrolled")).toHaveLength(1);
});

test("an answer that was lost is asked for again with the same key", async () => {
  const { token } = await appliance.boot();
  const machine = machineAt();
  const { saveIdentity } = machine.world.store;
  let lost = 0;
  // Killed between the appliance's answer and its own disk: what a lost answer leaves behind.
  machine.world.store.saveIdentity = (identity) => {
    if (lost++ === 0) throw new Error("killed here");
    saveIdentity(identity);
  };
  run(machine, token);
  await until("the crash", () => machine.crash() !== undefined);
  expect(String(machine.crash())).toContain("killed here");
  expect(existsSync(join(machine.dir, "identity.json"))).toBe(false);
  machine.start();
  await shows(machine, "waits:");
  const events = await appliance.events();
  expect(events.filter((kind) => kind === "enrolled")).toHaveLength(1);
  expect(events).not.toContain("certificate-revoked");
  expect(events).not.toContain("enrol-refused");
});

test("a token that another key used is refused, and the first machine stays in touch", async () => {
  const { token } = await appliance.boot();
  const [first, second] = [machineAt(), machineAt()];
  run(first, token);
  await shows(first, "waits:");
  run(second, token);
  await shows(second, "was refused: the token was used before, by another key");
  expect(second.screens.at(-1)?.next).toContain("Power the machine off and on again");
  expect(await appliance.events()).toContain("enrol-refused");
  expect(await appliance.events()).not.toContain("certificate-revoked");
  expect(appliance.server.sessionCount()).toBe(1);
});

test("a token that comes too late is refused with the time", async () => {
  const { token } = await appliance.boot();
  appliance.time.now = () => Date.now() + 16 * 60_000;
  const machine = machineAt();
  run(machine, token);
  await shows(machine, "was refused: the ticket ran out");
  expect(machine.state()).toContain("valid for 15 minutes");
  expect(await appliance.events()).toContain("enrol-refused");
});

test("a machine without the ticket's MAC is refused", async () => {
  const { token } = await appliance.boot();
  const machine = machineAt("52:54:00:99:99:99");
  run(machine, token);
  await shows(machine, `was refused: the token was given to ${MAC}, and this machine has 52:54:00:99:99:99`);
  expect(await appliance.events()).toContain("enrol-refused");
});

test("an unknown token is refused, and makes no machine", async () => {
  const machine = machineAt();
  run(machine, "a-token-that-nobody-was-given");
  await shows(machine, "was refused: the token is unknown");
  expect(await appliance.inventory.listMachines()).toEqual([]);
});

test("a retired machine is refused", async () => {
  const { token, machine: stored } = await appliance.boot();
  await appliance.inventory.changeMachines([], [{ id: stored.id, lifecycle: "retired" }], "uid 0");
  const machine = machineAt();
  run(machine, token);
  await shows(machine, "was refused: the machine is retired");
});

test("an appliance with another CA is not told the token", async () => {
  const { token } = await appliance.boot();
  const machine = machineAt();
  run(machine, token, { caFingerprint: testAuthority().fingerprint });
  await shows(
    machine,
    "is not to be trusted: none of the server's 2 certificates is the authority that the ticket names",
  );
  expect(await appliance.events()).not.toContain("enrol-refused");
});

for (const [year, iso] of [
  ["1970", "1970-01-01T00:00:10Z"],
  ["2040", "2040-06-01T00:00:00Z"],
] as const) {
  test(`a machine whose clock says ${year} has it set, and enrols`, async () => {
    const { token } = await appliance.boot();
    const machine = machineAt();
    machine.clock.offsetMs = Date.parse(iso) - Date.now();
    run(machine, token);
    await shows(machine, "waits:");
    expect(Math.abs(machine.clock.offsetMs)).toBeLessThan(5000);
    expect(await appliance.events()).toContain("clock-set");
    const event = (await appliance.inventory.listEvents({ mac: MAC })).find(({ kind }) => kind === "clock-set");
    expect(event?.detail.was).toContain(`${year}-`);
  });
}

test("a clock that cannot be set does not keep a machine out", async () => {
  const { token } = await appliance.boot();
  const machine = machineAt();
  Object.assign(machine.clock, { offsetMs: -Date.now(), canSet: false });
  run(machine, token);
  await shows(machine, "waits:");
});

test("a machine comes back after its appliance was away", async () => {
  const { token, machine: stored } = await appliance.boot();
  const machine = machineAt();
  run(machine, token);
  await shows(machine, "waits:");
  await appliance.restart(async () => {
    await shows(machine, "cannot reach the appliance");
    await appliance.inventory.changeMachines([], [{ id: stored.id, lifecycle: "approved" }], "uid 0");
  });
  await shows(machine, "waits: it has no role yet");
  expect(await appliance.events()).toContain("agent-lost");
});

test("an appliance that comes late is found", async () => {
  const { token } = await appliance.boot();
  const machine = machineAt();
  await appliance.restart(async () => {
    run(machine, token);
    await shows(machine, "cannot reach the appliance");
  });
  await shows(machine, "waits:");
});

test("a machine whose address comes late does not sit out its backoff", async () => {
  const { token } = await appliance.boot();
  let address = "";
  let waits = 0;
  // Real seconds: with the backoff alone the sixth try would come after half a minute.
  const wait = (ms: number) => {
    waits++;
    return sleep(ms === 250 ? 1 : ms);
  };
  const machine = machineAt(MAC, { addresses: () => address, wait, chance: () => 1 });
  await appliance.restart(async () => {
    run(machine, token);
    await until("the sixth wait", () => waits > 250);
  });
  const before = waits;
  address = "192.0.2.7/24";
  await shows(machine, "waits:");
  expect(waits - before).toBeLessThan(5);
});

test("a new boot's key replaces the earlier one, whose agent is cut off and refused", async () => {
  const before = await appliance.boot();
  const old = machineAt();
  run(old, before.token);
  await shows(old, "waits:");
  const next = await appliance.boot();
  const fresh = machineAt();
  run(fresh, next.token);
  await shows(fresh, "waits:");
  await shows(old, "was refused: its key was revoked");
  expect(await appliance.events()).toContain("certificate-revoked");
  // The clone still holds the first token, and it is still in time.
  old.putTicket({
    token: before.token,
    caFingerprint: appliance.authority.fingerprint,
    server: appliance.address,
    mac: MAC,
  });
  await until("one session", () => appliance.server.sessionCount() === 1);
});

test("kernel lines arrive with the appliance's time, each once over a reconnection", async () => {
  const { token } = await appliance.boot();
  const texts = Array.from({ length: 400 }, (_, index) => `line ${index}`);
  const machine = machineAt(MAC, { openKernelLog: kernelLogOf(texts) });
  run(machine, token);
  const kernelLines = async () =>
    (await appliance.inventory.listLogLines({ mac: MAC, limit: 1000 })).filter((line) => line.source === "kernel");
  await until("all lines", async () => (await kernelLines()).length === texts.length);
  await appliance.restart();
  await shows(machine, "waits:");
  const lines = await kernelLines();
  expect(new Set(lines.map((line) => line.text)).size).toBe(texts.length);
  expect(lines).toHaveLength(texts.length);
  expect(Math.abs(lines[0]!.at - Date.now())).toBeLessThan(60_000);
});

test("a machine's word about its other network cards counts from approval on", async () => {
  const [other, free, seen] = ["52:54:00:00:00:02", "52:54:00:00:00:03", "52:54:00:00:00:04"] as const;
  await appliance.inventory.changeMachines([{ macs: [other], role: "worker" }], [], "uid 0");
  await appliance.inventory.sightMachine({ mac: seen, at: Date.now() });
  const { token, machine: stored } = await appliance.boot();
  const facts = factsOf(MAC);
  const nics = [MAC, other, free, seen].map((mac) => ({ ...facts.nics[0]!, mac }));
  run(machineAt(MAC, {}, { ...facts, nics }), token);
  const macs = async () => (await appliance.inventory.findMachineById(stored.id))?.macs;
  await until("it waits", async () => (await appliance.events()).includes("waiting"));
  expect(await macs()).toEqual([MAC]);
  expect((await appliance.inventory.findMachineByMac(seen))?.id).not.toBe(stored.id);
  await appliance.inventory.changeMachines([], [{ id: stored.id, lifecycle: "approved" }], "uid 0");
  // One that nobody knew, and one that only the wire spoke of; never one that a person wrote down.
  await until("its cards", async () => (await macs())?.length === 3);
  expect(await macs()).toEqual([MAC, free, seen]);
  expect(await appliance.inventory.findMachineByMac(other)).toMatchObject({ macs: [other], role: "worker" });
});

test("a machine without a disk says so on both ends", async () => {
  const { token, machine: stored } = await appliance.boot();
  const machine = machineAt(MAC, {}, factsOf(MAC, { disks: [] }));
  await appliance.inventory.changeMachines([], [{ id: stored.id, lifecycle: "approved", role: "worker" }], "uid 0");
  run(machine, token);
  await shows(machine, "waits: there is no cluster yet");
  await until("the event", async () => (await appliance.events()).includes("failed"));
  expect(await appliance.inventory.findMachineById(stored.id)).toMatchObject({ activity: "failed" });
});

test("a certificate that ran out while the machine was away is renewed by the key alone", async () => {
  await appliance.close();
  appliance = await startAppliance(testAuthority(1500));
  const { token } = await appliance.boot();
  const machine = machineAt();
  run(machine, token);
  await shows(machine, "waits:");
  const { certificate } = machine.world.store.readIdentity()!;
  await machine.stop();
  await until("the certificate's end", () => Date.now() > new X509Certificate(certificate).validToDate.getTime() + 100);
  machine.screens.length = 0;
  machine.start();
  await shows(machine, "waits:");
  expect(machine.said.join("")).toContain("The certificate was renewed.");
  expect(machine.world.store.readIdentity()!.certificate).not.toBe(certificate);
});

test("a certificate that lived two thirds of its time is renewed while it is good", async () => {
  await appliance.close();
  appliance = await startAppliance(testAuthority(24 * 3600_000));
  const { token } = await appliance.boot();
  const machine = machineAt();
  run(machine, token);
  await until("the renewal", () => machine.said.join("").includes("The certificate was renewed."));
  await shows(machine, "waits:");
  expect(machine.said.join("")).not.toContain("is needed here");
});

test("facts that change while the machine runs arrive", async () => {
  const { token, machine: stored } = await appliance.boot();
  let facts = factsOf(MAC);
  const machine = machineAt(MAC, { observe: () => facts });
  run(machine, token);
  await shows(machine, "waits:");
  facts = factsOf(MAC, { serial: "C0FFEE" });
  await until("the serial", async () => (await appliance.inventory.findMachineById(stored.id))?.serial === "C0FFEE");
});

test("a machine that is retired while it runs is told, and comes back when it is not", async () => {
  const { token, machine: stored } = await appliance.boot();
  const machine = machineAt();
  run(machine, token);
  await shows(machine, "waits:");
  await appliance.inventory.changeMachines([], [{ id: stored.id, lifecycle: "retired" }], "uid 0");
  await shows(machine, "was refused: the machine is retired");
  await appliance.inventory.changeMachines([], [{ id: stored.id, lifecycle: "discovered" }], "uid 0");
  await shows(machine, "waits: nobody approved it yet");
});

test("a machine that is removed while it runs is told", async () => {
  const { token, machine: stored } = await appliance.boot();
  const machine = machineAt();
  run(machine, token);
  await shows(machine, "waits:");
  await appliance.inventory.deleteMachines([stored.id], "uid 0");
  await shows(machine, "was refused: the inventory does not know this machine");
});

test("a machine without a ticket says so and waits for one", async () => {
  const machine = machineAt();
  machine.start();
  await shows(machine, "has no ticket: it was not booted by a Slipway appliance");
  const { token } = await appliance.boot();
  machine.putTicket({ token, caFingerprint: appliance.authority.fingerprint, server: appliance.address, mac: MAC });
  await shows(machine, "waits:");
});
