// A kubelet's request as it comes from the API, judged by every name in it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  type CsrObject,
  isPending,
  knownNodes,
  readServingRequest,
} from "../../../node-agent/kubernetes/serving-csr.ts";
import { decideServingRequest } from "../../../server/contract/kubernetes/serving-request.ts";

const scratch = mkdtempSync(join(tmpdir(), "slipway-csr-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const object = (request: string): CsrObject => ({
  metadata: { name: "csr-1" },
  spec: {
    request,
    signerName: "kubernetes.io/kubelet-serving",
    usages: ["digital signature", "server auth"],
    username: "system:node:w-1",
    groups: ["system:nodes", "system:authenticated"],
  },
});
/** As kubelet 1.37.2 sent it. */
const KUBELET =
  "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQkV6Q0J1Z0lCQURBeE1SVXdFd1lEVlFRS0V3eHplWE4wWlcwNmJtOWtaWE14R0RBV0JnTlZCQU1URDNONQpjM1JsYlRwdWIyUmxPbmN0TVRCWk1CTUdCeXFHU000OUFnRUdDQ3FHU000OUF3RUhBMElBQkdNKzFOWE9hSWxkCmd2MVZtajBEVDJZTGtMT0w2ZnNiZER4a3YvYUJrblFEVURZN0RpdWZsbDgzd29LWnE0QWdYanMxN0M0Rmk0VnAKQ1VSUFQ3WGNKNmlnSnpBbEJna3Foa2lHOXcwQkNRNHhHREFXTUJRR0ExVWRFUVFOTUF1Q0EzY3RNWWNFd0FBQwpEREFLQmdncWhrak9QUVFEQWdOSUFEQkZBaUVBcGRDMDNxOHE2UXVpR2hGLzZHUU9zNmVZVjhObXRCSStJM05nCk1KUUlkdG9DSUNhTWdNLzRlMi8xRUV0Y1E4ZUNNdTVQUTM5UHphdVd4TnZ0aDFsUlF6cmcKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==";
const OWN = { name: "cp-1", dnsNames: ["cp-1"], addresses: ["192.0.2.11"] };
const NODES = knownNodes([{ name: "w-1", addresses: ["192.0.2.12"] }], OWN);

test("readServingRequest reads what a real kubelet sends, and it is approved", () => {
  const request = readServingRequest(object(KUBELET));
  expect(request).toMatchObject({
    commonName: "system:node:w-1",
    organizations: ["system:nodes"],
    dnsNames: ["w-1"],
    ips: ["192.0.2.12"],
  });
  expect(decideServingRequest(request, NODES)).toEqual({ kind: "approve" });
});

/** A request by OpenSSL with these names beside the node's own. */
function requestWith(names: string): string {
  const [key, out] = [join(scratch, "key"), join(scratch, "csr")];
  const subject = ["-subj", "/O=system:nodes/CN=system:node:w-1", "-addext", `subjectAltName=DNS:w-1${names}`];
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", out];
  execFileSync("openssl", ["req", "-new", "-batch", ...made, ...subject], { stdio: "pipe" });
  return readFileSync(out).toString("base64");
}

test.each([
  [",IP:192.0.2.12", { kind: "approve" }],
  [",IP:192.0.2.13", { kind: "refuse", reason: "w-1 is not known as 192.0.2.13" }],
  [",IP:2001:db8::5", { kind: "refuse", reason: "w-1 is not known as 1 names of another kind" }],
  [",URI:spiffe://x", { kind: "refuse", reason: "w-1 is not known as 1 names of another kind" }],
  [",email:a@example.org", { kind: "refuse", reason: "w-1 is not known as 1 names of another kind" }],
  [",DNS:kubernetes", { kind: "refuse", reason: "w-1 is not known as kubernetes" }],
])("w-1 with%s is %j", (names, verdict) => {
  expect(decideServingRequest(readServingRequest(object(requestWith(names))), NODES)).toEqual(verdict);
});

test("readServingRequest throws for bytes that are no request", () => {
  expect(() => readServingRequest(object("AAAA"))).toThrow();
});

test("isPending leaves alone what somebody has decided", () => {
  const denied = { ...object(KUBELET), status: { conditions: [{ type: "Denied" }] } };
  expect([isPending(object(KUBELET)), isPending(denied)]).toEqual([true, false]);
});

test("knownNodes believes this node about itself, not the list", () => {
  const lie = [{ name: "cp-1", addresses: ["192.0.2.99"] }];
  expect(knownNodes(lie, OWN)).toEqual([OWN]);
});
