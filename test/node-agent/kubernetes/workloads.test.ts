// Which of the cluster's own Deployments and DaemonSets are not whole, as a node's status tells them.
import { expect, test } from "vitest";
import { unfinishedWorkloads, type WorkloadObject, workloadsOf } from "../../../node-agent/kubernetes/workloads.ts";
import { clusterObjects } from "../../../server/contract/kubernetes/manifests.ts";
import { controlPlane, facts } from "../../server/contract/kubernetes/sample.ts";

const expected = workloadsOf(clusterObjects(controlPlane(), facts()));
const dns = (status: WorkloadObject["status"], generation = 1): WorkloadObject => ({
  metadata: { name: "coredns", namespace: "kube-system", generation },
  spec: { replicas: 2 },
  ...(status === undefined ? {} : { status }),
});
const daemon = (name: string, status: WorkloadObject["status"]): WorkloadObject => ({
  metadata: { name, namespace: "kube-system", generation: 1 },
  ...(status === undefined ? {} : { status }),
});
const whole = { observedGeneration: 1, desiredNumberScheduled: 2, numberAvailable: 2 };
const daemons = expected.filter(({ kind }) => kind === "DaemonSet").map(({ name }) => daemon(name, whole));
const tell = (deployment: WorkloadObject | undefined, daemonSets = daemons) =>
  unfinishedWorkloads(expected, { Deployment: deployment === undefined ? [] : [deployment], DaemonSet: daemonSets });

test("of all objects of a cluster these run pods", () => {
  expect(expected.map(({ kind, name }) => `${kind}/${name}`).sort()).toMatchInlineSnapshot(`
    [
      "DaemonSet/kube-flannel",
      "DaemonSet/kube-proxy",
      "Deployment/coredns",
    ]
  `);
});

test("nothing is told of what is whole", () => {
  expect(tell(dns({ observedGeneration: 1, availableReplicas: 2 }))).toEqual([]);
});

test.each([
  ["is not there yet", undefined, "it is not there yet"],
  ["no controller has looked at yet", dns(undefined), "0 of 2 of its pods are available"],
  ["has one of two", dns({ observedGeneration: 1, availableReplicas: 1 }), "1 of 2 of its pods are available"],
  ["was changed since", dns({ observedGeneration: 1, availableReplicas: 2 }, 2), "2 of 2 of its pods are available"],
])("a Deployment that %s is starting", (_, deployment, detail) => {
  expect(tell(deployment)).toEqual([{ name: "coredns", state: "starting", detail }]);
});

test.each([
  ["no controller has looked at yet", undefined, "0 of 1 of its pods are available"],
  ["waits on one of two nodes", { ...whole, numberAvailable: 1 }, "1 of 2 of its pods are available"],
])("a DaemonSet that %s is starting", (_, status, detail) => {
  const [first, ...others] = daemons;
  const told = tell(dns({ observedGeneration: 1, availableReplicas: 2 }), [
    daemon(first!.metadata.name, status),
    ...others,
  ]);
  expect(told).toEqual([{ name: first!.metadata.name, state: "starting", detail }]);
});

test("an API that does not answer says nothing against them", () => {
  expect(unfinishedWorkloads(expected, { Deployment: undefined, DaemonSet: undefined })).toEqual([]);
});

test("what a person runs beside them is no part of the cluster", () => {
  const own = dns({ observedGeneration: 1, availableReplicas: 2 });
  const other = { ...dns(undefined), metadata: { name: "other", namespace: "kube-system", generation: 1 } };
  expect(unfinishedWorkloads(expected, { Deployment: [own, other], DaemonSet: daemons })).toEqual([]);
});
