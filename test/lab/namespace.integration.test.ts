// The lab's cabling against the real kernel: cables carry, bridges join, and nothing is left behind, however a run ends.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { type Lab, openLab, removeStaleNamespaces } from "./namespace.ts";

let lab: Lab | undefined;
afterEach(() => lab?.close());
const ours = (prefix: string) => readdirSync("/run/netns").filter((name) => name.startsWith(`slipway-${prefix}-`));

test("a bridge joins two namespaces, and a pulled cable parts them", async () => {
  lab = openLab("nstest");
  const [a, b] = [lab.namespace("a"), lab.namespace("b")];
  const bridge = lab.bridge("lan");
  lab.link(a, "eth0", bridge);
  lab.link(b, "eth0", bridge);
  lab.address(a, "eth0", "192.0.2.1/24");
  lab.address(b, "eth0", "192.0.2.2/24");
  // A refused connection was answered by the other end: the cable carries.
  const knock = ["bash", "-c", "exec 3<>/dev/tcp/192.0.2.2/9"];
  expect((await lab.exec(a, knock, { mayFail: true })).stderr).toMatch(/refused/);
  lab.setLink(b, "eth0", "down");
  expect((await lab.exec(a, knock, { mayFail: true, timeoutMs: 1000 })).stderr).not.toMatch(/refused/);
  await expect(lab.exec(a, ["false"])).rejects.toThrow(/false .* ended with 1/);
});

test("link joins two namespaces directly, tap gives a VM its port", async () => {
  lab = openLab("nstest");
  const [a, b] = [lab.namespace("a"), lab.namespace("b")];
  lab.link(a, "up0", b, "down0");
  expect((await lab.exec(b, ["cat", "/sys/class/net/down0/carrier"])).stdout.trim()).toBe("1");
  const bridge = lab.bridge("lan");
  expect(lab.tap(bridge, "vm0")).toBe("vm0");
  expect((await lab.exec(bridge.ns, ["ip", "-o", "link", "show", "master", "lan"])).stdout).toContain("vm0");
});

test("spawn keeps output, waitFor tells what was said instead", async () => {
  lab = openLab("nstest");
  const ns = lab.namespace("a");
  const talker = lab.spawn(ns, ["sh", "-c", "echo ready; sleep 60"]);
  await talker.waitFor(/ready/);
  await expect(talker.waitFor(/never/, 50)).rejects.toThrow(/50 ms passed before .*never.*ready/s);
  expect(await talker.stop()).toBe(143);
});

/** A program that opens a lab, then ends in the given way. */
const program = (ending: string) =>
  `import { openLab } from "./test/lab/namespace.ts";
   const lab = openLab("nsend");
   const ns = lab.namespace("a");
   lab.spawn(ns, ["sleep", "300"]);
   await new Promise((r) => setTimeout(r, 200));
   console.log("open");
   ${ending}`;
const ENDINGS = [
  { name: "an exception", code: 'throw new Error("on purpose");' },
  { name: "process.exit", code: "process.exit(3);" },
  { name: "SIGINT", code: "setInterval(() => {}, 1000);", signal: "SIGINT" as const },
  { name: "SIGKILL, cleared by the next run", code: "setInterval(() => {}, 1000);", signal: "SIGKILL" as const },
];
for (const { name, code, signal } of ENDINGS) {
  test(`nothing is left after ${name}`, async () => {
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program(code)], { stdio: "pipe" });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    await new Promise((resolve, reject) => {
      child.stdout.once("data", resolve);
      child.once("close", () => reject(new Error(said)));
    });
    if (signal) {
      expect(ours("nsend")).toHaveLength(1);
      child.kill(signal);
    }
    await new Promise((resolve) => child.once("close", resolve));
    if (signal === "SIGKILL") expect(removeStaleNamespaces()).toHaveLength(1);
    expect(ours("nsend")).toEqual([]);
  });
}
