// Rendering: golden files (secrets masked), the same bytes every time, patches in their order, and what they may not touch.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { maskSecrets } from "../../../server/cluster/mask-secrets.ts";
import { decodeMachineConfig } from "../../../server/contract/machine-config/decode.ts";
import { BUNDLE } from "../contract/machine-config/sample.ts";
import { CLUSTER, CONTROL_PLANE, machine, render, rendered, WORKER } from "./sample.ts";

function golden(name: string, text: string): void {
  const path = `test/vectors/machine-config/${name}`;
  if (process.env.UPDATE_VECTORS === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  expect(existsSync(path) ? readFileSync(path, "utf8") : "(none)").toBe(text);
}
/** Certificates differ from run to run: their keys are made anew. */
const withoutCertificates = (text: string) => text.replace(/LS0tLS1CRUdJTi[A-Za-z0-9+/=]+/g, "<certificate>");
const shown = (text: string) => withoutCertificates(maskSecrets(text)!).replace(BUNDLE.cluster.id, "<cluster id>");

test.each([
  ["rendered-controlplane.yaml", {}],
  ["rendered-worker.yaml", { role: WORKER }],
  [
    "rendered-single.yaml",
    {
      cluster: {
        ...CLUSTER,
        allowSchedulingOnControlPlanes: true,
        certSans: ["k8s.example.org"],
        timeServers: ["192.0.2.1"],
      },
      site: { kubernetesVersion: "1.37.2" },
    },
  ],
  ["rendered-name.yaml", { cluster: { ...CLUSTER, endpoint: "k8s.example.org", cni: "none" as const } }],
])("%s", (name, parts) => golden(name, shown(rendered(parts))));

test("the same input gives the same bytes, and the node's decoder takes them", () => {
  const text = rendered();
  expect(rendered()).toBe(text);
  expect(decodeMachineConfig(text)).toMatchObject({ kind: "config", text });
});

test("a worker is given no key and no secret but the two tokens and its discovery secret", () => {
  const text = rendered({ role: WORKER });
  const { certs, secrets } = BUNDLE;
  for (const { key } of Object.values(certs)) expect(text).not.toContain(Buffer.from(key).toString("base64"));
  expect(text).not.toContain(secrets.secretboxEncryptionSecret);
  expect(text).not.toContain("serviceAccount");
});

test("the role's patches come first, then the machine's", () => {
  const role = {
    ...CONTROL_PLANE,
    patches: [{ machine: { sysctls: { "vm.swappiness": "10", "kernel.panic": "1" } } }],
  };
  const of = machine("node-1", [{ machine: { sysctls: { "vm.swappiness": "20" } } }]);
  const result = render({ role, of });
  expect(result.kind === "config" && result.config.machine?.sysctls).toEqual({
    "vm.swappiness": "20",
    "kernel.panic": "1",
  });
});

test("a disk by a patch takes the place of the open selector", () => {
  const result = render({ of: machine("node-1", [{ machine: { install: { disk: "/dev/sdb" } } }]) });
  expect(result.kind === "config" && result.config.machine?.install).toMatchObject({ disk: "/dev/sdb", wipe: false });
  expect(result.kind === "config" && result.config.machine?.install).not.toHaveProperty("diskSelector");
});

describe("faults", () => {
  const faults = (...patches: Record<string, unknown>[]) => {
    const result = render({ of: machine("node-1", patches) });
    return result.kind === "config" ? [] : result.faults.map((f) => `${f.path}: ${f.message}`);
  };
  test.each([
    ["another hostname", { kind: "HostnameConfig", hostname: "node-2" }, /^hostname: a patch must not change it/],
    ["another token", { cluster: { token: "aaaaaa.bbbbbbbbbbbbbbbb" } }, /^cluster\.token: a patch must not/],
    [
      "another pod network",
      { cluster: { network: { podSubnets: ["10.1.0.0/16"] } } },
      /^cluster\.network\.podSubnets: a patch/,
    ],
    [
      "another endpoint",
      { cluster: { controlPlane: { endpoint: "https://192.0.2.7:6443" } } },
      /^cluster\.controlPlane\.endpoint/,
    ],
    ["a field that no node takes", { machine: { files: [{ path: "/x" }] } }, /^machine\.files: is not possible/],
    ["no hostname", { kind: "HostnameConfig", $patch: "delete" }, /no hostname/],
  ])("%s", (_name, patch, wanted) => expect(faults(patch).join("\n")).toMatch(wanted));

  test("a cluster without an endpoint", () => {
    const { endpoint: _, ...cluster } = CLUSTER;
    expect(render({ cluster })).toMatchObject({ kind: "faults", faults: [{ path: "cluster.controlPlane.endpoint" }] });
  });
});

describe("masking", () => {
  const { certs, secrets, cluster, trustdToken } = BUNDLE;
  const SECRETS = [
    ...Object.values(certs).flatMap(({ key }) => [Buffer.from(key).toString("base64"), key]),
    ...[secrets.bootstrapToken, secrets.secretboxEncryptionSecret, cluster.secret, trustdToken],
  ];
  test("nothing of the bundle's secrets is left, and nothing else is gone", () => {
    const text = `# why this rack is special\n${rendered()}`;
    const masked = maskSecrets(text)!;
    for (const secret of SECRETS) {
      expect(masked).not.toContain(secret);
      expect(masked).not.toContain(secret.slice(8, 40));
    }
    expect(masked).toContain("# why this rack is special");
    expect(masked).toContain(Buffer.from(certs.k8s.crt).toString("base64"));
    expect(masked.split("\n")).toHaveLength(text.split("\n").length);
  });
  test("a key in a place of no field is masked too, and what is no YAML is not shown", () => {
    const key = Buffer.from(certs.os.key).toString("base64");
    const text = `version: v1alpha1\nnote: ${key}\nother: |\n  ${certs.k8s.key.split("\n").join("\n  ")}\n`;
    const masked = maskSecrets(text)!;
    expect(masked).not.toContain(key.slice(20, 60));
    expect(masked).not.toContain(certs.k8s.key.split("\n")[1]);
    expect(maskSecrets("a: [")).toBeUndefined();
  });
});
