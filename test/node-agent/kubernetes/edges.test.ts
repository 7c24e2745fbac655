// The room's small edges against real sockets: the static pods' server, the API client with mutual TLS; and what they say to
// systemctl and ctr.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { programArchive } from "../../../boot-assets/image/kubernetes/images.ts";
import { versionOf } from "../../../boot-assets/image/kubernetes/versions.ts";
import { makeTell, type NodeContext } from "../../../node-agent/kubernetes/context.ts";
import { issueCertificates } from "../../../node-agent/kubernetes/issue-certificates.ts";
import { type Api, openApi } from "../../../node-agent/kubernetes/open-api.ts";
import type { Ran } from "../../../node-agent/kubernetes/port.ts";
import { importImages, readKubernetesVersion } from "../../../node-agent/kubernetes/run-images.ts";
import { startServices } from "../../../node-agent/kubernetes/run-services.ts";
import { parseUnits, readUnits, systemctl } from "../../../node-agent/kubernetes/run-systemd.ts";
import { serveStaticPods } from "../../../node-agent/kubernetes/static-pod-service.ts";
import { planCertificates } from "../../../server/contract/kubernetes/certificates.ts";
import { generateKey } from "../../../server/contract/pki/key.ts";
import { controlPlane, facts } from "../../server/contract/kubernetes/sample.ts";

test("serveStaticPods says 503 before it has a list, then the list, and knows one path", async () => {
  const pods = await serveStaticPods(0);
  const get = (path: string, method = "GET") => fetch(`http://127.0.0.1:${pods.port}${path}`, { method });
  expect((await get("/pods")).status).toBe(503);
  pods.setPods('{"items":[]}');
  expect(await (await get("/pods")).json()).toEqual({ items: [] });
  expect([(await get("/")).status, (await get("/pods", "POST")).status]).toEqual([404, 404]);
  await pods.close();
  await expect(get("/pods")).rejects.toThrow();
});

const config = controlPlane();
const { issued } = issueCertificates(planCertificates(config, facts()), config.controlPlane, new Map(), {
  nowMs: Date.now(),
  serial: () => crypto.getRandomValues(new Uint8Array(16)),
  generateKey: () => generateKey("p256"),
});
const ca = config.controlPlane.ca.crt;
const server = createServer(
  {
    cert: issued.get("apiserver")!.crt,
    key: issued.get("apiserver")!.key,
    ca,
    requestCert: true,
    rejectUnauthorized: false,
  },
  (request, response) => {
    const who = (
      request.socket as unknown as { getPeerCertificate(): { subject?: { CN?: string } } }
    ).getPeerCertificate();
    const answers: Record<string, () => void> = {
      "/who": () => response.end(JSON.stringify({ cn: who.subject?.CN, bearer: request.headers.authorization })),
      "/readyz": () => response.end("ok"),
      "/refused": () => response.writeHead(403).end(JSON.stringify({ message: "forbidden: no" })),
      "/html": () => response.writeHead(502).end("<h1>bad gateway</h1>"),
      "/cut": () => response.writeHead(200, { "content-length": "100" }).write("{", () => response.destroy()),
      "/silent": () => {},
      "/echo": () => void request.on("data", (d) => response.write(d)).on("end", () => response.end()),
    };
    answers[request.url ?? ""]?.();
  },
);
let url = "";
const opened: Api[] = [];
const open = (credential: Parameters<typeof openApi>[0]["credential"], trusted = ca): Api => {
  const api = openApi({ server: url, ca: trusted, credential });
  opened.push(api);
  return api;
};
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  for (const api of opened) api.close();
  server.closeAllConnections();
  server.close();
});

test("openApi shows its certificate or its token, never both", async () => {
  expect(await open(issued.get("node-admin")!).get("/who")).toEqual({
    kind: "ok",
    value: { cn: "system:slipway-node" },
  });
  expect(await open({ token: "a.b" }).get("/who")).toEqual({ kind: "ok", value: { bearer: "Bearer a.b" } });
});
test("openApi tells a refusal, a foreign answer, a cut and a silence apart from an answer", async () => {
  const api = open(issued.get("node-admin")!);
  expect(await api.get("/readyz")).toEqual({ kind: "ok", value: "ok" });
  expect(await api.get("/refused")).toEqual({ kind: "refused", status: 403, reason: "forbidden: no" });
  expect(await api.get("/html")).toMatchObject({
    kind: "refused",
    status: 502,
    reason: expect.stringContaining("bad gateway"),
  });
  expect(await api.get("/cut")).toMatchObject({ kind: "failed" });
  expect(await api.get("/silent", 50)).toEqual({ kind: "failed", reason: "no answer within 50 ms" });
  expect(await api.send("PATCH", "/echo", { a: 1 })).toEqual({ kind: "ok", value: { a: 1 } });
});
test("openApi takes no other CA's server for the API", async () => {
  const answer = await open(issued.get("node-admin")!, config.controlPlane.etcdCa.crt).get("/who");
  expect(answer).toMatchObject({ kind: "failed", reason: expect.stringMatching(/certificate/) });
});

test("parseUnits reads systemctl's blocks, and a unit that is not there", () => {
  const text =
    "Id=etcd.service\nActiveState=active\nSubState=running\nResult=success\nNRestarts=2\nMainPID=42\nExecMainStartTimestampMonotonic=5000000\n\n" +
    "Id=kubelet.service\nActiveState=inactive\nSubState=dead\nResult=success\nNRestarts=0\nMainPID=0\n";
  expect(parseUnits(text, 1_000_000)).toEqual({
    etcd: {
      activeState: "active",
      subState: "running",
      result: "success",
      restarts: 2,
      startedAtMs: 1_005_000,
      pid: 42,
    },
    kubelet: { activeState: "inactive", subState: "dead", result: "success", restarts: 0, startedAtMs: 1_000_000 },
  });
  expect(parseUnits("", 0)).toEqual({});
});

/** Answers by the beginning of the command line. */
function fakeRun(answers: Record<string, Partial<Ran>>) {
  const calls: string[] = [];
  const run = async (program: string, args: readonly string[]): Promise<Ran> => {
    const line = [program, ...args].join(" ").replace(/ -a \S+ -n k8s\.io/, "");
    calls.push(line);
    const found = Object.entries(answers).find(([start]) => line.startsWith(start));
    return { code: 0, stdout: "", stderr: "", ...found?.[1] };
  };
  return { run, calls };
}

test("systemctl gives systemd's own words", async () => {
  const { run, calls } = fakeRun({ "systemctl start": { code: 1, stderr: "Unit x.service not found.\n" } });
  expect(await systemctl(run, "start", ["x"])).toBe("systemctl start x: Unit x.service not found.");
  expect(await systemctl(run, "stop", ["y"], false)).toBeUndefined();
  expect(calls).toEqual(["systemctl start x.service", "systemctl stop --no-block y.service"]);
});

test("importImages imports what is missing, pins it, and goes on after a cut", async () => {
  const { run, calls } = fakeRun({
    "ctr images ls": { stdout: "slipway.dev/pause:v1\n" },
    "ctr images import": { stdout: "slipway.dev/program:v1.37.2 saved\n" },
  });
  expect(await importImages(run, "1.37.2")).toBeUndefined();
  expect(calls.slice(1)).toEqual([
    "ctr images import --label io.cri-containerd.pinned=pinned /usr/lib/slipway/images/program.tar",
  ]);
  const whole = fakeRun({ "ctr images ls": { stdout: "slipway.dev/pause:v1\nslipway.dev/program:v1.37.2\n" } });
  await importImages(whole.run, "1.37.2");
  expect(whole.calls).toHaveLength(1);
});
test.each([
  ["ctr images ls", /does not list its images: no socket$/],
  ["ctr images import", /pause\.tar cannot be imported: no socket$/],
])("importImages says what failed at %s", async (command, message) => {
  const { run } = fakeRun({ [command]: { code: 1, stderr: "no socket\n" } });
  expect(await importImages(run, "1.37.2")).toMatch(message);
});

test("importImages tells an archive that holds another image", async () => {
  const { run } = fakeRun({ "ctr images import": { stdout: "slipway.dev/pause:v0 saved\n" } });
  expect(await importImages(run, "1.37.2")).toBe(
    "/usr/lib/slipway/images/pause.tar holds no slipway.dev/pause:v1: the OS image is damaged",
  );
});
test("readKubernetesVersion finds it in the program image as the build makes it, and nothing in another file", () => {
  const dir = mkdtempSync(join(tmpdir(), "slipway-version-"));
  writeFileSync(join(dir, "program.tar"), programArchive("amd64"));
  writeFileSync(join(dir, "other.tar"), "slipway.dev/program:v1");
  expect(readKubernetesVersion(join(dir, "program.tar"))).toBe(versionOf("Kubernetes"));
  expect(readKubernetesVersion(join(dir, "other.tar"))).toBeUndefined();
  expect(readKubernetesVersion(join(dir, "none.tar"))).toBeUndefined();
  rmSync(dir, { recursive: true });
});

const SHOWN = (name: string, state: string) => `Id=${name}.service\nActiveState=${state}\nSubState=running\n\n`;
test("readUnits knows nothing when systemd did not answer in time, or not for every unit", async () => {
  const names = ["etcd", "kubelet"];
  const both = names.map((name) => SHOWN(name, "active")).join("");
  const answer = (ran: Partial<Ran>) => readUnits(fakeRun({ "systemctl show": ran }).run, names);
  expect(await answer({ stdout: both })).toMatchObject({ etcd: { activeState: "active" } });
  expect(await answer({ code: 124 })).toBeUndefined();
  expect(await answer({ code: 124, stdout: both })).toBeUndefined();
  expect(await answer({ stdout: SHOWN("etcd", "active") })).toBeUndefined();
});
test("startServices starts nothing while systemd does not say what runs", async () => {
  const { run, calls } = fakeRun({ "systemctl show": { code: 124 } });
  const said: string[] = [];
  const context = {
    deps: { run },
    units: undefined,
    tell: makeTell((text) => said.push(text)),
  } as unknown as NodeContext;
  const fault = await startServices(context, [{ name: "containerd", dropIn: undefined, restartKey: "k" }]);
  expect(fault).toBe("systemd does not say how the node's services are; the agent asks again");
  expect(calls).toEqual([expect.stringMatching(/^systemctl show /)]);
  expect(said).toEqual([]);
});

test("makeTell says a thing once, until it is another or was over", () => {
  const said: string[] = [];
  const tell = makeTell((text) => said.push(text));
  for (const text of ["a", "a", "b"]) tell.once("x", text);
  tell.over("x");
  tell.once("x", "b");
  expect(said).toEqual(["a", "b", "b"]);
});
