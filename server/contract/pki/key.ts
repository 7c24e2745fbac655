// Keys and signatures of the two kinds that Slipway issues for: Ed25519 for the OS and enrolment, P-256 for Kubernetes
// (design §2 row 7). node:crypto does the mathematics. Sources: RFC 8410, RFC 5480, RFC 5758. Pure.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { SlipwayError } from "../errors.ts";
import { type Der, decode, malformed, oid, oidOf, parts, sequence, wholeBits } from "./der.ts";
import { formatPem } from "./pem.ts";

export type KeyKind = "ed25519" | "p256";

/** How each kind signs. The OIDs stand alone in an AlgorithmIdentifier: neither has parameters (RFC 8410 §3, RFC 5758 §3.2). */
const KINDS = {
  ed25519: { signatureOid: "1.3.101.112", digest: null },
  p256: { signatureOid: "1.2.840.10045.4.3.2", digest: "sha256" },
} as const satisfies Record<KeyKind, { signatureOid: string; digest: string | null }>;

/** Makes a private key; its public half is {@link publicKeyOf}. */
export function generateKey(kind: KeyKind): KeyObject {
  return kind === "ed25519"
    ? generateKeyPairSync("ed25519").privateKey
    : generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** PKCS#8 PEM. It is a secret: seal it before it goes to a disk. */
export function formatPrivateKey(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }) as string;
}

/** The public half of a private key. */
export const publicKeyOf = (key: KeyObject): KeyObject => createPublicKey(key);

/** SubjectPublicKeyInfo PEM, of a public or a private key. */
export const formatPublicKey = (key: KeyObject): string => formatPem("PUBLIC KEY", spkiOf(key));

/** Reads PKCS#8 PEM. @throws BAD_REQUEST that says nothing about the text. */
export function parsePrivateKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    kindOf(key);
    return key;
  } catch {
    throw new SlipwayError("BAD_REQUEST", "private key: no PKCS#8 PEM of an Ed25519 or P-256 key");
  }
}

/** @throws BAD_REQUEST for any other kind of key. */
export function kindOf(key: KeyObject): KeyKind {
  if (key.asymmetricKeyType === "ed25519") return "ed25519";
  if (key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1") return "p256";
  throw malformed("key", `${key.asymmetricKeyType ?? "unknown"} found, Ed25519 or ECDSA P-256 expected`);
}

/** SubjectPublicKeyInfo as DER, of a public or a private key. */
export function spkiOf(key: KeyObject): Uint8Array {
  const publicKey = key.type === "private" ? publicKeyOf(key) : key;
  return publicKey.export({ type: "spki", format: "der" });
}

/** Reads SubjectPublicKeyInfo. @throws BAD_REQUEST for a point off the curve, or another kind of key. */
export function parseSpki(der: Uint8Array, what: string): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
    kindOf(key);
    // Node also reads other encodings of the same key; a fingerprint is only good over one.
    if (!Buffer.from(spkiOf(key)).equals(der)) throw new Error("another encoding of the key");
    return key;
  } catch (cause) {
    throw malformed(what, "its public key is no Ed25519 or P-256 key", cause);
  }
}

/** SHA-256, hex, lower case. */
export const fingerprintOf = (der: Uint8Array): string => createHash("sha256").update(der).digest("hex");
/** SHA-256 of the SubjectPublicKeyInfo, hex: names a key whatever certificate carries it. */
export const keyFingerprint = (key: KeyObject): string => fingerprintOf(spkiOf(key));

/** Leftmost 160 bits of SHA-256 over the key's bits (RFC 7093 §2 method 1). */
export function keyIdentifier(spki: Uint8Array): Uint8Array {
  const key = wholeBits(parts(decode(spki, "public key"), "public key")[1], "public key");
  return createHash("sha256").update(key).digest().subarray(0, 20);
}

/** The AlgorithmIdentifier of what `key` signs. */
export const signatureAlgorithm = (key: KeyObject): Der => sequence(oid(KINDS[kindOf(key)].signatureOid));

export function signBytes(key: KeyObject, bytes: Uint8Array): Uint8Array {
  return sign(KINDS[kindOf(key)].digest, bytes, key);
}

/** Whether `signature` is `key`'s over `bytes`, and the algorithm named is the key's own. */
export function isSignedBy(
  key: KeyObject,
  algorithm: Der | undefined,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  const fields = parts(algorithm, "signature algorithm");
  const { signatureOid, digest } = KINDS[kindOf(key)];
  if (fields.length !== 1 || oidOf(fields[0], "signature algorithm") !== signatureOid) return false;
  return verify(digest, bytes, key, signature);
}
