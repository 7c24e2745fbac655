// `install`, `reboot`, `shutdown` and `reset` as a person and a script meet them: nobody is at the terminal here.
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { LiveMachine } from "../../../server/boot/live-machine.ts";
import { listenAdmin } from "../../../server/rest/admin-socket.ts";
import { actorOfPeer } from "../../../server/rest/peer-socket.ts";
import { NOW, openRig, type Rig } from "../rest/open-rig.ts";
import { type Run, run } from "./run-in-process.ts";

const A = "52:54:00:00:00:0a";
const B = "52:54:00:00:00:0b";
const INSTALLATION = { installId: "i1", number: 2, disk: "/dev/vda", at: NOW };

let rig: Rig;
let socket = "";
let live: Record<string, LiveMachine>;
let last: string | undefined;
beforeEach(async () => {
  live = {};
  last = undefined;
  rig = await openRig({ actorOf: actorOfPeer, liveOf: (id) => live[id], endsCluster: () => last });
  socket = join(rig.dir, "admin.sock");
  await listenAdmin(rig.app, { path: socket });
});
afterEach(() => rig.close());
const slipway = (...args: string[]): Promise<Run> => run(socket, ...args);

async function installed() {
  const [machine] = await rig.inventory.changeMachines([{ macs: [A], name: "cp1", lifecycle: "approved" }], [], "anna");
  const change = { id: machine!.id, lifecycle: "installed", installation: INSTALLATION, role: "controlplane" } as const;
  await rig.inventory.changeMachines([], [change], "anna");
  return machine!.id;
}

test("install of new machines asks nothing, takes commas, and says what is next", async () => {
  for (const mac of [A, B]) await rig.inventory.sightMachine({ mac, at: NOW });
  expect(await slipway("install", `${A},${B}`)).toEqual({
    ...{ code: 0, err: "" },
    out: [
      `${A}: is to be installed; it begins when it boots from the network`,
      `${B}: is to be installed; it begins when it boots from the network`,
      "",
      `2 machines wait for a role: slipway set ${A},${B} --role worker`,
      "",
    ].join("\n"),
  });
});

test("install of what is installed, and whatever wipes, wants a yes from a script", async () => {
  const id = await installed();
  for (const [command, args] of [
    ["install", ["cp1"]],
    ["install", ["cp1", "--wipe"]],
    ["reset", ["cp1"]],
  ] as const) {
    expect(await slipway(command, ...args)).toEqual({
      ...{ code: 2, out: "" },
      err: `slipway: ${command} cp1: nobody is there to be asked\n  Add --yes.\n`,
    });
  }
  live[id] = { bootSource: "disk", installId: "i1" };
  expect((await slipway("install", "cp1", "--yes")).out).toBe(
    "cp1: is to be installed anew; it restarts now, and must boot from the network\n",
  );
});

test("reset, reboot and shutdown say what happens, or why not", async () => {
  const id = await installed();
  expect((await slipway("reset", "cp1", "--yes")).out).toBe("cp1: is wiped as soon as its agent is heard\n");
  expect(await slipway("reboot", "cp1")).toMatchObject({
    ...{ code: 5, out: "" },
    err: expect.stringContaining("cp1: its agent is not in touch, so it cannot reboot\n"),
  });
  live[id] = { bootSource: "disk", installId: "i1" };
  expect((await slipway("shutdown", "cp1")).out).toBe("cp1: shuts down\n");
  expect(JSON.parse((await slipway("reboot", "cp1", "-o", "json")).out)[0].verb.verb).toBe("reboot");
  last = "rack1";
  expect(await slipway("reset", "cp1", "--yes")).toEqual({
    ...{ code: 5, out: "" },
    err:
      "slipway: cp1: holds the last data of cluster rack1, which would be gone for good\n" +
      "  Say that you mean it by naming the cluster: --cluster-name NAME.\n",
  });
  expect((await slipway("reset", "cp1", "--yes", "--cluster-name", "rack1")).out).toBe("cp1: is wiped and restarts\n");
});

test("machines shows who is Ready, and what each one does", async () => {
  const id = await installed();
  live[id] = { bootSource: "disk", installId: "i1", node: { isReady: true, reason: "", holdsEndpoint: true } };
  const line = async () => (await slipway("machines")).out.split("\n")[1];
  expect(await line()).toMatch(/installed {2}off {2}yes, endpoint {2}never$/);
  live[id]!.node = { isReady: false, reason: "etcd does not answer", holdsEndpoint: false };
  expect(await line()).toMatch(/ no {5}never {2}etcd does not answer$/);
  await slipway("reboot", "cp1");
  expect(await line()).toMatch(/reboot ordered$/);
  delete live[id];
  expect(await line()).toMatch(/ \(no\) /);
  const page = (await slipway("machines", "cp1")).out;
  expect(page).toMatch(/\ninstalled: +on \/dev\/vda, install 2, \d+ \w+ ago/);
  expect(page).toMatch(/\nordered: +reboot, /);
});
