// The whole list of a node's files: secrets are for their reader alone, and no file is named twice.
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { issueCertificates } from "../../../node-agent/kubernetes/issue-certificates.ts";
import { nodeDirectories, nodeFiles, podVersions } from "../../../node-agent/kubernetes/node-files.ts";
import { planCertificates } from "../../../server/contract/kubernetes/certificates.ts";
import { generateKey } from "../../../server/contract/pki/key.ts";
import { controlPlane, facts, worker } from "../../server/contract/kubernetes/sample.ts";
import { BUNDLE } from "../../server/contract/machine-config/sample.ts";

const config = controlPlane();
const plans = planCertificates(config, facts());
const { issued } = issueCertificates(plans, config.controlPlane, new Map(), {
  nowMs: Date.parse("2026-11-24T12:00:00Z"),
  serial: () => new Uint8Array(16).fill(7),
  generateKey: () => generateKey("p256"),
});
const servers = [{ address: "192.0.2.5:6443" }];
const all = nodeFiles({ config, facts: facts(), plans, issued, servers, cni: "{}" });

test("nodeFiles names each file once", () => {
  expect(new Set(all.map((f) => f.path)).size).toBe(all.length);
});

test("no file that others can read holds a key or a token", () => {
  const { secrets, certs } = BUNDLE;
  const words = [
    /PRIVATE KEY/,
    new RegExp(secrets.bootstrapToken),
    new RegExp(secrets.secretboxEncryptionSecret.slice(0, 20)),
  ];
  const base64Key = new RegExp(Buffer.from(certs.k8s.key).toString("base64").slice(40, 90));
  for (const { path, text, mode } of all) {
    const isSecret = [...words, base64Key, /client-key-data/].some((word) => word.test(text));
    if (isSecret) expect([path, mode.toString(8)]).toEqual([path, "400"]);
  }
  expect(all.filter((f) => f.mode === 0o400).length).toBeGreaterThan(20);
});

test("what a static pod reads is its user's, what the agent keeps is root's", () => {
  const owners = (part: string) => [
    ...new Set(all.filter((f) => f.path.includes(part) && f.mode === 0o400).map((f) => f.uid)),
  ];
  expect(owners("/secrets/kube-apiserver/")).toEqual([65_534]);
  expect(owners("/secrets/kube-controller-manager/")).toEqual([65_535]);
  expect(owners("/secrets/kube-scheduler/")).toEqual([65_536]);
  expect(owners("/secrets/issued/")).toEqual([0]);
  expect(owners("/secrets/etcd/")).toEqual([0]);
});

test("the node's own programs go to its own API server", () => {
  const text = all.find((f) => f.path.endsWith("kube-scheduler/kubeconfig"))!.text;
  expect(parse(text).clusters[0].cluster.server).toBe("https://127.0.0.1:6443");
});

test("podVersions: renewed certificates start no pod again, another key or setting does", () => {
  const versions = podVersions(all);
  const changed = (path: RegExp) => podVersions(all.map((f) => (path.test(f.path) ? { ...f, text: `${f.text}#` } : f)));
  const certificates =
    /(apiserver|etcd-client|front-proxy-client|client|server|peer|admin)\.(crt|key)$|admin\/kubeconfig$/;
  expect(changed(certificates)).toEqual(versions);
  for (const path of [/kube-apiserver\/ca\.crt$/, /service-account\.key$/, /manager\/ca\.key$/, /encryptionconfig/]) {
    expect(changed(path)).toEqual({ ...versions, secrets: expect.not.stringMatching(versions.secrets) });
  }
  for (const path of [/auditpolicy/, /scheduler-config/]) {
    expect(changed(path)).toEqual({ ...versions, config: expect.not.stringMatching(versions.config) });
  }
});

test("a worker has no secret but the token that joins", () => {
  const files = nodeFiles({ config: worker(), facts: facts(), plans: [], issued: new Map(), servers, cni: undefined });
  expect(files.filter((f) => f.mode === 0o400).map((f) => f.path)).toEqual([
    "/run/slipway/secrets/kubelet/bootstrap-kubeconfig",
  ]);
  expect(nodeDirectories(worker()).map((d) => d.path)).not.toContain("/var/lib/etcd");
  expect(nodeDirectories(config)).toContainEqual({ path: "/var/lib/etcd", uid: 0, mode: 0o700 });
});

test("nodeDirectories has each parent before what lies in it, open to others: an empty /var has nothing", () => {
  const list = nodeDirectories(config);
  for (const [n, { path }] of list.entries()) {
    const parent = dirname(path);
    if (parent === "/var") continue;
    const at = list.findIndex((d) => d.path === parent);
    // Below /var/log/audit and the like only one program looks.
    if (at === -1) expect(path).toBe("/var/log/audit/kube");
    else expect([path, at < n, list[at]!.mode & 0o055]).toEqual([path, true, 0o055]);
  }
  expect(list.map((d) => d.path)).toEqual(
    expect.arrayContaining(["/var/lib", "/var/log", "/var/tmp", "/var/opt/cni/bin"]),
  );
});
