// X.509 certificates: issuing and reading, for both of Slipway's authorities (design §2 row 7). Called by
// server/secrets (the appliance's CA) and, over verify-chain.ts, by the agent. Source: RFC 5280 §4. Pure.
import type { KeyObject } from "node:crypto";
import {
  bits,
  contentsOf,
  type Der,
  decode,
  encode,
  integer,
  isTagged,
  malformed,
  parts,
  sequence,
  TAG,
  tagged,
  time,
  timeOf,
  wholeBits,
} from "./der.ts";
import { decodeExtensions, type Extensions, encodeExtensions, type Purpose } from "./extension.ts";
import { fingerprintOf, isSignedBy, keyIdentifier, parseSpki, signatureAlgorithm, signBytes, spkiOf } from "./key.ts";
import { type AltNames, decodeSubject, encodeSubject, type Subject } from "./name.ts";
import { formatPem, parsePem } from "./pem.ts";

const WHAT = "certificate";
/** A certificate of ours has 300 to 600 bytes; a foreign one with long names may have 4 kB. */
const MAX_BYTES = 16_384;

export type Certificate = Extensions & {
  der: Uint8Array;
  pem: string;
  /** SHA-256 of the DER, hex: what a pin compares. */
  fingerprint: string;
  /** Hex, without leading zeros. */
  serial: string;
  subject: Subject;
  notBefore: Date;
  notAfter: Date;
  publicKey: KeyObject;
  /** DER of the two names: they are compared as bytes. */
  subjectDer: Uint8Array;
  issuerDer: Uint8Array;
  signed: { body: Uint8Array; algorithm: Der | undefined; signature: Uint8Array };
};

/** `serial`: 8 to 20 random bytes (RFC 5280 §4.1.2.2, CA/B 64 bits). Times in whole seconds. */
export type Terms = { serial: Uint8Array; notBefore: Date; notAfter: Date };
export type Issuer = { certificate: Certificate; key: KeyObject };

/** The only version in use: v3 is written as 2. */
const VERSION_3 = 2;

function issue(
  terms: Terms,
  subject: Der,
  publicKey: KeyObject,
  extensions: Extensions,
  by: { name: Der; key: KeyObject },
) {
  if (terms.serial.length < 8 || terms.serial.length > 20) {
    throw malformed(WHAT, `a serial number of ${terms.serial.length} bytes; 8 to 20 random ones are needed`);
  }
  // The highest bit stays clear, so that 20 bytes stay 20; the next is set, so that they never become fewer.
  const serial = Uint8Array.from(terms.serial, (byte, i) => (i === 0 ? (byte & 0x7f) | 0x40 : byte));
  const body = sequence(
    tagged(0, integer(Uint8Array.of(VERSION_3))),
    integer(serial),
    signatureAlgorithm(by.key),
    by.name,
    sequence(time(terms.notBefore), time(terms.notAfter)),
    subject,
    decode(spkiOf(publicKey), "public key"),
    tagged(3, encodeExtensions(extensions)!),
  );
  const signature = signBytes(by.key, encode(body));
  return parseCertificate(encode(sequence(body, signatureAlgorithm(by.key), bits(signature))));
}

/** Makes a self-signed CA that issues leaves only (path length 0). */
export function issueCa(key: KeyObject, subject: Subject, terms: Terms): Certificate {
  const keyId = keyIdentifier(spkiOf(key));
  const extensions = { isCa: true, pathLength: 0, mayCertify: true, maySign: true, keyId, issuerKeyId: keyId };
  const name = encodeSubject(subject);
  return issue(terms, name, key, extensions, { name, key });
}

/** Issues a leaf for one purpose. @throws BAD_REQUEST for names that do not fit. */
export function issueLeaf(
  issuer: Issuer,
  leaf: { publicKey: KeyObject; subject: Subject; purpose: Purpose; altNames?: AltNames },
  terms: Terms,
): Certificate {
  const extensions: Extensions = {
    isCa: false,
    maySign: true,
    purposes: [leaf.purpose],
    ...(leaf.altNames === undefined ? {} : { altNames: leaf.altNames }),
    keyId: keyIdentifier(spkiOf(leaf.publicKey)),
    issuerKeyId: keyIdentifier(spkiOf(issuer.key)),
  };
  const by = { name: decode(issuer.certificate.subjectDer, "issuer"), key: issuer.key };
  return issue(terms, encodeSubject(leaf.subject), leaf.publicKey, extensions, by);
}

/**
 * Reads one certificate strictly. Checks its form, not its signature and not its times.
 * @throws BAD_REQUEST for anything but a DER v3 certificate of an Ed25519 or P-256 key without unknown critical extensions.
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_BYTES) throw malformed(WHAT, `${der.length} bytes, at most ${MAX_BYTES} are read`);
  const [body, algorithm, signature, ...rest] = parts(decode(der, WHAT), WHAT);
  const [version, serial, innerAlgorithm, issuer, validity, subject, spki, ...options] = parts(body, WHAT);
  if (rest.length > 0 || !isTagged(version, 0)) throw malformed(WHAT, "not of version 3");
  const [notBefore, notAfter] = parts(validity, WHAT);
  const extensions = options.find((option) => isTagged(option, 3));
  // Two places name the algorithm; only the outer one is used, so they must agree (RFC 5280 §4.1.1.2).
  if (!sameBytes(innerAlgorithm, algorithm)) throw malformed(WHAT, "names two signature algorithms");
  return {
    ...(extensions === undefined ? {} : decodeExtensions((extensions.value as Der[])[0]!, WHAT)),
    der: Uint8Array.from(der),
    pem: formatPem("CERTIFICATE", der),
    fingerprint: fingerprintOf(der),
    serial: Buffer.from(contentsOf(serial, TAG.INTEGER, WHAT))
      .toString("hex")
      .replace(/^(00)+(?=.)/, ""),
    subject: decodeSubject(subject, WHAT),
    notBefore: timeOf(notBefore, WHAT),
    notAfter: timeOf(notAfter, WHAT),
    publicKey: parseSpki(encode(mustBe(spki)), WHAT),
    subjectDer: encode(mustBe(subject)),
    issuerDer: encode(mustBe(issuer)),
    signed: { body: encode(mustBe(body)), algorithm, signature: wholeBits(signature, WHAT) },
  };
}

/** Reads the one certificate of a PEM text. @throws BAD_REQUEST */
export function parseCertificatePem(pem: string): Certificate {
  return parseCertificate(parsePem("CERTIFICATE", pem)[0]!);
}

/** Whether `ca`'s key signed `certificate` and is named as its issuer. Times and permissions are not looked at. */
export function isIssuedBy(certificate: Certificate, ca: Certificate): boolean {
  const { body, algorithm, signature } = certificate.signed;
  const isNamed = Buffer.from(certificate.issuerDer).equals(ca.subjectDer);
  return isNamed && isSignedBy(ca.publicKey, algorithm, body, signature);
}

function mustBe(value: Der | undefined): Der {
  if (value === undefined) throw malformed(WHAT, "cut short");
  return value;
}
const sameBytes = (a: Der | undefined, b: Der | undefined): boolean =>
  Buffer.from(encode(mustBe(a))).equals(encode(mustBe(b)));
