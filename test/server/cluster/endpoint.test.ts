// The cluster's address: chosen beside the pool, judged when a person names it, and the networks that may not overlap.
import { expect, test } from "vitest";
import { checkEndpoint, chooseEndpoint, overlapReason } from "../../../server/cluster/endpoint.ts";
import { CLUSTER } from "./sample.ts";

const SERVED = { subnet: "192.0.2.0/24", pool: { first: "192.0.2.100", last: "192.0.2.199" } };
const used = (...ips: string[]) => ips.map((ip) => ({ ip, by: "node-9 (reservation)" }));
const all = (first: number, last: number) =>
  used(...Array.from({ length: last - first + 1 }, (_, i) => `192.0.2.${first + i}`));

test.each([
  ["beside the pool", [], "192.0.2.99"],
  ["past what is in use", used("192.0.2.99", "192.0.2.98"), "192.0.2.97"],
  ["above the pool when all below is in use", all(1, 99), "192.0.2.200"],
])("%s", (_name, taken, ip) => expect(chooseEndpoint(SERVED, taken)).toMatchObject({ kind: "endpoint", ip }));

test.each([
  [
    "nothing is left",
    { subnet: "192.0.2.0/24", pool: { first: "192.0.2.1", last: "192.0.2.254" } },
    /no address of/,
    /pool smaller/,
  ],
  ["proxy mode", { subnet: "192.0.2.0/24", pool: undefined }, /another DHCP server/, /--endpoint IP/],
  ["no network", { subnet: "192.0.2.0", pool: undefined }, /is no network/, /--endpoint IP/],
])("refused: %s", (_name, network, reason, remedy) => {
  expect(chooseEndpoint(network, [])).toEqual({
    kind: "refused",
    reason: expect.stringMatching(reason),
    remedy: expect.stringMatching(remedy),
  });
});

test("network and broadcast address are never chosen", () => {
  const tight = { subnet: "192.0.2.0/30", pool: { first: "192.0.2.1", last: "192.0.2.1" } };
  expect(chooseEndpoint(tight, [])).toMatchObject({ ip: "192.0.2.2" });
  expect(chooseEndpoint(tight, used("192.0.2.2"))).toMatchObject({ kind: "refused" });
});

test.each([
  ["192.0.2.9", "endpoint", /named by a person/],
  ["192.0.2.150", "refused", /inside the pool/],
  ["198.51.100.7", "refused", /outside the networks.*192\.0\.2\.0\/24/],
  ["192.0.2.255", "refused", /no host's address/],
  ["192.0.2.1", "refused", /in use: node-9/],
])("checkEndpoint(%s) is %s", (ip, kind, reason) => {
  expect(checkEndpoint(ip, [SERVED], used("192.0.2.1"))).toMatchObject({ kind, reason: expect.stringMatching(reason) });
});

test("pods and services must not live in the site's networks", () => {
  expect(overlapReason(CLUSTER, ["192.0.2.0/24"])).toBeUndefined();
  expect(overlapReason(CLUSTER, ["192.0.2.0/24", "10.244.7.0/24"])).toMatch(
    /^podSubnet 10\.244\.0\.0\/16 overlaps .*10\.244\.7/,
  );
  expect(overlapReason(CLUSTER, ["10.0.0.0/8"])).toMatch(/^podSubnet/);
  expect(overlapReason({ ...CLUSTER, podSubnet: "172.20.0.0/16" }, ["10.0.0.0/8"])).toMatch(/^serviceSubnet/);
});
