// Whether the endpoint may be at this node: what the looks found, and one cheap question each time.
import { expect, test } from "vitest";
import type { Api, ApiAnswer } from "../../../node-agent/kubernetes/open-api.ts";
import { openApiProbe } from "../../../node-agent/kubernetes/run-probe.ts";

const OK: ApiAnswer<never> = { kind: "ok", value: "ok" as never };
function open(answer: ApiAnswer<never> | undefined = OK) {
  const asked: string[] = [];
  const now: { answer: ApiAnswer<never> | undefined } = { answer };
  const get = async (path: string, timeoutMs?: number) => {
    asked.push(`${path} ${timeoutMs}`);
    return now.answer!;
  };
  const api = { get } as unknown as Api;
  return { probe: openApiProbe({ admin: () => (now.answer === undefined ? undefined : api) }), asked, now };
}

test("isReady is false before the first look, and asks nothing", async () => {
  const { probe, asked } = open();
  expect(await probe.isReady()).toBe(false);
  probe.see(false);
  expect(await probe.isReady()).toBe(false);
  expect(asked).toEqual([]);
});

test("isReady after a good look asks whether the server answers at all, not whether etcd does", async () => {
  const { probe, asked } = open();
  probe.see(true);
  expect(await probe.isReady()).toBe(true);
  expect(asked).toEqual(["/livez/ping 4000"]);
});

test.each<[string, ApiAnswer<never> | undefined]>([
  ["is silent", { kind: "failed", reason: "no answer within 4000 ms" }],
  ["refuses", { kind: "refused", status: 500, reason: "no" }],
  ["has no client yet", undefined],
])("isReady is false at once when the server %s, whatever the look found", async (_, answer) => {
  const { probe, now } = open();
  probe.see(true);
  now.answer = answer;
  expect(await probe.isReady()).toBe(false);
  now.answer = OK;
  expect(await probe.isReady()).toBe(true);
});

test("isReady outlives one look that missed, not two in a row", async () => {
  const { probe } = open();
  const after: boolean[] = [];
  for (const look of [true, false, true, false, false, true]) {
    probe.see(look);
    after.push(await probe.isReady());
  }
  expect(after).toEqual([true, true, true, true, false, true]);
});
