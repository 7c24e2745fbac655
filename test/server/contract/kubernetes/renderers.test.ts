// The rules behind the golden files: what a config may change, what it may not, and what differs between nodes.
import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { apiServerArguments, apiServerFiles } from "../../../../server/contract/kubernetes/api-server.ts";
import { renderArguments } from "../../../../server/contract/kubernetes/arguments.ts";
import {
  CERTIFICATE_LIFETIME_MS,
  issuerOf,
  planCertificates,
  renewAtMs,
} from "../../../../server/contract/kubernetes/certificates.ts";
import { renderCorefile } from "../../../../server/contract/kubernetes/core-dns.ts";
import { etcdArguments } from "../../../../server/contract/kubernetes/etcd.ts";
import { kubeProxyArguments } from "../../../../server/contract/kubernetes/kube-proxy.ts";
import { renderKubeconfig } from "../../../../server/contract/kubernetes/kubeconfig.ts";
import {
  kubeletArguments,
  kubeletConfiguration,
  nodeTaints,
  splitLabels,
} from "../../../../server/contract/kubernetes/kubelet.ts";
import { clusterObjects } from "../../../../server/contract/kubernetes/manifests.ts";
import { chooseNodeIp, passesFilters } from "../../../../server/contract/kubernetes/node-facts.ts";
import { staticPods } from "../../../../server/contract/kubernetes/static-pod.ts";
import { parseCertificatePem } from "../../../../server/contract/pki/certificate.ts";
import { issueClusterLeaf } from "../../../../server/contract/pki/cluster-certificate.ts";
import { generateKey, publicKeyOf } from "../../../../server/contract/pki/key.ts";
import { parseTalosKey } from "../../../../server/contract/pki/talos-key.ts";
import { controlPlane, facts, worker } from "./sample.ts";

describe("arguments", () => {
  test("a config's value takes the place of ours, lists grow, several values come several times", () => {
    const ours = { v: "1", "feature-gates": "A=true", z: "1" };
    const extra = { v: ["2"], "feature-gates": ["B=true"], a: ["x", "y"] };
    expect(renderArguments(ours, extra)).toEqual(["--a=x", "--a=y", "--feature-gates=A=true,B=true", "--v=2", "--z=1"]);
  });
  test("slower heartbeats come through extraArgs", () => {
    const config = controlPlane({
      machine: "  kubelet: {extraArgs: {node-status-update-frequency: 30s}}\n",
      cluster: "  controllerManager: {extraArgs: {node-monitor-grace-period: 5m}}\n",
    });
    expect(kubeletArguments(config, "192.0.2.7")).toContain("--node-status-update-frequency=30s");
    expect(JSON.stringify(staticPods(config, facts(), "192.0.2.7")[1])).toContain('"--node-monitor-grace-period=5m"');
  });
  test("an own authorizer by arguments takes the file's place", () => {
    const config = controlPlane({ cluster: "  apiServer: {extraArgs: {authorization-mode: Webhook}}\n" });
    const args = apiServerArguments(config, config.controlPlane, "192.0.2.7");
    expect(args).toContain("--authorization-mode=Node,RBAC,Webhook");
    expect(args.some((a) => a.startsWith("--authorization-config"))).toBe(false);
  });
});

describe("addresses", () => {
  test.each([
    ["192.0.2.7", [], true],
    ["192.0.2.7", ["192.0.2.0/24"], true],
    ["192.0.2.7", ["198.51.100.0/24"], false],
    ["192.0.2.7", ["!192.0.2.0/24"], false],
    ["192.0.2.7", ["192.0.2.0/24", "!192.0.2.7/32"], false],
    ["198.51.100.7", ["!192.0.2.0/24"], true],
  ])("passesFilters(%s, %j) is %s", (ip, filters, passes) => expect(passesFilters(ip, filters)).toBe(passes));

  test("the endpoint is never the node's address, nor an etcd peer's, nor in its certificates", () => {
    const config = controlPlane();
    const first = facts({ addresses: ["192.0.2.5", "192.0.2.7"] });
    expect(chooseNodeIp(config, first)).toEqual({ kind: "address", ip: "192.0.2.7" });
    expect(
      etcdArguments(config, config.controlPlane, first, { kind: "bootstrap", token: "install-1" }).join(" "),
    ).not.toContain("192.0.2.5");
    const etcd = planCertificates(config, first).filter((p) => p.name.startsWith("etcd-"));
    expect(JSON.stringify(etcd)).not.toContain("192.0.2.5");
    expect(planCertificates(config, first)[0]?.altNames?.ips).toContain("192.0.2.5");
  });
  test("no address of its own is an answer with a reason", () => {
    const config = worker({ machine: "  kubelet: {nodeIP: {validSubnets: [10.0.0.0/8]}}\n" });
    expect(chooseNodeIp(config, facts())).toEqual({
      kind: "none",
      reason: expect.stringMatching(/validSubnets \(10.*seen: 192/),
    });
    expect(chooseNodeIp(worker(), facts({ addresses: ["192.0.2.5"] }))).toMatchObject({ kind: "none" });
  });
});

describe("labels and taints", () => {
  test.each([
    ["rack", true],
    ["example.org/rack", true],
    ["node.kubernetes.io/exclude-from-external-load-balancers", true],
    ["topology.kubernetes.io/zone", true],
    ["kubelet.kubernetes.io/x", true],
    ["node-role.kubernetes.io/storage", false],
    ["node-restriction.kubernetes.io/x", false],
    ["kubernetes.io/x", false],
    ["x.k8s.io/y", false],
  ])("a kubelet may set %s: %s", (key, isAllowed) => {
    const { byKubelet, byControlPlane } = splitLabels(worker({ machine: `  nodeLabels: {${key}: v}\n` }));
    expect([key in byKubelet, key in byControlPlane]).toEqual([isAllowed, !isAllowed]);
  });
  test("a control plane is for nobody else, unless the config says so", () => {
    const shut = [{ key: "node-role.kubernetes.io/control-plane", value: "", effect: "NoSchedule" }];
    expect(nodeTaints(controlPlane())).toEqual(shut);
    expect(nodeTaints(controlPlane({ cluster: "  allowSchedulingOnControlPlanes: true\n" }))).toEqual([]);
    expect(nodeTaints(worker({ machine: "  nodeTaints: {a: b:NoExecute}\n" }))).toEqual([
      { key: "a", value: "b", effect: "NoExecute" },
    ]);
    expect(splitLabels(controlPlane()).byControlPlane).toEqual({ "node-role.kubernetes.io/control-plane": "" });
  });
});

describe("kubelet", () => {
  test("extraConfig goes over our defaults, and never over what is ours", () => {
    const config = worker({
      machine: "  kubelet: {extraConfig: {maxPods: 50, failSwapOn: true, systemReserved: {cpu: 1}}}\n",
    });
    expect(kubeletConfiguration(config, facts(), undefined)).toMatchObject({
      maxPods: 50,
      failSwapOn: true,
      systemReserved: { cpu: 1 },
    });
  });
  test("a container node differs in what the platform's table says", () => {
    const metal = kubeletConfiguration(worker(), facts(), undefined);
    const container = kubeletConfiguration(worker(), facts({ platform: "container" }), undefined);
    const differing = Object.keys(metal).filter(
      (k) => JSON.stringify(metal[k as never]) !== JSON.stringify(container[k as never]),
    );
    expect(differing.sort()).toEqual(["cgroupDriver", "failCgroupV1", "protectKernelDefaults"]);
    expect(
      kubeProxyArguments(worker(), facts({ platform: "container" })).filter((a) => a.includes("conntrack")),
    ).toHaveLength(3);
    expect(kubeProxyArguments(worker(), facts()).filter((a) => a.includes("conntrack"))).toEqual([]);
  });
});

describe("certificates", () => {
  test("each planned one can be issued from the bundle's CAs, and OpenSSL's verdict agrees", () => {
    const config = controlPlane({ cluster: "  apiServer: {certSANs: [k8s.example.org, 203.0.113.9]}\n" });
    const now = new Date("2026-11-02T00:00:00Z");
    for (const plan of planCertificates(config, facts())) {
      const { crt, key } = issuerOf(config.controlPlane, plan.issuer);
      const leafKey = generateKey("p256");
      const leaf = issueClusterLeaf(
        { certificate: parseCertificatePem(crt), key: parseTalosKey(key) },
        {
          publicKey: publicKeyOf(leafKey),
          subject: plan.subject,
          purposes: plan.purposes,
          ...(plan.altNames && { altNames: plan.altNames }),
        },
        {
          serial: new Uint8Array(16).fill(9),
          notBefore: now,
          notAfter: new Date(now.getTime() + CERTIFICATE_LIFETIME_MS),
        },
      );
      const [seen, ca] = [new X509Certificate(leaf.pem), new X509Certificate(crt)];
      expect([plan.name, seen.verify(ca.publicKey), seen.checkIssued(ca), seen.ca]).toEqual([
        plan.name,
        true,
        true,
        false,
      ]);
      expect(seen.keyUsage).toHaveLength(plan.purposes.length);
    }
    expect(planCertificates(config, facts())[0]?.altNames).toEqual({
      dnsNames: [
        "cp-1",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "k8s.example.org",
      ],
      ips: ["192.0.2.5", "127.0.0.1", "10.96.0.1", "192.0.2.7", "198.51.100.7", "203.0.113.9"],
    });
    expect(planCertificates(worker(), facts())).toEqual([]);
  });
  test("a certificate is renewed at half of its life", () => {
    expect(renewAtMs({ notBefore: new Date(1000), notAfter: new Date(3000) })).toBe(2000);
  });
});

describe("small texts", () => {
  test("without resolvers CoreDNS forwards to nobody, and that is no error", () => {
    expect(renderCorefile("cluster.local", [])).not.toMatch(/forward|loop/);
    expect(renderCorefile("cluster.local", ["192.0.2.1", "192.0.2.2"])).toContain("forward . 192.0.2.1 192.0.2.2 {");
  });
  test("CoreDNS' two replicas wish for a node each, and run on one where there is one", () => {
    const objects = clusterObjects(controlPlane(), facts());
    const deployment = objects.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "coredns");
    const { replicas, template } = deployment!.spec as { replicas: number; template: { spec: object } };
    expect(replicas).toBe(2);
    expect(template.spec).toMatchObject({
      topologySpreadConstraints: [
        {
          ...{ maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway" },
          labelSelector: { matchLabels: { "k8s-app": "kube-dns" } },
        },
      ],
      affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100 }] } },
    });
    expect(JSON.stringify(template.spec)).not.toMatch(/requiredDuring|DoNotSchedule/);
  });
  test("a kubeconfig carries what it was given", () => {
    const config = parse(
      renderKubeconfig({
        cluster: "rack1",
        server: "https://127.0.0.1:16443",
        ca: "CA",
        user: "admin",
        credential: { crt: "C", key: "K" },
        tlsServerName: "192.0.2.5",
      }),
    );
    expect(config).toMatchObject({
      clusters: [{ name: "rack1", cluster: { "tls-server-name": "192.0.2.5", "certificate-authority-data": "Q0E=" } }],
      users: [{ name: "admin@rack1", user: { "client-certificate-data": "Qw==", "client-key-data": "Sw==" } }],
      "current-context": "admin@rack1",
    });
  });
  test("an own audit policy and own admission plugins take the place of the defaults", () => {
    const { controlPlane: own } = controlPlane({
      cluster:
        "  apiServer: {auditPolicy: {apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: None}]}, admissionControl: [{name: X, configuration: {a: 1}}]}\n",
    });
    const text = apiServerFiles(own, "")
      .map((f) => f.text)
      .join("\n");
    expect(text).toContain("level: None");
    expect(text).not.toContain("PodSecurity");
  });
  test("secrets are readable by their user only", () => {
    for (const file of apiServerFiles(controlPlane().controlPlane, "PUB")) {
      if (file.path.startsWith("/run/slipway/secrets/"))
        expect([file.path, file.mode, file.uid]).toEqual([file.path, 0o400, 65_534]);
      else expect(file.text).not.toMatch(/PRIVATE KEY/);
    }
  });
  test("what a config switches off is not applied", () => {
    const names = (cluster: string) => clusterObjects(controlPlane({ cluster }), facts()).map((o) => o.metadata.name);
    const off = names("  proxy: {disabled: true}\n  coreDNS: {disabled: true}\n  network: {cni: {name: none}}\n");
    expect(off).toHaveLength(6);
    expect(names("")).toEqual(expect.arrayContaining(["kube-proxy", "kube-flannel", "coredns", "kube-dns"]));
  });
});
