// The first certificate of a control plane node's own kubelet. Its agent holds the CA: a kubelet that had to ask the API for one
// would wait for the API server and the controller manager, which it starts itself, and begin anew with the answer (ADR 0013).
// The kubelet renews it by the API, as every kubelet does. Called by run-settle.ts. Pure: chance and time are arguments.
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { CertificatePlan } from "../../server/contract/kubernetes/certificates.ts";
import type { CertificateAndKey } from "../../server/contract/machine-config/node-config.ts";
import { isIssuedBy, parseCertificatePem } from "../../server/contract/pki/certificate.ts";
import { type IssueSource, issueOne } from "./issue-certificates.ts";

/** Whom the API knows a node's kubelet as (Kubernetes' Node authorizer). */
export const kubeletPlan = (hostname: string): CertificatePlan => ({
  name: "kubelet",
  issuer: "kubernetes",
  subject: { organizations: ["system:nodes"], commonName: `system:node:${hostname}` },
  purposes: ["client"],
  altNames: undefined,
  path: undefined,
  uid: 0,
});

/**
 * @param held certificate and key in one PEM, as the kubelet keeps them; undefined where it has none.
 * @returns a new pair, with the reason; undefined while the one at hand serves.
 */
export function renewKubeletCertificate(
  hostname: string,
  ca: CertificateAndKey,
  held: string | undefined,
  source: IssueSource,
): { pem: string; reason: string } | undefined {
  const plan = kubeletPlan(hostname);
  const reason =
    held === undefined ? "there is none" : whyUseless(held, `${plan.subject.commonName}`, ca, source.nowMs);
  if (reason === undefined) return undefined;
  const { crt, key } = issueOne(plan, ca, source);
  return { pem: `${crt.trimEnd()}\n${key.trimEnd()}\n`, reason };
}

/** Not at half of its life, as the others': the kubelet sees to that, while it can. */
function whyUseless(pem: string, name: string, ca: CertificateAndKey, nowMs: number): string | undefined {
  try {
    if (!new X509Certificate(pem).checkPrivateKey(createPrivateKey(pem))) return "its key is another";
    const certificate = parseCertificatePem(pem);
    if (!isIssuedBy(certificate, parseCertificatePem(ca.crt))) return "the CA is another";
    if (certificate.subject.commonName !== name) return "the node's name is another";
    if (nowMs < certificate.notBefore.getTime()) return "it begins in the future: the clock was set back";
    return nowMs >= certificate.notAfter.getTime() ? "it is over" : undefined;
  } catch {
    return "it cannot be read";
  }
}
