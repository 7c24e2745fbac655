// The endless stream of events: the past first, nothing twice, nothing left out, and an end when either side goes.
import { request } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listenAdmin } from "../../../server/rest/admin-socket.ts";
import { NOW, openRig, type Rig } from "./open-rig.ts";

const A = "52:54:00:00:00:0a";
const B = "52:54:00:00:00:0b";
let rig: Rig;
let path = "";
beforeEach(async () => {
  rig = await openRig();
  path = join(rig.dir, "admin.sock");
  await listenAdmin(rig.app, { path });
});
afterEach(() => rig.close());

/** Reads lines until it has `count`, or the stream ends. */
async function follow(query: string, onOpen: () => unknown, count: number): Promise<{ text: string; seq: number }[]> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  const wanted = () => text.split("\n").filter((l) => l !== "");
  const outgoing = request({ socketPath: path, path: `/v1/events/follow${query}` }, (response) => {
    onOpen();
    response.on("data", (chunk) => {
      text += chunk;
      if (wanted().length >= count) {
        outgoing.destroy();
        resolve(text);
      }
    });
    response.on("end", () => resolve(text));
    response.on("error", () => resolve(text));
  });
  outgoing.on("error", reject);
  outgoing.end();
  await promise;
  return wanted().map((line) => JSON.parse(line));
}
const record = (mac: string, ...steps: number[]) =>
  rig.inventory.recordEvents(
    steps.map((n) => ({ kind: "agent-progress", at: NOW + n, mac, detail: { step: `step ${n}` } })),
  );
const count = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test("follow begins with the next event when no number is given", async () => {
  await record(A, 1);
  const events = await follow("", () => record(A, 2), 1);
  expect(events.map((e) => e.text)).toEqual(["step 2"]);
});

test("follow tells the past after a number, then the present, without gap or double", async () => {
  await record(A, ...count(1, 1200));
  const onOpen = async () => {
    for (let n = 1201; n <= 1210; n++) await record(A, n);
  };
  const events = await follow("?afterSeq=0", onOpen, 1210);
  expect(events.map((e) => e.text)).toEqual(count(1, 1210).map((n) => `step ${n}`));
});

test("follow of one machine leaves the others out", async () => {
  await rig.inventory.sightMachine({ mac: A, at: NOW });
  const onOpen = async () => {
    await record(B, 1);
    await record(A, 2);
    await record(B, 3);
    await record(A, 4);
  };
  expect((await follow(`?machine=${A}`, onOpen, 2)).map((e) => e.text)).toEqual(["step 2", "step 4"]);
});

test("follow of a MAC that nobody knows yet waits for it", async () => {
  const events = await follow(`?machine=${B}`, () => rig.inventory.sightMachine({ mac: B, at: NOW }), 1);
  expect(events.map((e) => e.text)).toEqual(["was seen for the first time"]);
});

test("follow ends when the appliance stops, so that it can stop", async () => {
  const events = await follow("", () => setImmediate(() => rig.app.close()), 1);
  expect(events).toEqual([]);
});

test("follow tells an event once that happens while the past is read", async () => {
  await record(A, 1);
  const { listEvents } = rig.inventory;
  let isFirst = true;
  // The stream already listens when it reads the past: this event comes by both ways.
  rig.inventory.listEvents = async (query) => {
    if (isFirst) await record(A, 2);
    isFirst = false;
    return listEvents(query);
  };
  const events = await follow("?afterSeq=0", () => record(A, 3), 3);
  expect(events.map((e) => e.text)).toEqual(["step 1", "step 2", "step 3"]);
});
