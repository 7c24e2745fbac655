// What people do to clusters: endpoints that are free on the wire, files all or none, and what must not change under nodes.
import { afterEach, beforeEach, expect, test } from "vitest";
import { readTopology } from "../../../server/cluster/topology-document.ts";
import { CP, data, NO_DATA, nodeStatus, type TestDesk, testDesk } from "./desk.ts";

let t: TestDesk;
beforeEach(async () => {
  t = await testDesk({}, ["192.0.2.127", "192.0.2.125"]);
});
afterEach(() => t.desk.close());
const create = (name: string, endpoint?: string) =>
  t.admin.create({ name, isSingle: false, ...(endpoint ? { endpoint } : {}) }, "tester");
const endpointOf = async (name: string) =>
  (await t.inventory.listClusters()).find((c) => c.name === name)?.spec.endpoint;

test("an endpoint is the nearest address below the pool that nobody has and nobody answers for", async () => {
  await t.machine({ macs: [CP], address: "192.0.2.126" });
  expect(await create("rack1")).toMatchObject({ record: { spec: { endpoint: "192.0.2.124" } } });
  expect(t.wire.probed).toEqual(["192.0.2.127", "192.0.2.125", "192.0.2.124"]);
  expect(await create("rack2")).toMatchObject({ record: { spec: { endpoint: "192.0.2.123" } } });
  expect(t.bundles.created).toEqual(["rack1", "rack2"]);
  expect(await create("rack3", "k8s.example.org")).toMatchObject({ record: { spec: { endpoint: "k8s.example.org" } } });
});

test.each([
  ["Rack 1", undefined, "BAD_REQUEST", /name of a cluster must be/],
  ["rack1", "192.0.2.127", "CONFLICT", /192\.0\.2\.127 is in use: it answers ARP \(52:54:00:00:00:ff\)/],
  ["rack1", "192.0.2.200", "CONFLICT", /inside the pool/],
  ["rack1", "198.51.100.7", "CONFLICT", /outside the networks that the nodes are in \(192\.0\.2\.0\/24\)/],
])("refused: %s at %s", async (name, endpoint, code, message) => {
  await expect(create(name, endpoint)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  expect(await t.inventory.listClusters()).toEqual([]);
  expect(t.bundles.created).toEqual([]);
});

test("in proxy mode a person names the endpoint, and pods may not live in the site's networks", async () => {
  // Asked while DHCP still looks, the answer waits until that has ended.
  let looks = 0;
  t.wire.networks = () => [{ subnet: "192.0.2.0/24", pool: undefined, isRelayed: false, isUndecided: looks++ === 0 }];
  await expect(create("rack1")).rejects.toMatchObject({
    message: expect.stringContaining("given out by another DHCP server"),
    remedy: expect.stringContaining("slipway cluster create NAME --endpoint IP"),
  });
  expect(await create("rack1", "192.0.2.99")).toMatchObject({ record: { spec: { endpoint: "192.0.2.99" } } });
  t.wire.siteNetworks = () => ["10.244.7.0/24"];
  await expect(create("rack2", "192.0.2.98")).rejects.toMatchObject({
    code: "CONFLICT",
    message: "cluster rack2: podSubnet 10.244.0.0/16 overlaps with the site's network 10.244.7.0/24; choose another",
  });
  Object.assign(t.wire, { siteNetworks: () => [], networks: () => [] });
  await expect(create("rack3")).rejects.toMatchObject({
    message: expect.stringContaining("no network is served here now"),
  });
});

const RACK = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
metadata: {name: rack1}
spec:
  podSubnet: 10.245.0.0/16
`;
const apply = async (text: string, isDryRun = false) => {
  const { parsed, faultAt } = readTopology([{ name: "rack.yaml", text }]);
  if (parsed.kind === "faults") throw new Error(JSON.stringify(parsed.faults));
  const machines = { creations: [], changes: [], applied: [] };
  return t.admin.apply({ topology: parsed, faultAt, machines, isDryRun }, "tester");
};

test("an applied cluster is given an endpoint once and keeps it; a dry run writes nothing", async () => {
  expect((await apply(RACK, true)).endpoints).toMatchObject([{ cluster: "rack1", endpoint: "192.0.2.126" }]);
  expect([await t.inventory.listClusters(), t.bundles.created]).toEqual([[], []]);
  await apply(RACK);
  expect(await endpointOf("rack1")).toBe("192.0.2.126");
  const changed = await apply(`${RACK}  timeServers: [192.0.2.1]\n`);
  expect(changed).toEqual({
    applied: [{ kind: "Cluster", name: "rack1", change: "changed", what: ["timeServers"] }],
    endpoints: [],
  });
  expect(await endpointOf("rack1")).toBe("192.0.2.126");
  expect(t.bundles.created).toEqual(["rack1"]);
});

test("what certificates and data hang on cannot change under installed machines; the bootstrap's record stays", async () => {
  await apply(RACK);
  await t.settle();
  const cp = await t.installed(await t.machine({ macs: [CP], name: "cp", role: "controlplane" }), "i1");
  t.desk.noteStatus(cp, nodeStatus("i1", { etcd: NO_DATA }));
  await t.settle();
  await expect(apply(RACK.replace("10.245", "10.246"))).rejects.toMatchObject({
    code: "BAD_IMPORT",
    message: expect.stringMatching(
      /^rack\.yaml:5:14: spec\.podSubnet: cannot change from 10\.245\.0\.0\/16 to 10\.246/,
    ),
  });
  await apply(`${RACK}  certSans: [k8s.example.org]\n`);
  const [record] = await t.inventory.listClusters();
  expect(record?.bootstrap).toMatchObject({ kind: "intended", nodeId: cp.id });
  t.desk.noteStatus(cp, nodeStatus("i1", { etcd: data("abc") }));
  await t.settle();
  expect((await t.inventory.listClusters())[0]).toMatchObject({
    bootstrap: { kind: "confirmed" },
    spec: { certSans: ["k8s.example.org"] },
  });
  await expect(t.admin.remove("rack1", "tester")).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringContaining("cp"),
  });
});

test("a cluster without installed machines is deleted, and its secrets are moved aside", async () => {
  await apply(RACK);
  expect(await t.admin.remove("rack1", "tester")).toEqual({ secretsPath: "/secrets/rack1.retired.age" });
  await expect(t.admin.remove("rack1", "tester")).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: "there is no cluster rack1; there is: none",
  });
});
