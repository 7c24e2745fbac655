// An install and a node's life on the real gRPC port, with a machine that says what each test wants: what is ordered, who is
// given a config, what becomes of the record.
import { status as grpcStatus } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeEvent } from "../../../inventory/event.ts";
import type { MachineChange } from "../../../inventory/port.ts";
import { until } from "../../node-agent/machine.ts";
import { type Appliance, MAC, startAppliance } from "./appliance.ts";
import { CONFIG, FakeAgent, type FakeDesk, fakeDesk } from "./fake-agent.ts";

const HOUR_MS = 3_600_000;
const NOT_NOW = grpcStatus.FAILED_PRECONDITION;
const NOT_THIS = grpcStatus.PERMISSION_DENIED;

let appliance: Appliance;
let desk: FakeDesk;
const agents: FakeAgent[] = [];
beforeEach(async () => {
  desk = fakeDesk();
  appliance = await startAppliance(undefined, { desk });
});
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.close();
  await appliance.close();
});

async function boot(): Promise<FakeAgent> {
  const agent = await FakeAgent.boot(appliance);
  agents.push(agent);
  return agent;
}
const change = (agent: FakeAgent, over: Omit<MachineChange, "id">, actor = "anna") =>
  appliance.inventory.changeMachines([], [{ id: agent.machine.id, ...over }], actor);
const APPROVED = { lifecycle: "approved", role: "worker", name: "w1" } as const;
/** A netbooted machine that a person approved with a role. */
async function approved(): Promise<FakeAgent> {
  const agent = (await boot()).hello();
  await change(agent, APPROVED);
  return agent;
}
/** One that is installed, and came back from its disk. */
async function installed(): Promise<FakeAgent> {
  const agent = await approved();
  await agent.install();
  agent.hello("disk", "install-1");
  return agent;
}
const eventsOf = (kind: string) => async () => (await appliance.events()).filter((one) => one === kind).length > 0;
/** The words of all events of a kind, once there is one: it is recorded after what it tells of. */
const wordsOnce = async (kind: string) => {
  await until(`the event ${kind}`, eventsOf(kind));
  return words(kind);
};
const words = async (kind: string) => {
  await appliance.events();
  return (await appliance.inventory.listEvents({ mac: MAC })).filter((e) => e.kind === kind).map(describeEvent);
};

describe("an install", () => {
  test("keeps the name of the cluster whose config was given, whatever clusters come later", async () => {
    desk.answer = { kind: "config", text: CONFIG, cluster: "rack1" };
    const agent = await approved();
    await agent.fetch(await agent.order());
    expect((await agent.record()).install?.cluster).toBe("rack1");
    await agent.install();
    expect((await agent.record()).installation?.cluster).toBe("rack1");
  });

  test("is ordered once nothing is missing, and stays the same over streams and a restart of the appliance", async () => {
    const agent = (await boot()).hello();
    desk.wait = { waits: "there is no cluster yet", next: "slipway cluster create NAME" };
    await change(agent, APPROVED);
    await until("the wait", () => agent.state?.waits === "there is no cluster yet");
    expect(agent.state?.install).toBeUndefined();
    expect((await agent.record()).install).toBeUndefined();
    desk.wait = undefined;
    desk.change([agent.machine.id]);
    const order = await agent.order();
    expect(agent.state?.install).toEqual({
      ...{ order, mayWipe: false, imageUrl: "http://127.0.0.1:8080/image/0123456789abcdef/" },
    });
    agent.hello();
    await until("the second stream's order", () => agent.state?.install?.order === order);
    await appliance.restart();
    await until("the end of the stream", () => agent.ended !== undefined);
    agent.states.length = 0;
    agent.hello();
    expect(await agent.order()).toBe(order);
    expect(await wordsOnce("install-ordered")).toHaveLength(1);
  });
  test("has no image URL for a container, and is not named before the machine has said where it came from", async () => {
    const agent = await boot();
    await change(agent, APPROVED);
    agent.hello("container");
    await agent.order();
    expect(agent.states[0]?.install).toBeUndefined();
    expect(agent.state?.install?.imageUrl).toBe("");
  });
  test("waits for an image, and is ordered as soon as one is there", async () => {
    appliance.images.clear();
    const agent = await approved();
    await until("the wait", () => agent.state?.next === "npm run assets");
    appliance.images.add("amd64");
    await agent.order();
  });
  test("ends with what stands on the disk; a repeated word changes nothing", async () => {
    const agent = await approved();
    const order = await agent.install();
    const record = await agent.record();
    expect(record).toMatchObject({
      lifecycle: "installed",
      installation: { installId: "install-1", disk: "/dev/vda" },
    });
    expect(record.install).toBeUndefined();
    // It restarts now: nobody has to be told to send it to its disk.
    expect([record.activity, agent.state?.waits]).toEqual(["running", ""]);
    agent.done(order, "install-2");
    agent.hello("network");
    await until("another state", () => agent.state?.waits.startsWith("it is installed, and was booted") === true);
    expect((await agent.record()).installation).toMatchObject({ installId: "install-1" });
    expect(await wordsOnce("installed")).toEqual([expect.stringMatching(/^is installed on \/dev\/vda, \d+ s after/)]);
  });
  test("is not believed from a machine that never had its config", async () => {
    const agent = await approved();
    agent.done(await agent.order(), "install-1");
    await until("the refusal", eventsOf("order-failed"));
    expect(await agent.record()).toMatchObject({ lifecycle: "approved", activity: "failed" });
  });
  test("is believed from a machine that comes from its disk with the key that was given the config", async () => {
    const agent = await approved();
    const order = await agent.order();
    agent.hello("disk", "install-1");
    await until("the order to stay", () => agent.state?.install?.order === order);
    expect((await agent.record()).lifecycle).toBe("approved");
    await agent.fetch(order);
    agent.cut();
    agent.hello("disk", "install-1");
    await until("the end", () => agent.state?.lifecycle === "installed");
    expect((await agent.record()).installation).toMatchObject({ installId: "install-1", number: 1 });
    agent.status({ installId: "install-1", ready: true });
    await until("ready", async () => (await agent.record()).lifecycle === "ready");
  });
  test("shows its steps: words on disk, bytes in memory, an event at each end", async () => {
    const agent = await approved();
    const order = await agent.order();
    const step = { order, number: 3, of: 9, text: "writes the OS image to slot EFI", done: false };
    const bytes = { bytesDone: 120_000_000n, bytesTotal: 205_000_000n, elapsedMs: 12_000 };
    agent.say({ $case: "installStep", value: { ...step, ...bytes } });
    await until("the step", async () => (await agent.record()).activity === "installing");
    expect((await agent.record()).activityReason).toBe("step 3 of 9: writes the OS image to slot EFI");
    expect(appliance.server.liveOf(agent.machine.id)?.step).toMatchObject({ bytesDone: 120_000_000, number: 3 });
    const end = { ...step, done: true, bytesDone: 205_000_000n, bytesTotal: 205_000_000n, elapsedMs: 20_000 };
    agent.say({ $case: "installStep", value: end });
    agent.say({ $case: "installStep", value: end });
    await until("the step's end", eventsOf("install-step"));
    expect(await wordsOnce("install-step")).toEqual([
      "installs, step 3 of 9: writes the OS image to slot EFI (205.0 MB in 20.0 s, 10.3 MB/s)",
    ]);
  });
  test("that cannot go on says why once, and goes on by itself", async () => {
    const agent = await approved();
    const order = await agent.order();
    const failed = { order, reason: "no disk of 8 GB or more", remedy: "fit a disk" };
    for (let n = 0; n < 3; n++) agent.say({ $case: "orderFailed", value: failed });
    await until("the failure", async () => (await agent.record()).activity === "failed");
    expect((await agent.record()).activityReason).toBe("no disk of 8 GB or more: fit a disk");
    expect((await agent.record()).install?.failure).toEqual({ reason: failed.reason, remedy: failed.remedy });
    // A new boot of the same machine says the same: still one event.
    const next = (await boot()).hello();
    await next.order();
    next.say({ $case: "orderFailed", value: failed });
    await until("the failure again", async () => (await next.record()).activity === "failed");
    expect(await wordsOnce("order-failed")).toEqual(["cannot go on: no disk of 8 GB or more (fit a disk)"]);
    next.say({
      $case: "installStep",
      value: {
        order,
        number: 1,
        of: 9,
        text: "reads the disks",
        done: false,
        bytesDone: 0n,
        bytesTotal: 0n,
        elapsedMs: 0,
      },
    });
    await until("the install", async () => (await next.record()).activity === "installing");
    expect((await next.record()).install?.failure).toBeUndefined();
  });
});

describe("a config", () => {
  test("is given to an armed machine, and again to the same key", async () => {
    const agent = await approved();
    const order = await agent.order();
    expect(await agent.fetch(order)).toBe(CONFIG);
    expect(await agent.fetch(order)).toBe(CONFIG);
    expect(await wordsOnce("config-given")).toEqual(["was given its config"]);
    expect(JSON.stringify([await appliance.inventory.listAudit({}), await appliance.events()])).not.toContain("secret");
  });
  const UNARMED: [string, Omit<MachineChange, "id">, RegExp][] = [
    ["nobody approved it", { lifecycle: "discovered" }, /nobody approved it/],
    ["it is installed", { lifecycle: "installed" }, /no install of it is ordered/],
  ];
  for (const [name, over, reason] of UNARMED) {
    test(`is refused when ${name}, and a person sees why`, async () => {
      const agent = await approved();
      const order = await agent.order();
      await change(agent, over);
      expect(await agent.fetch(order)).toMatch(new RegExp(`^${NOT_NOW}: ${reason.source}`));
      expect(await wordsOnce("config-refused")).toEqual([expect.stringMatching(reason)]);
    });
  }
  test("is refused for an order that was not given", async () => {
    const agent = await approved();
    await agent.order();
    expect(await agent.fetch("made-up")).toMatch(new RegExp(`^${NOT_THIS}: it names an install that was not ordered`));
  });
  test("is refused after the window, which runs from the first contact", async () => {
    const agent = await approved();
    const order = await agent.order();
    const now = Date.now();
    appliance.time.now = () => now + 23 * HOUR_MS;
    expect(await agent.fetch(order)).toBe(CONFIG);
    appliance.time.now = () => now + 25 * HOUR_MS;
    expect(await agent.fetch(order)).toMatch(new RegExp(`^${NOT_NOW}: the 24 hours in which`));
    agent.hello();
    await until("the wait", () => agent.state?.next === "slipway install w1");
  });
  test("goes to one key of an attempt, and to the next attempt of a machine that was cut", async () => {
    const first = await approved();
    const order = await first.order();
    expect(await first.fetch(order)).toBe(CONFIG);
    first.cut();
    const second = (await boot()).hello();
    expect(await second.order()).toBe(order);
    expect(await second.fetch(order)).toBe(CONFIG);
    expect(await wordsOnce("config-given")).toEqual([
      "was given its config",
      "was given its config again, because an earlier attempt was cut",
    ]);
    // The first one's key lost its right when the second enrolled.
    expect(await first.fetch(order)).not.toBe(CONFIG);
  });
  test("is refused to another key of the attempt that had it", async () => {
    const agent = await approved();
    const order = await agent.order();
    expect(await agent.fetch(order)).toBe(CONFIG);
    const { install } = await agent.record();
    await change(agent, { install: { ...install!, givenToKey: "0".repeat(64) } });
    expect(await agent.fetch(order)).toMatch(new RegExp(`^${NOT_THIS}: the config was given to another key`));
  });
  test("is not given when the approval is taken back while it is rendered", async () => {
    const agent = await approved();
    const order = await agent.order();
    desk.onRender = () => change(agent, { lifecycle: "discovered" });
    expect(await agent.fetch(order)).toMatch(new RegExp(`^${NOT_NOW}: nobody approved it`));
    expect(await words("config-given")).toEqual([]);
  });
  test("that cannot be rendered is refused with the desk's own words", async () => {
    const agent = await approved();
    desk.answer = { kind: "refused", reason: "a patch names an unknown key", remedy: "mend role worker" };
    expect(await agent.fetch(await agent.order())).toBe(`${NOT_NOW}: a patch names an unknown key`);
    expect((await agent.record()).install?.givenToKey).toBeUndefined();
  });
});

describe("a verb", () => {
  test("stays in the state until it is taken", async () => {
    const agent = await installed();
    const verb = { id: "v1", verb: "reboot", at: Date.now() } as const;
    await change(agent, { verb });
    await until("the verb", () => agent.state?.verb?.id === "v1");
    agent.say({ $case: "verbTaken", value: { id: "another" } });
    agent.say({ $case: "verbTaken", value: { id: "v1" } });
    await until("its end", () => agent.state?.verb === undefined);
    expect(await agent.record()).toMatchObject({ lifecycle: "installed" });
    expect(await wordsOnce("verb-taken")).toEqual(["begins the reboot"]);
  });
  test("reset makes a machine discovered, without approval, and resetting until it boots again", async () => {
    const agent = await installed();
    await change(agent, { verb: { id: "v2", verb: "reset", at: Date.now() } });
    await until("the verb", () => agent.state?.verb?.id === "v2");
    agent.say({ $case: "verbTaken", value: { id: "v2" } });
    await until("the state", () => agent.state?.lifecycle === "discovered");
    const record = await agent.record();
    expect(record).toMatchObject({ lifecycle: "discovered", activity: "resetting", role: "worker", name: "w1" });
    expect([record.installation, record.install, record.verb, record.approvedAt]).toEqual([
      ...[undefined, undefined, undefined, undefined],
    ]);
    const step = { order: "v2", number: 1, of: 2, text: "forgets the data", done: true, elapsedMs: 10 };
    agent.say({ $case: "installStep", value: { ...step, bytesDone: 0n, bytesTotal: 0n } });
    await until("the step", eventsOf("reset-step"));
    expect(await agent.record()).toMatchObject({
      activity: "resetting",
      activityReason: "step 1 of 2: forgets the data",
    });
    agent.say({ $case: "installStep", value: { ...step, number: 2, bytesDone: 0n, bytesTotal: 0n } });
    await until("its end", async () => (await agent.record()).activityReason?.startsWith("step 2") === true);
    agent.cut();
    await until("off", async () => (await agent.record()).activity === "off");
    const next = (await boot()).hello();
    await until("the wait", () => next.state?.waits === "nobody approved it yet");
    expect(await next.record()).toMatchObject({ lifecycle: "discovered", activity: "waiting" });
  });
});

describe("a node", () => {
  test("is ready, and is not, with the seconds and the reason", async () => {
    const agent = await installed();
    agent.status({ installId: "install-1", ready: true });
    await until("ready", async () => (await agent.record()).lifecycle === "ready");
    expect(appliance.server.liveOf(agent.machine.id)?.node).toEqual({
      isReady: true,
      reason: "",
      holdsEndpoint: false,
    });
    agent.status({ installId: "install-1", ready: false, reason: "etcd does not answer" });
    await until("not ready", async () => (await agent.record()).lifecycle === "installed");
    expect(await wordsOnce("ready")).toEqual([expect.stringMatching(/^is a Ready node, \d+ s after power-on$/)]);
    expect(await wordsOnce("not-ready")).toEqual(["is no Ready node: etcd does not answer"]);
    expect(desk.heard).toEqual([`${MAC} ready`, `${MAC} etcd does not answer`].map((w) => expect.stringContaining(w)));
  });
  test("gets the cluster's orders, and new ones when they change", async () => {
    const agent = await installed();
    await until("orders", () => agent.state?.cluster?.bootstrapEtcd === false);
    desk.shouldBootstrap = true;
    desk.change([agent.machine.id]);
    await until("new orders", () => agent.state?.cluster?.bootstrapEtcd === true);
  });
  test("of another installation is not trusted", async () => {
    const agent = await approved();
    await agent.install();
    agent.hello("disk", "install-of-another-disk");
    await until("the event", eventsOf("installation-unknown"));
    agent.status({ installId: "install-of-another-disk", ready: true });
    agent.status({ installId: "", ready: true });
    agent.say({ $case: "verbTaken", value: { id: "none" } });
    await until("all read", async () => (await agent.record()).activity === "failed");
    expect(await agent.record()).toMatchObject({ lifecycle: "installed" });
    expect(desk.heard.filter((one) => !one.endsWith("gone"))).toEqual([]);
    expect(await wordsOnce("installation-unknown")).toHaveLength(1);
    // Its own disk is back.
    agent.hello("disk", "install-1");
    await until("running", async () => (await agent.record()).activity === "running");
  });
  test("that is heard from its disk begins its count anew, and is no longer failed", async () => {
    const agent = await approved();
    await agent.install();
    await change(agent, { diskBoots: 3 });
    await appliance.inventory.moveActivity(agent.machine.id, "failed", "it was sent to its disk 3 times");
    agent.hello("disk", "install-1");
    await until("the count", async () => (await agent.record()).diskBoots === undefined);
    await until("running", async () => (await agent.record()).activity === "running");
  });
  test("that goes is told to the desk", async () => {
    const agent = await installed();
    agent.status({ installId: "install-1", ready: true });
    await until("ready", async () => (await agent.record()).lifecycle === "ready");
    agent.close();
    await until("gone", () => desk.heard.includes(`${agent.machine.id} gone`));
    expect((await agent.record()).lifecycle).toBe("ready");
    expect(appliance.server.liveOf(agent.machine.id)).toBeUndefined();
  });
});
