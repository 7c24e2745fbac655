// Every object that a cluster is given has a path, and each path is the one that the API documents.
import { expect, test } from "vitest";
import { objectPath } from "../../../node-agent/kubernetes/api-path.ts";
import { clusterObjects } from "../../../server/contract/kubernetes/manifests.ts";
import { controlPlane, facts } from "../../server/contract/kubernetes/sample.ts";

test("objectPath knows every kind of the cluster's own objects", () => {
  const paths = clusterObjects(controlPlane(), facts()).map(objectPath);
  expect(new Set(paths).size).toBe(paths.length);
  expect(paths).toContain("/api/v1/namespaces/kube-system/configmaps/coredns");
  expect(paths).toContain("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy");
  expect(paths).toContain("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kube-proxy");
});

test("objectPath refuses a kind without a row, by name", () => {
  const job = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "j" } };
  expect(() => objectPath(job)).toThrow(/batch\/v1\/Job j/);
});
