// Is the server that answered the appliance whose CA this boot's ticket names? Called by the agent before its clock is
// set, so validity times are not looked at: a machine without a battery wakes up in 1970 (design §6.2). Pure.

import { SlipwayError } from "../errors.ts";
import { type Certificate, isIssuedBy, parseCertificate } from "./certificate.ts";

export type ChainVerdict =
  | { kind: "trusted"; ca: Certificate; leaf: Certificate }
  | { kind: "refused"; reason: string };

const refused = (reason: string): ChainVerdict => ({ kind: "refused", reason });
const normalise = (fingerprint: string): string => fingerprint.toLowerCase().replaceAll(":", "");

/** What must be true, in this order, and what is said when it is not. */
const RULES: readonly { holds: (ca: Certificate, leaf: Certificate) => boolean; reason: string }[] = [
  { holds: (ca) => ca.isCa === true, reason: "the pinned certificate is not one of an authority" },
  { holds: (ca) => ca.mayCertify === true, reason: "the pinned certificate may not issue certificates" },
  { holds: (ca) => isIssuedBy(ca, ca), reason: "the pinned certificate's own signature is wrong" },
  { holds: (_, leaf) => leaf.isCa !== true, reason: "the server's certificate is one of an authority" },
  // A machine's own certificate is from the same authority: without this, any node could play the appliance.
  {
    holds: (_, leaf) => leaf.purposes?.includes("server") === true,
    reason: "the server's certificate is not for servers",
  },
  { holds: (_, leaf) => leaf.maySign === true, reason: "the server's certificate may not sign handshakes" },
  {
    holds: (ca, leaf) => isIssuedBy(leaf, ca),
    reason: "the server's certificate is not signed by the pinned authority",
  },
];

/**
 * Checks the certificates that a TLS server presented against a pinned authority.
 * @param chain DER, the server's own first, as the handshake brought them; the authority must be among them.
 * @param caFingerprint SHA-256 of the authority's DER in hex, with or without colons.
 * @returns the two certificates, or a reason for the machine's screen. Never throws for what a server sent.
 */
export function verifyPinnedChain(chain: readonly Uint8Array[], caFingerprint: string): ChainVerdict {
  try {
    const [first, ...others] = chain.map(parseCertificate);
    if (first === undefined) return refused("the server presented no certificate");
    const pin = normalise(caFingerprint);
    const ca = others.find((certificate) => certificate.fingerprint === pin);
    if (ca === undefined) {
      return refused(
        `none of the server's ${chain.length} certificates is the authority that the ticket names (${pin})`,
      );
    }
    const broken = RULES.find((rule) => !rule.holds(ca, first));
    return broken === undefined ? { kind: "trusted", ca, leaf: first } : refused(broken.reason);
  } catch (cause) {
    if (!(cause instanceof SlipwayError)) throw cause;
    return refused(cause.message);
  }
}
