// The strict decoder: what it takes, what it refuses, where it says so, and that no text makes it throw.
import { describe, expect, test } from "vitest";
import { decodeMachineConfig } from "../../../../server/contract/machine-config/decode.ts";
import { nodeConfigOf } from "../../../../server/contract/machine-config/node-config.ts";
import { MAX_BYTES } from "../../../../server/contract/machine-config/yaml-stream.ts";
import { BUNDLE, controlPlaneText, faultsOf, nodeConfigFrom, workerText } from "./sample.ts";

const messages = (text: string) => faultsOf(text).map((line) => line.replace(/^\d+:\d+: /, ""));
const machine = (lines: string) => messages(workerText({ machine: lines }));
const cluster = (lines: string) => messages(controlPlaneText({ cluster: lines }));

test("a control plane's and a worker's config are taken, and the text is kept byte for byte", () => {
  for (const text of [controlPlaneText(), workerText(), `# a comment\n${workerText()}\n# the end\n`]) {
    const decoded = decodeMachineConfig(text);
    expect(decoded.kind === "faults" ? decoded.faults : []).toEqual([]);
    expect(decoded).toMatchObject({ kind: "config", text });
  }
});

test("defaults are filled in as Talos's", () => {
  const worker = nodeConfigFrom(workerText());
  expect(worker.cluster).toMatchObject({
    endpoint: { url: "https://192.0.2.5:6443", host: "192.0.2.5", port: 6443 },
    podSubnet: "10.244.0.0/16",
    serviceSubnet: "10.96.0.0/12",
    dnsDomain: "cluster.local",
    cni: "flannel",
    balancerPort: 7445,
  });
  expect(worker.kubelet.clusterDns).toEqual(["10.96.0.10"]);
  expect(worker.controlPlane).toBeUndefined();
  const controlPlane = nodeConfigFrom(controlPlaneText());
  expect(controlPlane.hostname).toBe("cp-1");
  expect(controlPlane.controlPlane).toMatchObject({ apiServerPort: 6443, allowScheduling: false });
  expect(controlPlane.controlPlane?.ca).toEqual(BUNDLE.certs.k8s);
  expect(controlPlane.controlPlane?.adminCertLifetimeMs).toBe(31_536_000_000);
});

test("fields that change nothing are told, each with its place", () => {
  const decoded = decodeMachineConfig(
    workerText({ machine: "  kubelet: {image: example.org/kubelet:v1}\n  certSANs: [192.0.2.1]\n" }),
  );
  expect(decoded.kind === "config" && decoded.notes.map((n) => `${n.line}:${n.column}: ${n.path} ${n.class}`)).toEqual([
    "4:3: machine.token kept",
    "5:3: machine.ca kept",
    "7:13: machine.kubelet.image from-image",
    "8:3: machine.certSANs kept",
  ]);
});

describe("faults name the place, the value and what was expected", () => {
  test.each<[name: string, found: string[], wanted: RegExp[]]>([
    ["an unknown key", machine("  sysctl: {}\n"), [/^machine\.sysctl: no such field; did you mean sysctls\?$/]],
    ["a key of another map", machine("  endpoint: x\n"), [/^machine\.endpoint: no such field; known here: type, /]],
    ["a field given twice", machine("  time: {}\n  time: {}\n"), [/^machine\.time: is given twice; keep one$/]],
    [
      "a refused field",
      machine("  files: [{path: /x}]\n"),
      [/^machine\.files: is not possible on Slipway OS: the root/],
    ],
    [
      "an old taint",
      machine("  nodeTaints: {a: b:Never}\n"),
      [/^machine\.nodeTaints\.a: must be value:Effect.*found "b:Never"/],
    ],
    ["a bad hostname", messages(workerText().replace("w-1", "W_1")), [/network\.hostname: must be a host name.*"W_1"/]],
    ["a yes", machine("  time: {disabled: yes}\n"), [/time\.disabled: must be true or false, found "yes"$/]],
    ["a map for a list", machine("  certSANs: {a: b}\n"), [/certSANs: must be a list of .*found a map$/]],
    [
      "an argument of ours",
      cluster("  apiServer: {extraArgs: {etcd-servers: x}}\n"),
      [/etcd-servers: must be left to Slipway OS/],
    ],
    [
      "an argument with dashes",
      cluster("  scheduler: {extraArgs: {--v: 2}}\n"),
      [/must be an argument of kube-scheduler without/],
    ],
    [
      "a kubelet setting of ours",
      machine("  kubelet: {extraConfig: {staticPodPath: /x}}\n"),
      [/staticPodPath: is left to Slipway OS/],
    ],
    ["discovery", cluster("  discovery: {enabled: true}\n"), [/discovery\.enabled: must be false: the nodes find/]],
    [
      "two pod networks",
      cluster("  network: {podSubnets: [10.1.0.0/16, 10.2.0.0/16]}\n"),
      [/podSubnets: one network only/],
    ],
    [
      "host bits",
      cluster("  network: {podSubnets: [10.1.0.1/16]}\n"),
      [/podSubnets\[0\]: must be an IPv4 network with zero host bits/],
    ],
    [
      "networks that overlap",
      cluster("  network: {podSubnets: [10.96.0.0/16], serviceSubnets: [10.96.0.0/12]}\n"),
      [/serviceSubnets: 10\.96\.0\.0\/12 overlaps/],
    ],
    [
      "an own endpoint",
      machine("  time: {}\n").concat(
        messages(
          workerText().replace(
            "{hostname: w-1}",
            "{hostname: w-1, interfaces: [{interface: eth0, addresses: [192.0.2.5/24]}]}",
          ),
        ),
      ),
      [/interfaces\[0\]\.addresses: 192\.0\.2\.5 is the cluster's endpoint/],
    ],
    [
      "an interface that is none",
      messages(workerText().replace("{hostname: w-1}", "{hostname: w-1, interfaces: [{dhcp: true}]}")),
      [/interfaces\[0\]: must have either interface/],
    ],
    [
      "an interface of two kinds",
      messages(
        workerText().replace(
          "{hostname: w-1}",
          "{hostname: w-1, interfaces: [{interface: a, deviceSelector: {driver: e1000}}]}",
        ),
      ),
      [/interfaces\[0\]: must have either interface/],
    ],
    [
      "an interface twice",
      messages(
        workerText().replace("{hostname: w-1}", "{hostname: w-1, interfaces: [{interface: a}, {interface: a}]}"),
      ),
      [/interfaces\[1\]: a stands in interfaces\[0\] already/],
    ],
    [
      "a worker with the endpoint",
      messages(
        workerText().replace("{hostname: w-1}", "{hostname: w-1, interfaces: [{interface: a, vip: {ip: 192.0.2.5}}]}"),
      ),
      [/interfaces\[0\]\.vip: only control planes/],
    ],
    [
      "a mirror of nothing",
      machine("  registries: {mirrors: {docker.io: {skipFallback: true}}}\n"),
      [/mirrors: docker\.io has skipFallback and no endpoint/],
    ],
    [
      "a worker with a CA's key",
      messages(
        workerText().replace(
          'key: ""}\n  network',
          `key: ${Buffer.from(BUNDLE.certs.os.key).toString("base64")}}\n  network`,
        ),
      ),
      [/^machine\.ca\.key: a worker is given no such secret/],
    ],
    [
      "two host names",
      messages(controlPlaneText({ machine: "  network: {hostname: cp-1}\n" })),
      [/machine\.network\.hostname: stands in a HostnameConfig/],
    ],
    ["no host name", messages(workerText().replace("{hostname: w-1}", "{}")), [/^machine\.network: no hostname/]],
    [
      "a stable host name",
      messages(controlPlaneText().replace("auto: off", "auto: stable")),
      [/^auto: must be off, with the hostname.*found "stable"$/],
    ],
    [
      "a kind of later",
      messages(controlPlaneText({ documents: "---\napiVersion: v1alpha1\nkind: BondConfig\n" })),
      [/^kind: BondConfig is not read by Slipway OS yet/],
    ],
    [
      "a kind of nobody",
      messages(controlPlaneText({ documents: "---\napiVersion: v1alpha1\nkind: HostnameConf\n" })),
      [/^kind: "HostnameConf" is no kind of document; did you mean HostnameConfig/],
    ],
    [
      "a second document",
      messages(controlPlaneText({ documents: `---\n${workerText()}` })),
      [/a second v1alpha1 document/],
    ],
    [
      "missing fields",
      messages("version: v1alpha1\nmachine: {type: worker, network: {hostname: a}}\n"),
      [/controlPlane\.endpoint: must be given/, /cluster\.token: must be given/, /cluster\.ca\.crt: must be given/],
    ],
    ["nothing", messages(""), [/holds no v1alpha1 document/]],
    ["a list", messages("- a\n"), [/must be a map/]],
  ])("%s", (_name, found, wanted) => {
    for (const pattern of wanted) expect(found.join("\n")).toMatch(new RegExp(pattern.source, "m"));
    expect(found).toHaveLength(wanted.length);
  });
});

test("all faults are told at once, by line and column", () => {
  const text = workerText({ machine: "  debug: 1\n  sysctls: {x: 1}\n", cluster: "  proxy: {mode: ipvs}\n" });
  expect(faultsOf(text)).toEqual([
    "7:3: machine.debug: no such field; known here: type, token, ca, acceptedCAs, certSANs, controlPlane, kubelet, pods, network, disks, install, files, env, time, sysctls, sysfs, registries, systemDiskEncryption, features, udev, logging, kernel, seccompProfiles, baseRuntimeSpecOverrides, nodeLabels, nodeAnnotations, nodeTaints",
    "8:13: machine.sysctls.x: must be a kernel parameter such as net.core.somaxconn",
    '13:17: cluster.proxy.mode: must be nftables, found "ipvs"',
  ]);
});

test("a secret is never shown in a fault", () => {
  const text = controlPlaneText()
    .replace(BUNDLE.secrets.bootstrapToken, "SECRETS.0123456789abcdef")
    .replace(/key: LS0[^}]+/g, "key: U0VDUkVU");
  const told = faultsOf(text).join("\n");
  expect(told).toMatch(/cluster\.token: must be a token/);
  expect(told).toMatch(/serviceAccount\.key: must be base64 of a PEM private key/);
  expect(told).not.toMatch(/SECRETS|U0VDUkVU|SECRET\b/);
});

test("numbers stand for text where Talos takes them so", () => {
  const { sysctls, labels, kubelet } = nodeConfigFrom(
    workerText({
      machine:
        "  sysctls: {net.core.somaxconn: 65535, kernel.panic: 010}\n  nodeLabels: {rack: 7, gone: }\n  kubelet: {extraArgs: {v: 2, feature-gates: [A=true, B=false]}}\n",
    }),
  );
  expect(sysctls).toEqual({ "net.core.somaxconn": "65535", "kernel.panic": "010" });
  expect(labels).toEqual({ rack: "7", gone: "" });
  expect(kubelet.extraArgs).toEqual({ v: ["2"], "feature-gates": ["A=true", "B=false"] });
});

test("interfaces, install and registries come out as written", () => {
  const config = nodeConfigFrom(
    workerText({
      machine: `  install: {diskSelector: {size: ">= 100GB", type: nvme}, wipe: true}
  registries: {mirrors: {"*": {endpoints: ["http://192.0.2.1:8080"], skipFallback: true}}}
  time: {servers: [192.0.2.1], bootTimeout: 1m30s}
`,
    }).replace(
      "{hostname: w-1}",
      "{hostname: w-1, nameservers: [192.0.2.1], interfaces: [{deviceSelector: {hardwareAddr: 52:54:*}, addresses: [192.0.2.7/24], routes: [{gateway: 192.0.2.1}], mtu: 9000}]}",
    ),
  );
  expect(config.install).toMatchObject({
    wipe: true,
    diskSelector: { size: { operator: ">=", bytes: 100_000_000_000n } },
  });
  expect(config.registries.mirrors?.["*"]).toEqual({ endpoints: ["http://192.0.2.1:8080"], skipFallback: true });
  expect(config.time).toEqual({ disabled: false, servers: ["192.0.2.1"], bootTimeoutMs: 90_000 });
  expect(config.network.interfaces[0]).toMatchObject({ mtu: 9000, routes: [{ gateway: "192.0.2.1" }] });
});

describe("texts made to hurt are refused", () => {
  test.each<[name: string, text: string, wanted: RegExp]>([
    ["over the cap", `${workerText()}# ${"x".repeat(MAX_BYTES)}`, /at most 131072 are read/],
    ["an alias", "a: &a {x: 1}\nb: *a\n", /the alias \*a is not allowed/],
    [
      "a bomb of aliases",
      `a: &a [x, x]\n${[..."bcdefgh"].map((c, i) => `${c}: &${c} [*${"abcdefgh"[i]}, *${"abcdefgh"[i]}]`).join("\n")}`,
      /is not allowed/,
    ],
    ["brackets without end", "{}".repeat(50_000), /holds 50000 brackets; at most 4096/],
    ["documents without end", "---\na\n".repeat(10_000), /holds over 64 documents/],
    ["flow depth", "[".repeat(2_000), /nested over 64 deep/],
    ["block depth", `${"- ".repeat(50_000)}x`, /nested over 64 deep/],
    ["a tag", "machine: !!js/function x\n", /not valid YAML|is not allowed/],
    ["a tab", "machine:\n\ttype: worker\n", /not valid YAML/],
    ["__proto__", "version: v1alpha1\nmachine: {sysctls: {__proto__: x}}\n", /a key must be one plain word/],
    ["a key that is a map", "{a: b}: c\n", /a key must be one plain word|must be given|no such/],
  ])("%s", (_name, text, wanted) => {
    expect(messages(text).join("\n")).toMatch(wanted);
  });

  test("indented maps of any depth", () => {
    const deep = Array.from({ length: 500 }, (_, i) => `${" ".repeat(i)}a:`).join("\n");
    expect(messages(deep).join("\n")).toMatch(/nested over 64 deep/);
  });
});

test("cut and changed configs never make it throw", () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
  console.log(`seed ${seed}`);
  let state = seed;
  const next = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state % limit;
  };
  const text = controlPlaneText({ machine: "  sysctls: {a.b: 1}\n  network: {interfaces: [{interface: eth0}]}\n" });
  const pieces = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "\n",
    "  ",
    "&a",
    "*a",
    "!!x",
    "'",
    '"',
    "|",
    "\t",
    "null",
    "---\n",
    "\0",
    "é",
  ];
  for (let i = 0; i < 100; i++) {
    const at = next(text.length);
    const broken = `${text.slice(0, at)}${pieces[next(pieces.length)]}${text.slice(at + next(3))}`;
    const decoded = decodeMachineConfig(next(2) === 0 ? broken : broken.slice(0, next(broken.length)));
    if (decoded.kind === "config") nodeConfigOf(decoded.config);
  }
});
