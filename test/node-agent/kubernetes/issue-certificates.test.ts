// Certificates of a control plane node over time: what goes on, what is issued anew, and what has to start again for it.
import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { type Issued, issueCertificates, reasonToRenew } from "../../../node-agent/kubernetes/issue-certificates.ts";
import {
  CERTIFICATE_LIFETIME_MS,
  issuerOf,
  planCertificates,
} from "../../../server/contract/kubernetes/certificates.ts";
import { generateKey } from "../../../server/contract/pki/key.ts";
import { controlPlane, facts } from "../../server/contract/kubernetes/sample.ts";

const config = controlPlane();
const plans = planCertificates(config, facts());
const NOW = Date.parse("2026-11-24T12:00:00Z");
const source = (nowMs: number) => ({
  nowMs,
  serial: () => new Uint8Array(16).fill(7),
  generateKey: () => generateKey("p256"),
});
const issue = (held: Issued, nowMs: number) => issueCertificates(plans, config.controlPlane, held, source(nowMs));
const first = issue(new Map(), NOW).issued;

test("issueCertificates issues every planned one, with its key and by its CA", () => {
  expect([...first.keys()]).toEqual(plans.map((p) => p.name));
  for (const plan of plans) {
    const { crt, key } = first.get(plan.name)!;
    const seen = new X509Certificate(crt);
    expect(seen.verify(new X509Certificate(issuerOf(config.controlPlane, plan.issuer).crt).publicKey)).toBe(true);
    expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(seen.validTo).toBe("Dec 24 12:00:00 2026 GMT");
  }
});

const HALF = CERTIFICATE_LIFETIME_MS / 2;
test.each([
  ["an hour later", NOW + 3_600_000, 0],
  ["a minute before half", NOW + HALF - 90_000, 0],
  ["at half", NOW + HALF, plans.length],
  ["years later", NOW + 3e11, plans.length],
  ["in 1970", 0, plans.length],
])("issueCertificates %s renews %s of them", (_, nowMs, count) => {
  expect(issue(first, nowMs).renewed).toHaveLength(count);
});

test("a renewed certificate outlives no CA", () => {
  const late = Date.parse("2036-10-20T00:00:00Z");
  const { issued } = issue(first, late);
  expect(Date.parse(new X509Certificate(issued.get("apiserver")!.crt).validTo)).toBeLessThan(
    late + CERTIFICATE_LIFETIME_MS,
  );
});

test("another address renews what names addresses, and nothing else", () => {
  const moved = planCertificates(config, facts({ addresses: ["192.0.2.8"] }));
  const { renewed } = issueCertificates(moved, config.controlPlane, first, source(NOW));
  expect(renewed).toEqual(
    ["apiserver", "etcd-server", "etcd-peer"].map((name) => ({ name, reason: expect.stringContaining("addresses") })),
  );
});

test.each([
  ["its key is another", (c: { crt: string; key: string }) => ({ ...c, key: first.get("scheduler")!.key })],
  ["it cannot be read", (c: { crt: string; key: string }) => ({ ...c, crt: c.crt.slice(0, 200) })],
  ["the CA is another", () => first.get("etcd-server")!],
  ["the node's names or addresses are others", () => first.get("scheduler")!],
])("reasonToRenew says: %s", (reason, damage) => {
  const plan = plans[0]!;
  const issuer = issuerOf(config.controlPlane, plan.issuer);
  expect(reasonToRenew(plan, issuer, damage(first.get(plan.name)!), NOW)).toBe(reason);
});

test("reasonToRenew remembers what a pair says, and reads it again under another CA or where the pair is another", () => {
  const plan = plans[0]!;
  const issuer = issuerOf(config.controlPlane, plan.issuer);
  const pair = { ...first.get(plan.name)! };
  let reads = 0;
  const get = () => {
    reads += 1;
    return pair.crt;
  };
  const counted = Object.defineProperty({ ...pair }, "crt", { get });
  const ask = (ca = issuer) => reasonToRenew(plan, ca, counted, NOW);
  expect([ask(), ask(), ask()]).toEqual([undefined, undefined, undefined]);
  expect(reads).toBe(1);
  // What changes with time or plan is judged each time.
  expect(reasonToRenew(plan, issuer, counted, NOW + HALF)).toBe("half of its life is over");
  expect(reasonToRenew(plans[1]!, issuer, counted, NOW)).toMatch(/names or addresses|subject/);
  expect(reads).toBe(1);
  expect(ask(issuerOf(config.controlPlane, "etcd"))).toBe("the CA is another");
  expect(reads).toBe(2);
  expect(ask()).toBeUndefined();
  expect(ask({ ...issuer })).toBeUndefined();
  expect(reads).toBe(4);
});
