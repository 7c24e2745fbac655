// The first certificate of a control plane node's kubelet: made where there is none that serves, and left alone where there is.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { renewKubeletCertificate } from "../../../node-agent/kubernetes/kubelet-certificate.ts";
import { CERTIFICATE_LIFETIME_MS } from "../../../server/contract/kubernetes/certificates.ts";
import { generateKey } from "../../../server/contract/pki/key.ts";
import { controlPlane } from "../../server/contract/kubernetes/sample.ts";

const { hostname, controlPlane: plane } = controlPlane();
const NOW = Date.parse("2026-11-24T12:00:00Z");
const source = (nowMs: number) => ({
  nowMs,
  serial: () => new Uint8Array(16).fill(9),
  generateKey: () => generateKey("p256"),
});
const renew = (held: string | undefined, nowMs = NOW, name = hostname) =>
  renewKubeletCertificate(name, plane.ca, held, source(nowMs));
const { pem } = renew(undefined)!;

test("the first one names the node as Kubernetes' Node authorizer knows it", () => {
  const seen = new X509Certificate(pem);
  expect(seen.subject).toBe(`O=system:nodes\nCN=system:node:${hostname}`);
  expect(seen.verify(new X509Certificate(plane.ca.crt).publicKey)).toBe(true);
  expect(seen.checkPrivateKey(createPrivateKey(pem))).toBe(true);
  expect(seen.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
});

test.each([
  ["at once", NOW],
  ["past half of its life: the kubelet's own work", NOW + CERTIFICATE_LIFETIME_MS * 0.9],
])("one that serves is left alone %s", (_, nowMs) => {
  expect(renew(pem, nowMs)).toBeUndefined();
});

test("a kubelet's own, whose key is in the older form, is left alone", () => {
  const key = createPrivateKey(pem).export({ type: "sec1", format: "pem" }) as string;
  expect(renew(`${new X509Certificate(pem).toString()}${key}`)).toBeUndefined();
});

const other = renewKubeletCertificate(hostname, plane.aggregatorCa, undefined, source(NOW))!.pem;
const keyOf = (text: string) => text.slice(text.indexOf("-----BEGIN PRIVATE KEY"));
test.each([
  ["is over", pem, NOW + CERTIFICATE_LIFETIME_MS, "it is over"],
  ["begins in the future", pem, 0, "it begins in the future: the clock was set back"],
  ["is another CA's", other, NOW, "the CA is another"],
  ["has another key", new X509Certificate(pem).toString() + keyOf(other), NOW, "its key is another"],
  ["was cut", pem.slice(0, 300), NOW, "it cannot be read"],
  ["is empty", "", NOW, "it cannot be read"],
])("one that %s is replaced, and the reason is told", (_, held, nowMs, reason) => {
  expect(renew(held, nowMs)?.reason).toBe(reason);
});

test("one of the node's former name is replaced", () => {
  expect(renew(pem, NOW, "other")?.reason).toBe("the node's name is another");
});
