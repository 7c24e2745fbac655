// Clusters on the real appliance: made by the CLI, with an endpoint that the wire was asked for, secrets sealed on the disk,
// files applied, configs shown without a secret, and a kubeconfig that merges.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { decodeMachineConfig } from "../../../server/contract/machine-config/decode.ts";
import type { AppliedView, ClusterStatusView, CreatedView } from "../../../server/rest/cluster-schema.ts";
import { DISCOVER, lease } from "../dhcp/rig.ts";
import { type ApplianceRig, ETH0, openApplianceRig } from "./rig.ts";

let rig: ApplianceRig;
let appliance: Awaited<ReturnType<ApplianceRig["start"]>>;
beforeEach(async () => {
  rig = await openApplianceRig();
  // The pool is the upper half: .128 and up; its neighbour below is .127.
  rig.configure(`interfaces:\n${ETH0}`);
  appliance = await rig.start();
});
afterEach(() => rig.close());

const slipway = async (...args: string[]) => rig.cli(args);
const json = async <T>(...args: string[]): Promise<T> => {
  const { code, stdout, stderr } = await slipway(...args, "-o", "json");
  if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${stderr}`);
  return JSON.parse(stdout) as T;
};

test("a cluster gets a free address beside the pool, which an ARP probe found free, and sealed secrets", async () => {
  // Somebody whom no inventory knows has the first choice.
  const squatter = rig.lab.namespace("squatter");
  rig.lab.link(squatter, "eth0", rig.lan);
  rig.lab.address(squatter, "eth0", "192.0.2.127/24");
  const created = await json<CreatedView>("cluster", "create", "rack1");
  expect(created).toMatchObject({ name: "rack1", endpoint: "192.0.2.126" });
  const sealed = join(rig.dataDir, "secrets", "clusters", "rack1.age");
  expect((statSync(sealed).mode & 0o777).toString(8)).toBe("600");
  expect(readFileSync(sealed, "latin1")).toMatch(/^age-encryption\.org\/v1/);

  const again = await slipway("cluster", "create", "rack1");
  expect(again).toMatchObject({ code: 5, stderr: expect.stringContaining("there is a cluster rack1 already") });
  for (const [endpoint, words] of [
    ["192.0.2.127", "192.0.2.127 is in use: it answers ARP"],
    ["192.0.2.1", "192.0.2.1 is in use: this appliance (eth0)"],
    ["192.0.2.200", "192.0.2.200 is inside the pool 192.0.2.128-192.0.2.254"],
    ["192.0.2.126", "192.0.2.126 is in use: the endpoint of cluster rack1"],
    ["10.9.9.9", "10.9.9.9 is outside the networks that the nodes are in (192.0.2.0/24)"],
  ] as const) {
    const refused = await slipway("cluster", "create", "rack2", "--endpoint", endpoint);
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining(words) });
  }
  // Not even a pool that was widened over it gives it out.
  await appliance.stop();
  const settings = "{ dhcp: server, force: true, probe: false, pool: 192.0.2.126-192.0.2.127 }";
  rig.configure(`interfaces:\n  eth0: ${settings}`);
  await rig.start();
  const client = await rig.client();
  const ack = await lease(client, "52:54:00:00:00:77", { options: { requestedIp: "192.0.2.126" } });
  expect(ack.yourIp).toBe("192.0.2.127");
  const [none] = await client.ask({ mac: "52:54:00:00:00:78", type: DISCOVER });
  expect(none).toBeUndefined();

  const status = await slipway("cluster", "status");
  expect(status).toMatchObject({ code: 5, stdout: expect.stringContaining("no machine belongs to it yet") });
  const address = await slipway("set", "52:54:00:00:00:0a", "--address", "192.0.2.126");
  expect(address).toMatchObject({ code: 5, stderr: expect.stringContaining("is the endpoint of cluster rack1") });
});

const SITE = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
metadata: {name: rack1}
spec: {allowSchedulingOnControlPlanes: true}
---
apiVersion: slipway.dev/v1alpha1
kind: Role
metadata: {name: storage}
spec:
  type: worker
  patches:
    - machine: {nodeLabels: {storage: "yes"}}
---
apiVersion: slipway.dev/v1alpha1
kind: Machine
metadata: {name: node-1}
spec: {macs: ["52:54:00:00:00:0a"], role: controlplane, address: 192.0.2.10}
---
apiVersion: slipway.dev/v1alpha1
kind: Machine
metadata: {name: node-2}
spec: {macs: ["52:54:00:00:00:0b"], role: storage}
`;

test("files are applied all or none, and say what they change", async () => {
  const dir = join(rig.home, "site");
  mkdirSync(dir);
  const file = join(dir, "rack1.yaml");
  writeFileSync(file, SITE.replace("role: storage}", "role: storing}").replace("192.0.2.10", "192.0.2.1"));
  const refused = await slipway("apply", "-f", dir);
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`${file}:22:43: spec.role: there is no role storing`),
  });
  writeFileSync(file, SITE.replace("192.0.2.10", "192.0.2.1"));
  expect(await slipway("apply", "-f", dir)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`${file}:17:66: spec.address: 192.0.2.1 is this appliance's own address`),
  });
  expect(await json("cluster", "list")).toEqual([]);
  writeFileSync(file, SITE);
  const dry = await json<AppliedView>("apply", "-f", dir, "--dry-run");
  expect(dry.applied.map(({ kind, name, change }) => `${kind} ${name} ${change}`)).toEqual([
    "Cluster rack1 created",
    "Role storage created",
    "Machine node-1 created",
    "Machine node-2 created",
  ]);
  expect(await json("cluster", "list")).toEqual([]);
  const applied = await slipway("apply", "-f", file);
  expect(applied.stdout).toContain("cluster rack1: endpoint 192.0.2.127 (free, beside the pool");
  const again = await json<AppliedView>("apply", "-f", file);
  expect(new Set(again.applied.map((a) => a.change))).toEqual(new Set(["unchanged"]));

  // What is exported is what was applied.
  const site = join(rig.home, "site.yaml");
  writeFileSync(site, (await slipway("export", "--site")).stdout);
  const back = await json<AppliedView>("apply", "-f", site);
  expect(back.applied.map((a) => `${a.name} ${a.change}`)).toEqual(again.applied.map((a) => `${a.name} unchanged`));

  const config = await slipway("config", "node-1");
  const text = config.stdout;
  expect(text).not.toMatch(/PRIVATE KEY|LS0tLS1CRUdJTiB[A-Z]*[A-Za-z0-9]*gUFJJVkFURSBLRVk/);
  expect(text).toContain("hostname: node-1");
  expect(text).toContain("endpoint: https://192.0.2.127:6443");
  expect(text).toContain("http://192.0.2.1:8080");
  // Masked, it is still what the node's decoder reads but for the secrets themselves.
  const decoded = decodeMachineConfig(text);
  expect(decoded.kind === "faults" && decoded.faults.every((f) => /token|key|secret/i.test(f.path))).toBe(true);
  const worker = (await slipway("config", "node-2")).stdout;
  expect(worker).toMatch(/storage: "?yes"?/);

  const { code, stdout, stderr } = await slipway("cluster", "status", "-o", "json");
  const status = JSON.parse(stdout) as ClusterStatusView;
  expect({ code, stderr }).toEqual({ code: 5, stderr: expect.stringContaining("cluster rack1: not whole: ") });
  expect(status.waiting.map((m) => `${m.name}: ${m.waits}: ${m.next}`)).toEqual([
    "node-1: nobody approved it yet: slipway approve node-1",
    "node-2: nobody approved it yet: slipway approve node-2",
  ]);
});

test("a kubeconfig merges as kubectl's, is for its owner alone, and kubectl takes it", async () => {
  await json("cluster", "create", "rack1", "--single");
  const dir = mkdtempSync(join(tmpdir(), "slipway-kubeconfig-"));
  try {
    const file = join(dir, "deep", "config");
    const first = await slipway("kubeconfig", "--file", file, "--lifetime", "8h");
    expect(first).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("context admin@rack1 leads to cluster rack1"),
    });
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
    await slipway("kubeconfig", "--file", file, "--force-context-name", "home");
    const config = parse(readFileSync(file, "utf8"));
    expect(config.contexts.map((c: { name: string }) => c.name)).toEqual(["admin@rack1", "home"]);
    expect(config["current-context"]).toBe("home");
    expect(config.clusters).toHaveLength(1);
    expect(readdirSync(join(dir, "deep"))).toEqual(["config"]);
    const printed = await slipway("kubeconfig", "--stdout", "--server", "https://127.0.0.1:16443");
    expect(parse(printed.stdout).clusters[0].cluster).toMatchObject({
      server: "https://127.0.0.1:16443",
      "tls-server-name": "192.0.2.127",
    });
    const events = await rig.events();
    expect(events.filter((e) => e.kind === "kubeconfig-issued")).toHaveLength(3);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
