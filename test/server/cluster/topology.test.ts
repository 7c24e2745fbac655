// Topology files: what they say, where each fault stands, and which cluster a machine belongs to.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { findMembership } from "../../../server/cluster/topology.ts";
import { formatTopologyFaults, parseTopology } from "../../../server/cluster/topology-document.ts";
import { CLUSTER, CONTROL_PLANE, WORKER } from "./sample.ts";

const RACK = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
metadata: {name: rack1}
spec:
  endpoint: 192.0.2.99
  timeServers: [192.0.2.1]
---
apiVersion: slipway.dev/v1alpha1
kind: Role
metadata: {name: storage}
spec:
  type: worker
  cluster: rack1
  leastGrade: keyed
  patches:
    - machine:
        nodeLabels: {storage: "yes"}
---
apiVersion: slipway.dev/v1alpha1
kind: Machine
metadata: {name: node-1}
spec:
  macs: [52-54-00-12-34-56]
  role: storage
  patches:
    - machine: {install: {diskSelector: {size: ">= 100GB"}}}
    - {apiVersion: v1alpha1, kind: HostnameConfig, $patch: delete}
`;
const faults = (text: string, known?: Parameters<typeof parseTopology>[1]): string[] => {
  const parsed = parseTopology([{ name: "rack.yaml", text }], known);
  return parsed.kind === "topology" ? [] : formatTopologyFaults(parsed.faults);
};

test("a rack's file says what it says, with defaults where it says nothing", () => {
  expect(parseTopology([{ name: "rack.yaml", text: RACK }])).toEqual({
    kind: "topology",
    clusters: [{ ...CLUSTER, timeServers: ["192.0.2.1"] }],
    roles: [
      {
        name: "storage",
        type: "worker",
        cluster: "rack1",
        leastGrade: "keyed",
        patches: [{ machine: { nodeLabels: { storage: "yes" } } }],
      },
    ],
    machines: [
      {
        name: "node-1",
        macs: ["52:54:00:12:34:56"],
        role: "storage",
        patches: [
          { machine: { install: { diskSelector: { size: ">= 100GB" } } } },
          { apiVersion: "v1alpha1", kind: "HostnameConfig", $patch: "delete" },
        ],
      },
    ],
  });
});

test("documents may stand in several files, in any order", () => {
  const [cluster, role, machine] = RACK.split("---\n") as [string, string, string];
  const files = [machine, cluster, role].map((text, i) => ({ name: `${i}.yaml`, text }));
  expect(parseTopology(files)).toMatchObject({ kind: "topology" });
  expect(parseTopology([{ name: "m.yaml", text: machine }], { clusters: [], roles: ["storage"] })).toMatchObject({
    kind: "topology",
  });
});

test.each([
  [
    "a mistyped key",
    RACK.replace("endpoint:", "endpont:"),
    "rack.yaml:5:3: spec.endpont: no such field; did you mean endpoint?",
  ],
  [
    "a mistyped kind",
    RACK.replace("kind: Role", "kind: Rol"),
    'rack.yaml:9:7: kind: must be Cluster, Role or Machine, found "Rol"; did you mean Role?',
  ],
  [
    "a mistyped field in a patch",
    RACK.replace("nodeLabels", "nodeLabel"),
    "rack.yaml:17:9: spec.patches[0].machine.nodeLabel: no such field; did you mean nodeLabels?",
  ],
  [
    "a bad value in a patch",
    RACK.replace(">= 100GB", "big"),
    "rack.yaml:26:48: spec.patches[0].machine.install.diskSelector.size: must be a size such as 100GB",
  ],
  [
    "a refused field in a patch",
    RACK.replace('nodeLabels: {storage: "yes"}', "files: [{path: /x}]"),
    "rack.yaml:17:16: spec.patches[0].machine.files: is not possible on Slipway OS",
  ],
  [
    "a secret in a patch",
    RACK.replace('nodeLabels: {storage: "yes"}', "token: abcdef.0123456789abcdef"),
    "rack.yaml:17:16: spec.patches[0].machine.token: must not be in a patch: keys and tokens are made with the cluster",
  ],
  [
    "a registry's password in a patch that deletes something beside it",
    RACK.replace(
      'nodeLabels: {storage: "yes"}',
      "registries: {mirrors: {x: {$patch: delete}}, config: {reg.example.org: {auth: {username: a, password: hunter2}}}}",
    ),
    'rack.yaml:17:87: spec.patches[0].machine.registries.config["reg.example.org"].auth: is not possible on Slipway OS',
  ],
  [
    "a role of nowhere",
    RACK.replace("role: storage", "role: storing"),
    "rack.yaml:24:9: spec.role: there is no role storing; there is: controlplane, worker, storage",
  ],
  [
    "a cluster of nowhere",
    RACK.replace("cluster: rack1", "cluster: rack2"),
    "rack.yaml:13:12: spec.cluster: there is no cluster rack2; there is: rack1",
  ],
  ["no type", RACK.replace("  type: worker\n", ""), "rack.yaml:12:3: spec: type must be given: controlplane or worker"],
  [
    "no macs",
    RACK.replace("  macs: [52-54-00-12-34-56]\n", ""),
    "rack.yaml:23:3: spec: macs must be given: at least one",
  ],
  [
    "a bad mac",
    RACK.replace("52-54-00-12-34-56", "52-54-00"),
    'rack.yaml:23:10: spec.macs[0]: must be a MAC such as 52:54:00:12:34:56, found "52-54-00"',
  ],
  [
    "a name twice",
    `${RACK}---\n${RACK.split("---\n")[2]}`.replace(/56\](?![\s\S]*56\])/, "57]"),
    "rack.yaml:31:18: metadata.name: Machine node-1 stands in rack.yaml:21 already",
  ],
  [
    "networks that overlap",
    RACK.replace("  timeServers", "  podSubnet: 10.96.0.0/16\n  timeServers"),
    "rack.yaml:5:3: spec: podSubnet 10.96.0.0/16 and serviceSubnet 10.96.0.0/12 overlap",
  ],
  [
    "another format",
    RACK.replace("slipway.dev/v1alpha1", "v1"),
    'rack.yaml:1:13: apiVersion: must be slipway.dev/v1alpha1, found "v1"',
  ],
  ["a name that is no host's", RACK.replace("node-1", "Node_1"), "rack.yaml:21:18: metadata.name: must be a host name"],
  ["no YAML", "a: [", "rack.yaml:1:5: not valid YAML"],
])("%s", (_name, text, wanted) => expect(faults(text).join("\n")).toContain(wanted));

const machine = (more: { role?: string; cluster?: string }) => ({ name: "node-1", ...more });
const OTHER = { ...CLUSTER, name: "rack2" };
test.each([
  ["no role", machine({}), [CLUSTER], /has no role/],
  ["an unknown role", machine({ role: "x" }), [CLUSTER], /no role x/],
  ["no cluster yet", machine({ role: "worker" }), [], /no cluster yet; make one/],
  ["several clusters", machine({ role: "worker" }), [CLUSTER, OTHER], /several clusters \(rack1, rack2\).*--cluster/],
  ["a cluster of nowhere", machine({ role: "worker", cluster: "x" }), [CLUSTER], /no cluster x; there is: rack1/],
])("no membership: %s", (_name, of, clusters, reason) => {
  expect(findMembership(of, clusters, [])).toEqual({ kind: "none", reason: expect.stringMatching(reason) });
});

test("a machine's own cluster goes before its role's, and that before the only one", () => {
  const role = { ...WORKER, name: "storage", cluster: "rack2" };
  const member = (of: { role?: string; cluster?: string }, clusters = [CLUSTER, OTHER]) => {
    const found = findMembership(machine(of), clusters, [role]);
    return found.kind === "member" ? [found.cluster.name, found.role.name] : found.reason;
  };
  expect(member({ role: "storage" })).toEqual(["rack2", "storage"]);
  expect(member({ role: "storage", cluster: "rack1" })).toEqual(["rack1", "storage"]);
  expect(member({ role: CONTROL_PLANE.name }, [CLUSTER])).toEqual(["rack1", "controlplane"]);
});

test("docs/clusters.md shows files that are taken", () => {
  const [, text = ""] = /```yaml\n([\s\S]*?)```/.exec(readFileSync("docs/clusters.md", "utf8")) ?? [];
  expect(parseTopology([{ name: "docs", text }])).toMatchObject({
    kind: "topology",
    clusters: [{ name: "rack1" }],
    roles: [{ name: "storage" }],
    machines: [{ name: "node-1" }],
  });
});
