// Where the balancer is told to look, and what a node keeps of it.
import { expect, test } from "vitest";
import { apiServers, renderBalancerConfig, serversOfSlices } from "../../../node-agent/kubernetes/balancer.ts";
import { parseKept, renderKept } from "../../../node-agent/kubernetes/kept.ts";
import { controlPlane, worker } from "../../server/contract/kubernetes/sample.ts";

test("apiServers has the own one first, then the endpoint, then what was learnt, each once", () => {
  const learnt = ["192.0.2.5:6443", "192.0.2.8:6443"];
  expect(apiServers(controlPlane(), learnt)).toEqual([
    { address: "127.0.0.1:6443", prefer: true },
    { address: "192.0.2.5:6443" },
    { address: "192.0.2.8:6443" },
  ]);
  expect(apiServers(worker(), [])).toEqual([{ address: "192.0.2.5:6443" }]);
  expect(JSON.parse(renderBalancerConfig(7445, apiServers(worker(), [])))).toEqual({
    listen: "127.0.0.1:7445",
    servers: [{ address: "192.0.2.5:6443" }],
  });
});

test("serversOfSlices takes ready IPv4 endpoints with every port", () => {
  const slice = {
    endpoints: [
      { addresses: ["192.0.2.8"], conditions: { ready: true } },
      { addresses: ["192.0.2.7"] },
      { addresses: ["192.0.2.9"], conditions: { ready: false } },
      { addresses: ["2001:db8::1"] },
    ],
    ports: [{ port: 6443 }, {}],
  };
  expect(serversOfSlices([slice])).toEqual(["192.0.2.7:6443", "192.0.2.8:6443"]);
  expect(serversOfSlices([{ endpoints: null, ports: null }])).toEqual([]);
});

test("what is kept comes back, and nothing else does", () => {
  const kept = { servers: ["192.0.2.7:6443"], podCidr: "10.244.1.0/24" };
  expect(parseKept(renderKept(kept))).toEqual(kept);
  expect(parseKept(renderKept({ servers: [], podCidr: undefined }))).toEqual({ servers: [], podCidr: undefined });
});
test.each([
  undefined,
  "",
  "{",
  '"x"',
  "null",
  '{"schema":2,"servers":[]}',
  '{"schema":1}',
  '{"schema":1,"servers":{}}',
])("parseKept takes %j for nothing", (text) => expect(parseKept(text)).toEqual({ servers: [], podCidr: undefined }));
test("parseKept leaves out what is no address", () => {
  const text = '{"schema":1,"servers":["192.0.2.7:6443","x",7],"podCidr":"somewhere"}';
  expect(parseKept(text)).toEqual({ servers: ["192.0.2.7:6443"], podCidr: undefined });
});
