// A small authority for the tests of this room: fixed times, counted serials.
import { createPublicKey, type KeyObject } from "node:crypto";
import { type Certificate, type Issuer, issueCa, issueLeaf } from "../../../../server/contract/pki/certificate.ts";
import { generateKey, type KeyKind } from "../../../../server/contract/pki/key.ts";

export const NOT_BEFORE = new Date("2020-01-01T00:00:00Z");
export const FOREVER = new Date("9999-12-31T23:59:59Z");

let count = 0;
/** Differs at each call, and has the bit set that would make it negative. */
export const nextSerial = (): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? ++count : 0xf0 + i));
export const terms = () => ({ serial: nextSerial(), notBefore: NOT_BEFORE, notAfter: FOREVER });

export function makeAuthority(kind: KeyKind = "ed25519", name = "test authority"): Issuer {
  const key = generateKey(kind);
  return { key, certificate: issueCa(key, { commonName: name }, terms()) };
}

export type Leaf = { key: KeyObject; certificate: Certificate };

export function makeServer(issuer: Issuer, kind: KeyKind = "ed25519"): Leaf {
  const key = generateKey(kind);
  const altNames = { dnsNames: ["appliance.test", "localhost"], ips: ["127.0.0.1", "192.0.2.1"] };
  const subject = { commonName: "appliance.test" };
  const leaf = { publicKey: createPublicKey(key), subject, purpose: "server" as const, altNames };
  return { key, certificate: issueLeaf(issuer, leaf, terms()) };
}

export function makeClient(issuer: Issuer, kind: KeyKind = "ed25519", id = "machine-1"): Leaf {
  const key = generateKey(kind);
  const subject = { organizations: ["slipway:machine"], commonName: id };
  return {
    key,
    certificate: issueLeaf(issuer, { publicKey: createPublicKey(key), subject, purpose: "client" }, terms()),
  };
}
