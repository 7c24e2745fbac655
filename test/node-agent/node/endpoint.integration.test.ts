// The endpoint on a real cable, in two network namespaces: taken after a probe, announced, renewed, given up; and off the wire
// by itself when the agent is killed. What the other machine hears by ARP is what counts.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { VALID_SECONDS } from "../../../node-agent/node/vip.ts";
import { until } from "../machine.ts";
import { type Cable, layCable, PRELUDE, ROOT } from "./space.ts";

const VIP = "192.0.2.5";
let cable: Cable;
const running: { kill(signal: NodeJS.Signals): boolean }[] = [];
beforeEach(() => {
  cable = layCable("swep");
  cable.node("ip", "address", "add", "192.0.2.7/24", "dev", "eth0");
  cable.other("ip", "address", "add", "192.0.2.8/24", "dev", "eth0");
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
  cable.close();
});

const HOLD = `${PRELUDE}
import { holdVip } from "${ROOT}/node-agent/node/run-vip.ts";
import { existsSync } from "node:fs";
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
const vip = holdVip({
  ip: "${VIP}", card: () => card, isReady: async () => !existsSync(process.env.NOT_READY), libc, log, wait,
  uptimeMs: () => performance.now(), chance: () => 0, changed: () => console.log(vip?.isHeld() ? "held" : "away " + vip?.obstacle()),
}, stop.signal);
await vip.ended;
console.log("ended");
`;

/** A control plane node's part that holds the endpoint. */
function hold(): { said(): string; kill(signal: NodeJS.Signals): boolean; notReady: string } {
  const notReady = `/tmp/${cable.spaces.node}-not-ready`;
  const child = cable.start("node", HOLD, { env: { ...process.env, NOT_READY: notReady } });
  let said = "";
  child.stdout!.on("data", (bytes) => {
    said += bytes;
  });
  const holder = { said: () => said, kill: (signal: NodeJS.Signals) => child.kill(signal), notReady };
  running.push(holder);
  return holder;
}

const WATCH = `${PRELUDE}
import { openArp } from "${ROOT}/node-agent/node/arp-socket.ts";
const arp = openArp(libc, card, (ms) => sleep(ms));
for (;;) { console.log(await arp.probe("${VIP}") ?? "nobody"); await sleep(100); }
`;

/** The other machine asks by ARP, several times a second, who has the endpoint. */
function watch() {
  const child = cable.start("other", WATCH);
  running.push(child);
  const heard: { who: string; atMs: number }[] = [];
  child.stdout!.on("data", (bytes) => {
    for (const who of String(bytes).trim().split("\n")) heard.push({ who, atMs: performance.now() });
  });
  /** The answer to a question that was asked after this call. */
  const ask = async () => {
    const before = heard.length;
    await until("an answer", () => heard.length > before + 1);
    return heard.at(-1)!.who;
  };
  return { heard, ask };
}

test("is taken after a probe, answers, and is no address that the node speaks from", async () => {
  const [holder, wire] = [hold(), watch()];
  await until("held", () => holder.said().includes("This node holds the endpoint"), holder.said);
  expect(await wire.ask()).toBe(cable.macs.node);
  const shown = cable.node("ip", "-o", "-4", "address", "show", "dev", "eth0");
  expect(shown).toMatch(/192\.0\.2\.5\/32 .*deprecated .*valid_lft [3-5]sec preferred_lft 0sec/);
  expect(cable.node("ip", "route", "get", "192.0.2.8")).toContain("src 192.0.2.7");
  await sleep(8000);
  expect(await wire.ask()).toBe(cable.macs.node);
});

test(`is off the wire within ${VALID_SECONDS + 2} s when the agent is killed`, async () => {
  const [holder, wire] = [hold(), watch()];
  await until("held", () => holder.said().includes("This node holds the endpoint"), holder.said);
  expect(await wire.ask()).toBe(cable.macs.node);
  holder.kill("SIGKILL");
  const killedMs = performance.now();
  await until("its end", () => wire.heard.at(-1)?.who === "nobody");
  const lastMs = wire.heard.findLast(({ who }) => who === cable.macs.node)!.atMs - killedMs;
  console.log(`the endpoint was heard last ${(lastMs / 1000).toFixed(1)} s after kill -9`);
  expect(lastMs).toBeLessThan((VALID_SECONDS + 2) * 1000);
  expect(cable.node("ip", "-o", "-4", "address", "show", "dev", "eth0")).not.toContain(VIP);
});

test("is given up at once when the agent is stopped, and when its API server does not answer any more", async () => {
  const [holder, wire] = [hold(), watch()];
  await until("held", () => holder.said().includes("This node holds the endpoint"), holder.said);
  cable.node("touch", holder.notReady);
  await until("given up", () => holder.said().includes("let go of the endpoint"), holder.said);
  expect(await wire.ask()).toBe("nobody");
  cable.node("rm", holder.notReady);
  await until("held again", () => holder.said().split("This node holds").length === 3, holder.said);
  holder.kill("SIGTERM");
  await until("the end", () => holder.said().includes("ended"));
  expect(await wire.ask()).toBe("nobody");
});

test("is left alone while another machine has it, and taken when that one is gone", async () => {
  cable.other("ip", "address", "add", `${VIP}/32`, "dev", "eth0");
  const holder = hold();
  await until("the rival", () => holder.said().includes(`is used by ${cable.macs.other}`), holder.said);
  expect(cable.node("ip", "-o", "-4", "address", "show", "dev", "eth0")).not.toContain(VIP);
  cable.other("ip", "address", "del", `${VIP}/32`, "dev", "eth0");
  await until("held", () => holder.said().includes("This node holds the endpoint"), holder.said);
});

test("is given up when another machine announces it", async () => {
  const holder = hold();
  await until("held", () => holder.said().includes("This node holds the endpoint"), holder.said);
  const announce = `${PRELUDE}
import { openArp } from "${ROOT}/node-agent/node/arp-socket.ts";
openArp(libc, card, (ms) => sleep(ms)).announce("${VIP}");`;
  cable.start("other", announce);
  await until("given up", () => holder.said().includes(`is used by ${cable.macs.other}`), holder.said);
});
