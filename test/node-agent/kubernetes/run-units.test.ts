// systemd is asked only when something is not up, or gone, or was not asked for half a minute.
import { expect, test } from "vitest";
import { makeTell, type NodeContext } from "../../../node-agent/kubernetes/context.ts";
import { lookAtUnits } from "../../../node-agent/kubernetes/run-units.ts";
import { SERVICE_ORDER } from "../../../node-agent/kubernetes/services.ts";

/** Above the kernel's greatest (PID_MAX_LIMIT, 2^22). */
const GONE = 4_194_305;
const ALIVE = process.pid;

/** A node whose systemd says this of every unit, and counts how often it is asked. */
function open(shown: { state?: string; pid?: number; code?: number } = {}, services = SERVICE_ORDER) {
  const said: string[] = [];
  const answer = { state: "active", pid: ALIVE, code: 0, ...shown };
  let asked = 0;
  const run = async () => {
    asked += 1;
    const blocks = SERVICE_ORDER.map((name) => {
      const pid = name === "slipway-ephemeral" ? 0 : answer.pid;
      return `Id=${name}.service\nActiveState=${answer.state}\nSubState=running\nResult=success\nNRestarts=0\nMainPID=${pid}\n`;
    });
    return { code: answer.code, stdout: blocks.join("\n"), stderr: "" };
  };
  const context = {
    ...{ deps: { run }, settled: { services }, units: undefined, unitsSeenMs: undefined },
    tell: makeTell((text) => said.push(text)),
  } as unknown as NodeContext;
  return { context, answer, said, look: () => lookAtUnits(context), asked: () => asked };
}

test("lookAtUnits asks at first, and then not while every process is there", async () => {
  const { look, asked } = open();
  const units = await look();
  expect(Object.keys(units)).toEqual([...SERVICE_ORDER]);
  expect(units.kubelet).toMatchObject({ activeState: "active", pid: ALIVE });
  // A service that ran once and ended has none to look for.
  expect(units["slipway-ephemeral"]).not.toHaveProperty("pid");
  for (let i = 0; i < 5; i++) expect(await look()).toEqual(units);
  expect(asked()).toBe(1);
});

test.each([
  [29_000, 1],
  [31_000, 2],
])("lookAtUnits %i ms after the last answer has asked %i times", async (agoMs, times) => {
  const { look, asked, context } = open();
  await look();
  context.unitsSeenMs = performance.now() - agoMs;
  await look();
  expect(asked()).toBe(times);
});

test("lookAtUnits asks when a process is gone, until systemd names one that is there", async () => {
  const { look, asked, answer } = open({ pid: GONE });
  await look();
  await look();
  expect(asked()).toBe(2);
  answer.pid = ALIVE;
  await look();
  await look();
  expect(asked()).toBe(3);
});

test("lookAtUnits asks each time while a service is not up", async () => {
  const { look, asked } = open({ state: "activating" });
  for (let i = 0; i < 3; i++) await look();
  expect(asked()).toBe(3);
});

test("lookAtUnits asks after something was started, and shows only what was told to run", async () => {
  const { look, asked, context } = open({}, ["containerd", "kubelet"]);
  expect(Object.keys(await look())).toEqual(["containerd", "kubelet"]);
  // As run-services.ts leaves it.
  context.unitsSeenMs = undefined;
  await look();
  expect(asked()).toBe(2);
});

test("lookAtUnits keeps what was last known when systemd is silent, says so once, and asks again", async () => {
  const { look, asked, answer, said, context } = open();
  const before = await look();
  Object.assign(answer, { code: 124 });
  context.unitsSeenMs = undefined;
  expect(await look()).toEqual(before);
  expect(await look()).toEqual(before);
  expect(asked()).toBe(3);
  expect(said).toEqual(["systemd does not say how the node's services are; the agent asks again."]);
});
