// Certificate requests (PKCS#10, RFC 2986): the agent makes one, the appliance reads it and believes only its key. Pure.
import type { KeyObject } from "node:crypto";
import {
  bits,
  type Der,
  decode,
  encode,
  integer,
  malformed,
  oid,
  parts,
  sequence,
  set,
  tagged,
  wholeBits,
} from "./der.ts";
import { encodeExtensions } from "./extension.ts";
import { fingerprintOf, isSignedBy, parseSpki, signatureAlgorithm, signBytes, spkiOf } from "./key.ts";
import { type AltNames, decodeSubject, encodeSubject, type Subject } from "./name.ts";
import { formatPem, parsePem } from "./pem.ts";

const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
const WHAT = "certificate request";
/** An Ed25519 request of ours has about 200 bytes. */
const MAX_BYTES = 8192;

export type CertificateRequest = {
  publicKey: KeyObject;
  /** SHA-256 of its SubjectPublicKeyInfo, hex: what a ticket is bound to (design §6.1). */
  keyFingerprint: string;
  /** What the requester calls itself. A wish: the issuer decides. */
  subject: Subject;
};

/**
 * Makes a request for `key`'s public half, signed by `key`.
 * @returns PEM.
 */
export function createCsr(key: KeyObject, subject: Subject, altNames?: AltNames): string {
  const extensions = altNames === undefined ? undefined : encodeExtensions({ altNames });
  const wishes = extensions === undefined ? [] : [sequence(oid(EXTENSION_REQUEST), set(extensions))];
  const body = sequence(
    integer(Uint8Array.of(0)),
    encodeSubject(subject),
    decode(spkiOf(key), "public key"),
    tagged(0, ...wishes),
  );
  const signature = signBytes(key, encode(body));
  return formatPem("CERTIFICATE REQUEST", encode(sequence(body, signatureAlgorithm(key), bits(signature))));
}

/**
 * Reads a request and checks that its sender holds the key.
 * @param pem one PEM block.
 * @throws BAD_REQUEST for anything but a DER request for an Ed25519 or P-256 key with a right signature.
 */
export function parseCsr(pem: string): CertificateRequest {
  if (pem.length > 2 * MAX_BYTES) throw malformed(WHAT, `${pem.length} characters, at most ${2 * MAX_BYTES} are read`);
  const [der, ...more] = parsePem("CERTIFICATE REQUEST", pem);
  if (more.length > 0) throw malformed(WHAT, `${more.length + 1} PEM blocks, one is expected`);
  const [body, algorithm, signature, ...rest] = parts(decode(der!, WHAT), WHAT);
  if (rest.length > 0) throw malformed(WHAT, "more fields than three");
  const [, subject, spki] = parts(body, WHAT);
  const spkiDer = encode(mustBe(spki));
  const publicKey = parseSpki(spkiDer, WHAT);
  if (!isSignedBy(publicKey, algorithm, encode(mustBe(body)), wholeBits(signature, WHAT))) {
    throw malformed(WHAT, "its signature is not by the key it asks for");
  }
  return { publicKey, keyFingerprint: fingerprintOf(spkiDer), subject: decodeSubject(subject, WHAT) };
}

function mustBe(value: Der | undefined): Der {
  if (value === undefined) throw malformed(WHAT, "cut short");
  return value;
}
