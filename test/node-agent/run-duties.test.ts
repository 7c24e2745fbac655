// Installs, verbs and a node's reports against the real gRPC server: what is ordered, done, said again, and what a restart of
// the agent or a broken line leaves of it. Disk and Kubernetes are ports here; their own rooms have their own tests.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NodeStore, openNodeStore } from "../../node-agent/node/open-state.ts";
import { containerInstaller } from "../../node-agent/run-container-install.ts";
import type { Installed, InstallJob, NodeLife, NodeParts, World } from "../../node-agent/world.ts";
import type { ClusterOrders, InstallStep, NodeStatus } from "../../server/contract/generated/agent.ts";
import { workerText } from "../server/contract/machine-config/sample.ts";
import { type Appliance, MAC, startAppliance } from "../server/grpc/appliance.ts";
import { type FakeDesk, fakeDesk } from "../server/grpc/fake-agent.ts";
import { DISK, factsOf, NO_STATUS, type TestMachine, testMachine, until } from "./machine.ts";

let appliance: Appliance;
let desk: FakeDesk;
const machines: TestMachine[] = [];
beforeEach(async () => {
  desk = fakeDesk();
  desk.answer = { kind: "config", text: workerText() };
  appliance = await startAppliance(undefined, { desk });
});
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.dispose();
  await appliance.close();
});

const APPROVED = { lifecycle: "approved", role: "worker", name: "w-1" } as const;
const eventsOf = async (kind: string) => (await appliance.events()).filter((one) => one === kind).length;
const event = (kind: string) => until(`the event ${kind}`, async () => (await eventsOf(kind)) > 0);
const shows = (machine: TestMachine, text: string) =>
  until(
    `"${text}" on the screen`,
    () => machine.state().includes(text),
    () => `${machine.state()} | ${machine.said.join("")}`,
  );

/** A machine whose disk does what `install` says. */
function machineAt(over: Partial<World>): TestMachine {
  const machine = testMachine(MAC, over);
  machines.push(machine);
  return machine;
}
async function run(machine: TestMachine, change: object = APPROVED): Promise<string> {
  const { token, machine: stored } = await appliance.boot();
  await appliance.inventory.changeMachines([], [{ id: stored.id, ...change }], "anna");
  const { authority, address } = appliance;
  machine.putTicket({ token, caFingerprint: authority.fingerprint, server: address, mac: MAC });
  machine.start();
  return stored.id;
}
const record = (id: string) => appliance.inventory.findMachineById(id);

const stepOf = (order: string, over: Partial<InstallStep> = {}): InstallStep => ({
  ...{ order, number: 1, of: 2, text: "writes the table", done: false, bytesDone: 0n, bytesTotal: 0n, elapsedMs: 0 },
  ...over,
});

/** A disk: what it was asked, and what it answers. */
function fakeDisk(answer: () => Installed = () => ({ kind: "installed", number: 1, disk: "/dev/vda" })) {
  const jobs: InstallJob[] = [];
  const resets: string[] = [];
  const installer: World["installer"] = {
    install: async (job, report) => {
      jobs.push(job);
      report(stepOf(job.order.order));
      report(stepOf(job.order.order, { done: true }));
      return answer();
    },
    reset: async (id) => {
      resets.push(id);
      return { kind: "reset" };
    },
  };
  return { jobs, resets, installer };
}

/** Kubernetes: a node whose status a test sets. */
function fakeNode() {
  const lives: { parts: NodeParts; ended: boolean; stopped: boolean }[] = [];
  const orders: (ClusterOrders | undefined)[] = [];
  const listeners = new Set<() => void>();
  let status: NodeStatus = { ...NO_STATUS, reason: "the kubelet is starting" };
  const openNode = (parts: NodeParts): NodeLife => {
    const life = { parts, ended: false, stopped: false };
    lives.push(life);
    return {
      install: parts.install,
      role: "worker",
      endpoint: parts.config.config.cluster.endpoint.url,
      setOrders: (given) => void orders.push(given),
      status: () => ({ ...status, installId: parts.install.installId }),
      watch: (listener) => void listeners.add(listener),
      stop: async () => {
        life.stopped = true;
      },
      end: async () => {
        life.ended = true;
        await node.onEnd();
      },
    };
  };
  const say = (next: Partial<NodeStatus>) => {
    status = { ...status, ...next };
    for (const listener of listeners) listener();
  };
  const node = { lives, orders, openNode, say, onEnd: async (): Promise<void> => {} };
  return node;
}

describe("an install on metal", () => {
  test("fetches the config once, installs, says so, and restarts when the appliance has noted it", async () => {
    const disk = fakeDisk();
    const machine = machineAt({ installer: disk.installer });
    const id = await run(machine);
    await until("the restart", () => machine.said.includes("reboot"));
    expect(disk.jobs).toHaveLength(1);
    const job = disk.jobs[0]!;
    expect(job.order.imageUrl).toBe("http://127.0.0.1:8080/image/0123456789abcdef/");
    expect(job.config.text).toBe(workerText());
    expect(job.identity.machineId).toBe(id);
    expect(job.key).toContain("PRIVATE KEY");
    expect((await record(id))?.installation).toMatchObject({ installId: job.installId, number: 1, disk: "/dev/vda" });
    await event("installed");
    await event("config-given");
    expect(machine.state()).toContain("installed to /dev/vda");
  });

  test("is done when the agent is restarted between the install and the nod", async () => {
    const disk = fakeDisk();
    const machine = machineAt({ installer: disk.installer });
    const { store } = machine.world;
    const saveJob = store.saveJob;
    let isKilled = false;
    // Stopped as soon as the outcome is on file; what it says then reaches nobody.
    store.saveJob = (job) => {
      saveJob(job);
      if (job?.done === undefined || isKilled) return;
      isKilled = true;
      void appliance.server.close();
      void machine.stop();
    };
    const id = await run(machine);
    await until("the kill", () => isKilled);
    await machine.stop();
    expect(machine.said).not.toContain("reboot");
    expect((await record(id))?.lifecycle).toBe("approved");
    await appliance.restart();
    machine.start();
    await until("the restart", () => machine.said.includes("reboot"));
    expect((await record(id))?.lifecycle).toBe("installed");
    expect(disk.jobs).toHaveLength(1);
  });

  test("goes on with the kept config when the agent was killed in its middle", async () => {
    let isHanging = true;
    const jobs: InstallJob[] = [];
    const installer: World["installer"] = {
      install: (job, _report, signal) =>
        new Promise((resolve) => {
          jobs.push(job);
          if (!isHanging) resolve({ kind: "installed", number: 1, disk: "/dev/vda" });
          signal.addEventListener("abort", () => resolve({ kind: "failed", reason: "stopped", remedy: "" }));
        }),
      reset: async () => ({ kind: "reset" }),
    };
    const machine = machineAt({ installer });
    await run(machine);
    await until("the install", () => jobs.length === 1);
    await machine.stop();
    isHanging = false;
    machine.start();
    await until("the restart", () => machine.said.includes("reboot"));
    expect(jobs[1]?.installId).toBe(jobs[0]?.installId);
    expect(await eventsOf("order-failed")).toBe(0);
    await event("installed");
    expect(await eventsOf("config-given")).toBe(1);
  });

  test("that cannot be says why on both ends, and goes on when it can", async () => {
    let answer: Installed = { kind: "failed", reason: "only foreign disks: vda holds ext4", remedy: "install --wipe" };
    const disk = fakeDisk(() => answer);
    const machine = machineAt({ installer: disk.installer });
    const id = await run(machine);
    await shows(machine, "cannot install: only foreign disks: vda holds ext4");
    expect(machine.screens.at(-1)?.next).toBe("install --wipe");
    await until("the record", async () => (await record(id))?.activity === "failed");
    expect((await record(id))?.install?.failure).toMatchObject({ remedy: "install --wipe" });
    answer = { kind: "installed", number: 1, disk: "/dev/vda" };
    await until("the restart", () => machine.said.includes("reboot"));
    expect((await record(id))?.lifecycle).toBe("installed");
  });

  test("with a config that has faults names them with line and path, and takes a better one", async () => {
    desk.answer = { kind: "config", text: workerText({ machine: "  nodeLabel: {a: b}\n" }) };
    const disk = fakeDisk();
    const machine = machineAt({ installer: disk.installer });
    await run(machine);
    await shows(machine, "cannot install: the machine config cannot be used");
    expect(machine.state()).toMatch(/config:\d+:\d+: machine\.nodeLabel: no such field; did you mean nodeLabels\?/);
    expect(disk.jobs).toEqual([]);
    expect(existsSync(join(machine.dir, "job.json"))).toBe(false);
    desk.answer = { kind: "config", text: workerText() };
    await until("the restart", () => machine.said.includes("reboot"));
    expect([...machine.said, JSON.stringify(machine.screens), ...appliance.said].join()).not.toContain(
      /token: (\S+)/.exec(workerText())![1],
    );
  });

  test("is told its steps", async () => {
    const installer: World["installer"] = {
      install: async ({ order }, report, signal) => {
        report(
          stepOf(order.order, {
            text: "fetches the image",
            bytesDone: 50_000_000n,
            bytesTotal: 200_000_000n,
            elapsedMs: 5000,
          }),
        );
        return new Promise((resolve) =>
          signal.addEventListener("abort", () => resolve({ kind: "failed", reason: "stopped", remedy: "" })),
        );
      },
      reset: async () => ({ kind: "reset" }),
    };
    let disks = [DISK];
    const machine = machineAt({ installer, observe: () => factsOf(MAC, { disks }) });
    const id = await run(machine);
    await shows(machine, "installs: step 1 of 2, fetches the image: 50 of 200 MB, 15 s left");
    await until("the activity", async () => (await record(id))?.activity === "installing");
    // Its own mounts make the disk look like the one that the system came from: nobody is told of that.
    disks = [{ ...DISK, bootMedium: true }];
    await sleep(300);
    expect((await record(id))?.activity).toBe("installing");
    expect((await record(id))?.installDisk).toContain("/dev/vda");
  });

  test("ordered from a node that runs from its disk is refused with the remedy", async () => {
    const disk = fakeDisk();
    const machine = machineAt({ installer: disk.installer, bootSource: "disk" });
    await run(machine);
    await shows(machine, "cannot install: the machine runs from the disk that is to be installed");
    expect(disk.jobs).toEqual([]);
  });
});

describe("a container node", () => {
  function container() {
    const node = fakeNode();
    const machine = machineAt({ bootSource: "container", openNode: node.openNode });
    const store: NodeStore = openNodeStore(
      join(machine.dir, "var/lib/slipway/state"),
      (text) => void machine.said.push(text),
    );
    Object.assign(machine.world, {
      nodeStore: store,
      installer: containerInstaller({ store, varDir: join(machine.dir, "var"), unmount: () => {} }),
    });
    return { machine, node, store };
  }

  test("becomes a node without a restart, and reports until it is Ready", async () => {
    const { machine, node, store } = container();
    const id = await run(machine);
    await until("the node", () => node.lives.length === 1);
    expect((await record(id))?.lifecycle).toBe("installed");
    const stored = store.read();
    expect(stored).toMatchObject({
      kind: "node",
      install: { number: 1, disk: "", installId: node.lives[0]!.parts.install.installId },
    });
    await until("the status", () => desk.heard.some((text) => text.includes("the kubelet is starting")));
    node.say({ ready: true, reason: "" });
    await until("ready", async () => (await record(id))?.lifecycle === "ready");
    await shows(machine, "Ready");
    expect(machine.said.join()).not.toContain("reboot");
    expect(node.orders.at(-1)).toEqual({ bootstrapEtcd: false, peers: [] });
  });

  test("comes back from STATE without its appliance, and is heard again", async () => {
    const { machine, node } = container();
    const id = await run(machine);
    await until("the node", () => node.lives.length === 1);
    node.say({ ready: true, reason: "" });
    await until("ready", async () => (await record(id))?.lifecycle === "ready");
    await machine.stop();
    expect(node.lives[0]).toMatchObject({ stopped: true, ended: false });
    await appliance.restart(async () => {
      machine.start();
      await until("the node again", () => node.lives.length === 2);
      await shows(machine, "Ready (the appliance is away)");
    });
    await shows(machine, "Ready");
    expect((await record(id))?.lifecycle).toBe("ready");
  });

  test.each(["reboot", "shutdown"] as const)("%s ends its services first", async (verb) => {
    const { machine, node } = container();
    const id = await run(machine);
    await until("the node", () => node.lives.length === 1);
    const said = { reboot: "reboot", shutdown: "power off" }[verb];
    let endedBefore = false;
    node.onEnd = async () => {
      endedBefore = !machine.said.includes(said);
    };
    await appliance.inventory.changeMachines([], [{ id, verb: { id: "v1", verb, at: Date.now() } }], "anna");
    await until(said, () => machine.said.includes(said));
    expect(endedBefore).toBe(true);
    expect(machine.world.store.readVerb()).toBeUndefined();
  });

  test("shutdown does not wait for ever for services that do not end", async () => {
    const { machine, node } = container();
    const id = await run(machine);
    await until("the node", () => node.lives.length === 1);
    node.onEnd = () => new Promise(() => {});
    await appliance.inventory.changeMachines(
      [],
      [{ id, verb: { id: "v1", verb: "shutdown", at: Date.now() } }],
      "anna",
    );
    await until("power off", () => machine.said.includes("power off"));
    expect(node.lives[0]).toMatchObject({ ended: true });
  });

  test("is reset: services ended, STATE blank, power off", async () => {
    const { machine, node, store } = container();
    const id = await run(machine);
    await until("the node", () => node.lives.length === 1);
    await appliance.inventory.changeMachines([], [{ id, verb: { id: "v1", verb: "reset", at: Date.now() } }], "anna");
    await until(
      "power off",
      () => machine.said.includes("power off"),
      () => machine.said.join(""),
    );
    expect(node.lives[0]).toMatchObject({ ended: true });
    expect(store.read()).toEqual({ kind: "blank" });
    expect(machine.world.store.readIdentity()).toBeDefined();
    expect((await record(id))?.lifecycle).toBe("discovered");
  });
});

describe("a node on its disk", () => {
  test("checks its image once it is Ready, and tells of a damaged one in every session", async () => {
    const node = fakeNode();
    let checks = 0;
    const machine = machineAt({
      bootSource: "disk",
      openNode: node.openNode,
      checkImage: async () => {
        checks++;
        return {
          kind: "damaged",
          text: "The image on /dev/vda: EFI/a.efi has other bytes. Install this machine anew.",
        };
      },
    });
    const store = openNodeStore(join(machine.dir, "state"), (text) => void machine.said.push(text));
    store.saveInstall(workerText(), { order: "o", installId: "i-1" });
    Object.assign(machine.world, { nodeStore: store });
    await run(machine, { lifecycle: "approved" });
    await until("the node", () => node.lives.length === 1);
    await shows(machine, "not ready: the kubelet is starting");
    expect(checks).toBe(0);
    node.say({ ready: true, reason: "" });
    const told = async () =>
      (await appliance.inventory.listEvents({ mac: MAC })).filter((e) => JSON.stringify(e).includes("has other bytes"));
    await until("the event", async () => (await told()).length === 1);
    await appliance.restart();
    await until("the second session's", async () => (await told()).length === 2);
    expect(checks).toBe(1);
  });

  test("whose STATE is empty says so, with the remedy", async () => {
    const machine = machineAt({ bootSource: "disk" });
    Object.assign(machine.world, { nodeStore: openNodeStore(join(machine.dir, "state"), () => {}) });
    machine.start();
    await shows(machine, "cannot install: the machine runs from its disk, and STATE on it is empty");
    expect(machine.screens.at(-1)?.next).toBe("Install this machine anew: slipway install MAC.");
  });
});

describe("verbs", () => {
  test("reboot is taken, and done once it is no longer named", async () => {
    const machine = machineAt({});
    const id = await run(machine, { lifecycle: "approved" });
    await shows(machine, "waits:");
    await appliance.inventory.changeMachines([], [{ id, verb: { id: "v1", verb: "reboot", at: Date.now() } }], "anna");
    await until("the restart", () => machine.said.includes("reboot"));
    expect((await record(id))?.verb).toBeUndefined();
    await event("verb-taken");
    expect(machine.world.store.readVerb()).toBeUndefined();
  });

  test("shutdown survives a restart of the agent between taking and doing it", async () => {
    const machine = machineAt({});
    const id = await run(machine, { lifecycle: "approved" });
    await shows(machine, "waits:");
    await machine.stop();
    machine.world.store.saveVerb({ id: "v1", verb: "shutdown" });
    machine.start();
    await until("power off", () => machine.said.includes("power off"));
    expect((await record(id))?.verb).toBeUndefined();
  });

  test("a reset that fails says why, and is tried again", async () => {
    let tries = 0;
    const disk = fakeDisk();
    disk.installer.reset = async () =>
      ++tries === 1
        ? { kind: "failed", reason: "vda: input/output error", remedy: "Replace the disk." }
        : { kind: "reset" };
    const machine = machineAt({ installer: disk.installer });
    const id = await run(machine, { lifecycle: "approved" });
    await shows(machine, "waits:");
    await appliance.inventory.changeMachines([], [{ id, verb: { id: "v1", verb: "reset", at: Date.now() } }], "anna");
    await until("the restart", () => machine.said.includes("reboot"));
    expect(tries).toBe(2);
    expect(machine.screens.map((screen) => screen.state)).toContain("cannot reset: vda: input/output error");
  });
});
