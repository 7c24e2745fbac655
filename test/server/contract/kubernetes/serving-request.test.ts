// Which serving certificates are approved: only a node's own, under names and addresses that it is known by.
import { expect, test } from "vitest";
import { decideServingRequest, type ServingRequest } from "../../../../server/contract/kubernetes/serving-request.ts";

const NODES = [
  { name: "node-1", dnsNames: ["node-1.rack.example.org"], addresses: ["192.0.2.7"] },
  { name: "node-2", dnsNames: [], addresses: ["192.0.2.8"] },
];
const GOOD: ServingRequest = {
  user: "system:node:node-1",
  groups: ["system:nodes", "system:authenticated"],
  signer: "kubernetes.io/kubelet-serving",
  usages: ["digital signature", "server auth"],
  commonName: "system:node:node-1",
  organizations: ["system:nodes"],
  dnsNames: ["node-1"],
  ips: ["192.0.2.7"],
};

test("a node's own request is approved", () => {
  expect(decideServingRequest(GOOD, NODES)).toEqual({ kind: "approve" });
  expect(decideServingRequest({ ...GOOD, dnsNames: ["node-1.rack.example.org"], ips: [] }, NODES)).toEqual({
    kind: "approve",
  });
});
test("another signer's request is nothing to us", () => {
  expect(decideServingRequest({ ...GOOD, signer: "kubernetes.io/kube-apiserver-client" }, NODES)).toEqual({
    kind: "not-ours",
  });
});
test.each<[string, Partial<ServingRequest>, RegExp]>([
  ["another node's address", { ips: ["192.0.2.8"] }, /node-1 is not known as 192\.0\.2\.8/],
  ["one known and one unknown address", { ips: ["192.0.2.7", "192.0.2.5"] }, /not known as 192\.0\.2\.5$/],
  ["another node's name", { dnsNames: ["node-2"] }, /not known as node-2/],
  ["the API's name", { dnsNames: ["kubernetes.default.svc"] }, /not known as kubernetes/],
  ["for somebody else", { commonName: "system:node:node-2" }, /asks for system:node:node-2/],
  ["no node", { user: "system:serviceaccount:a:b", commonName: "system:serviceaccount:a:b" }, /is no node/],
  ["a node without the group", { groups: ["system:authenticated"] }, /is no node/],
  ["an unknown node", { user: "system:node:x", commonName: "system:node:x" }, /no node x is known/],
  ["masters", { organizations: ["system:nodes", "system:masters"] }, /not system:nodes$/],
  ["a client certificate", { usages: ["digital signature", "client auth"] }, /usage is/],
  ["no names at all", { dnsNames: [], ips: [] }, /neither host nor address/],
])("refused: %s", (_name, change, reason) => {
  expect(decideServingRequest({ ...GOOD, ...change }, NODES)).toEqual({
    kind: "refuse",
    reason: expect.stringMatching(reason),
  });
});
