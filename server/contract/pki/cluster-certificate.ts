// Certificates of a cluster's authorities: the four CAs of a secrets bundle in the form that Talos gives them, and leaves
// with several purposes (an etcd member is server and client). Called by machine-config/secrets-bundle.ts and by whoever
// issues kubernetes/certificates.ts' list. Sources: RFC 5280 §4.2.1, talos reference §1.1. Pure.
import type { KeyObject } from "node:crypto";
import { type Certificate, type Issuer, parseCertificate, type Terms } from "./certificate.ts";
import {
  bits,
  boolean,
  type Der,
  decode,
  encode,
  integer,
  malformed,
  octets,
  oid,
  sequence,
  tagged,
  time,
} from "./der.ts";
import { encodeExtensions, type Purpose } from "./extension.ts";
import { keyIdentifier, signatureAlgorithm, signBytes, spkiOf } from "./key.ts";
import { type AltNames, encodeSubject, type Subject } from "./name.ts";

/** v3 is written as 2. */
const VERSION_3 = Uint8Array.of(2);
/** digitalSignature(0) and keyCertSign(5); Talos's CAs sign no revocation lists. */
const CA_USAGE = bits(Uint8Array.of(0x84), 2);
const SERVER_AND_CLIENT = sequence(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2"));

const extension = (id: string, isCritical: boolean, value: Der): Der =>
  sequence(oid(id), ...(isCritical ? [boolean(true)] : []), octets(encode(value)));

/** Without path length and without authority key id, as Talos's: its clients compare neither, people compare dumps. */
const caExtensions = (key: KeyObject): Der =>
  sequence(
    extension("2.5.29.15", true, CA_USAGE),
    extension("2.5.29.37", false, SERVER_AND_CLIENT),
    extension("2.5.29.19", true, sequence(boolean(true))),
    extension("2.5.29.14", false, octets(keyIdentifier(spkiOf(key)))),
  );

/** Makes a self-signed CA. @param subject may be empty: the aggregator's is. */
export function issueClusterCa(key: KeyObject, subject: Subject, terms: Terms): Certificate {
  const name = encodeSubject(subject);
  return sign(terms, name, key, caExtensions(key), { name, key });
}

/** Issues a leaf. @throws BAD_REQUEST for names that do not fit. */
export function issueClusterLeaf(
  issuer: Issuer,
  leaf: { publicKey: KeyObject; subject: Subject; purposes: readonly Purpose[]; altNames?: AltNames },
  terms: Terms,
): Certificate {
  const extensions = encodeExtensions({
    isCa: false,
    maySign: true,
    purposes: leaf.purposes,
    ...(leaf.altNames === undefined ? {} : { altNames: leaf.altNames }),
    keyId: keyIdentifier(spkiOf(leaf.publicKey)),
    // The CA's own: Talos's CAs carry a random one, and OpenSSL compares the two.
    issuerKeyId: issuer.certificate.keyId ?? keyIdentifier(spkiOf(issuer.key)),
  })!;
  const by = { name: decode(issuer.certificate.subjectDer, "issuer"), key: issuer.key };
  return sign(terms, encodeSubject(leaf.subject), leaf.publicKey, extensions, by);
}

function sign(terms: Terms, subject: Der, publicKey: KeyObject, extensions: Der, by: { name: Der; key: KeyObject }) {
  if (terms.serial.length < 8 || terms.serial.length > 20) {
    throw malformed("certificate", `a serial number of ${terms.serial.length} bytes; 8 to 20 random ones are needed`);
  }
  // The highest bit stays clear and the next is set, so that the number keeps its length.
  const serial = Uint8Array.from(terms.serial, (byte, i) => (i === 0 ? (byte & 0x7f) | 0x40 : byte));
  const body = sequence(
    tagged(0, integer(VERSION_3)),
    integer(serial),
    signatureAlgorithm(by.key),
    by.name,
    sequence(time(terms.notBefore), time(terms.notAfter)),
    subject,
    decode(spkiOf(publicKey), "public key"),
    tagged(3, extensions),
  );
  const signature = bits(signBytes(by.key, encode(body)));
  return parseCertificate(encode(sequence(body, signatureAlgorithm(by.key), signature)));
}
