// Issues a control plane node's certificates from the config's CAs, and says which of those at hand go on. Called by
// run-settle.ts at every look: nothing counts days, so a clock that jumps either way is put right at the next look.
// Sources: contract/kubernetes/certificates.ts (the list, half of the life), talos reference §5.8. Pure: chance and time are
// arguments.
import type { KeyObject } from "node:crypto";
import {
  BACKDATE_MS,
  CERTIFICATE_LIFETIME_MS,
  type CertificatePlan,
  issuerOf,
  renewAtMs,
} from "../../server/contract/kubernetes/certificates.ts";
import type { CertificateAndKey, ControlPlane } from "../../server/contract/machine-config/node-config.ts";
import { type Certificate, isIssuedBy, parseCertificatePem } from "../../server/contract/pki/certificate.ts";
import { issueClusterLeaf } from "../../server/contract/pki/cluster-certificate.ts";
import { formatPrivateKey, keyFingerprint, parsePrivateKey, publicKeyOf } from "../../server/contract/pki/key.ts";
import type { AltNames } from "../../server/contract/pki/name.ts";
import { parseTalosKey } from "../../server/contract/pki/talos-key.ts";

/** By CertificatePlan.name; PEM, the key as PKCS#8. */
export type Issued = ReadonlyMap<string, CertificateAndKey>;
export type IssueSource = {
  nowMs: number;
  /** 16 random bytes. */
  serial: () => Uint8Array;
  generateKey: () => KeyObject;
};

/** Those of `held` that are still good, the others new. @returns also the names of the new ones, with the reason. */
export function issueCertificates(
  plans: readonly CertificatePlan[],
  controlPlane: ControlPlane,
  held: Issued,
  source: IssueSource,
): { issued: Issued; renewed: readonly { name: string; reason: string }[] } {
  const issued = new Map<string, CertificateAndKey>();
  const renewed: { name: string; reason: string }[] = [];
  for (const plan of plans) {
    const issuer = issuerOf(controlPlane, plan.issuer);
    const own = held.get(plan.name);
    const reason = own === undefined ? "there is none" : reasonToRenew(plan, issuer, own, source.nowMs);
    issued.set(plan.name, reason === undefined ? own! : issueOne(plan, issuer, source));
    if (reason !== undefined) renewed.push({ name: plan.name, reason });
  }
  return { issued, renewed };
}

/** Why a certificate at hand must be replaced; undefined when it goes on. */
export function reasonToRenew(
  plan: CertificatePlan,
  issuer: CertificateAndKey,
  held: CertificateAndKey,
  nowMs: number,
): string | undefined {
  const known = knownOf(held, issuer);
  if ("reason" in known) return known.reason;
  const { certificate } = known;
  if (namesOf(certificate.altNames) !== namesOf(plan.altNames)) return "the node's names or addresses are others";
  if (subjectOf(certificate.subject) !== subjectOf(plan.subject)) return "the subject is another";
  if (nowMs < certificate.notBefore.getTime()) return "it begins in the future: the clock was set back";
  return nowMs >= renewAtMs(certificate) ? "half of its life is over" : undefined;
}

type Known = { certificate: Certificate } | { reason: string };
/** What a pair says under its CA never changes, and reading it is most of what a look at all certificates costs. */
const KNOWN = new WeakMap<CertificateAndKey, { issuer: CertificateAndKey; known: Known }>();

function knownOf(held: CertificateAndKey, issuer: CertificateAndKey): Known {
  const before = KNOWN.get(held);
  if (before?.issuer === issuer) return before.known;
  const known = readPair(held, issuer);
  KNOWN.set(held, { issuer, known });
  return known;
}

function readPair(held: CertificateAndKey, issuer: CertificateAndKey): Known {
  try {
    const certificate = parseCertificatePem(held.crt);
    if (keyFingerprint(parsePrivateKey(held.key)) !== keyFingerprint(certificate.publicKey))
      return { reason: "its key is another" };
    const isOurs = isIssuedBy(certificate, parseCertificatePem(issuer.crt));
    return isOurs ? { certificate } : { reason: "the CA is another" };
  } catch {
    return { reason: "it cannot be read" };
  }
}

const namesOf = (names: AltNames | undefined): string =>
  [...(names?.dnsNames ?? []), ...(names?.ips ?? [])].sort().join();
const subjectOf = (s: { organizations?: readonly string[]; commonName?: string }): string =>
  JSON.stringify([s.organizations ?? [], s.commonName]);

/** A new key, and its certificate by `issuer`. */
export function issueOne(plan: CertificatePlan, issuer: CertificateAndKey, source: IssueSource): CertificateAndKey {
  const key = source.generateKey();
  const ca = parseCertificatePem(issuer.crt);
  const second = (ms: number) => new Date(Math.floor(ms / 1000) * 1000);
  // Never longer than the CA: clients refuse a chain whose root is over.
  const notAfter = second(Math.min(source.nowMs + CERTIFICATE_LIFETIME_MS, ca.notAfter.getTime()));
  const certificate = issueClusterLeaf(
    { certificate: ca, key: parseTalosKey(issuer.key) },
    {
      publicKey: publicKeyOf(key),
      subject: plan.subject,
      purposes: plan.purposes,
      ...(plan.altNames === undefined ? {} : { altNames: plan.altNames }),
    },
    { serial: source.serial(), notBefore: second(source.nowMs - BACKDATE_MS), notAfter },
  );
  return { crt: certificate.pem, key: formatPrivateKey(key) };
}
