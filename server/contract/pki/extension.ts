// The certificate extensions that Slipway writes and judges by, one row each. Used by certificate.ts and csr.ts.
// Source: RFC 5280 §4.2.1. Pure.
import {
  bits,
  boolean,
  contents,
  contentsOf,
  type Der,
  decode,
  encode,
  integer,
  isTagged,
  isUniversal,
  malformed,
  octets,
  oid,
  oidOf,
  parts,
  sequence,
  TAG,
  taggedBytes,
} from "./der.ts";
import { type AltNames, decodeAltNames, encodeAltNames } from "./name.ts";

export type Purpose = "server" | "client";
export type Extensions = {
  isCa?: boolean;
  /** Certificates allowed between this CA and a leaf. */
  pathLength?: number;
  mayCertify?: boolean;
  maySign?: boolean;
  /** Undefined: no ExtendedKeyUsage at all. Other purposes than these two are passed over. */
  purposes?: readonly Purpose[];
  altNames?: AltNames;
  keyId?: Uint8Array;
  issuerKeyId?: Uint8Array;
};

const OID = {
  keyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  altNames: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  issuerKeyId: "2.5.29.35",
  purposes: "2.5.29.37",
} as const;
const PURPOSES: Record<Purpose, string> = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" };

/** digitalSignature(0), keyCertSign(5), cRLSign(6), counted from the highest bit of the first byte. */
const DIGITAL_SIGNATURE = 0x80;
const CERT_SIGN = 0x04;
const CRL_SIGN = 0x02;

function encodeKeyUsage(e: Extensions): Der {
  const byte = (e.maySign ? DIGITAL_SIGNATURE : 0) | (e.mayCertify ? CERT_SIGN | CRL_SIGN : 0);
  // DER: zero bits at the end of a named bit list are cut off (X.690 §11.2.2).
  return bits(Uint8Array.of(byte), byte & CRL_SIGN ? 1 : 7);
}

function encodeConstraints(e: Extensions): Der {
  if (!e.isCa) return sequence();
  const length = e.pathLength === undefined ? [] : [integer(Uint8Array.of(e.pathLength))];
  return sequence(boolean(true), ...length);
}

type Row = { name: keyof typeof OID; isCritical: boolean; isUsed: boolean; value: () => Der };

const rowsOf = (e: Extensions): Row[] => [
  { name: "basicConstraints", isCritical: true, isUsed: e.isCa !== undefined, value: () => encodeConstraints(e) },
  { name: "keyUsage", isCritical: true, isUsed: Boolean(e.mayCertify || e.maySign), value: () => encodeKeyUsage(e) },
  {
    name: "purposes",
    isCritical: false,
    isUsed: e.purposes !== undefined,
    value: () => sequence(...e.purposes!.map((p) => oid(PURPOSES[p]))),
  },
  {
    name: "altNames",
    isCritical: false,
    isUsed: e.altNames !== undefined && e.altNames.dnsNames.length + e.altNames.ips.length > 0,
    value: () => encodeAltNames(e.altNames!),
  },
  { name: "keyId", isCritical: false, isUsed: e.keyId !== undefined, value: () => octets(e.keyId!) },
  {
    name: "issuerKeyId",
    isCritical: false,
    isUsed: e.issuerKeyId !== undefined,
    value: () => sequence(taggedBytes(0, e.issuerKeyId!)),
  },
];

/** The SEQUENCE OF Extension; undefined when there would be none (an empty one is not allowed). */
export function encodeExtensions(e: Extensions): Der | undefined {
  const used = rowsOf(e).filter((row) => row.isUsed);
  const encoded = used.map((row) => {
    const critical = row.isCritical ? [boolean(true)] : [];
    return sequence(oid(OID[row.name]), ...critical, octets(encode(row.value())));
  });
  return encoded.length === 0 ? undefined : sequence(...encoded);
}

function decodeConstraints(value: Der, what: string): Partial<Extensions> {
  const [first, second] = parts(value, what);
  const isCa = isUniversal(first, TAG.BOOLEAN) && contentsOf(first, TAG.BOOLEAN, what)[0] === 0xff;
  if (!isCa || second === undefined) return { isCa };
  const length = contentsOf(second, TAG.INTEGER, what);
  if (length.length !== 1 || length[0]! > 127) throw malformed(what, "its path length is no number from 0 to 127");
  return { isCa, pathLength: length[0]! };
}

/** What a certificate says in each extension that we know. */
const DECODERS: Record<string, (value: Der, what: string) => Partial<Extensions>> = {
  [OID.basicConstraints]: decodeConstraints,
  [OID.keyUsage]: (value, what) => {
    const byte = contentsOf(value, TAG.BITSTRING, what)[1] ?? 0;
    return { maySign: (byte & DIGITAL_SIGNATURE) !== 0, mayCertify: (byte & CERT_SIGN) !== 0 };
  },
  [OID.purposes]: (value, what) => {
    const named = new Set(parts(value, what).map((p) => oidOf(p, what)));
    return { purposes: (["server", "client"] as const).filter((p) => named.has(PURPOSES[p])) };
  },
  [OID.altNames]: (value, what) => ({ altNames: decodeAltNames(value, what) }),
  [OID.keyId]: (value, what) => ({ keyId: contentsOf(value, TAG.OCTETSTRING, what) }),
  [OID.issuerKeyId]: (value, what) => {
    const id = parts(value, what).find((field) => isTagged(field, 0));
    return id === undefined ? {} : { issuerKeyId: contents(id, what) };
  },
};

/** Reads a SEQUENCE OF Extension. @throws BAD_REQUEST for a critical one that we do not know, or one that comes twice. */
export function decodeExtensions(value: Der, what: string): Extensions {
  const found: Extensions = {};
  const seen = new Set<string>();
  for (const extension of parts(value, what)) {
    const [id, ...rest] = parts(extension, what);
    const name = oidOf(id, what);
    if (seen.has(name)) throw malformed(what, `extension ${name} comes twice`);
    seen.add(name);
    const isCritical = isUniversal(rest[0], TAG.BOOLEAN) && contentsOf(rest[0], TAG.BOOLEAN, what)[0] !== 0;
    const decoder = DECODERS[name];
    if (decoder === undefined && isCritical) throw malformed(what, `critical extension ${name} is unknown`);
    if (decoder === undefined) continue;
    Object.assign(found, decoder(decode(contentsOf(rest.at(-1), TAG.OCTETSTRING, what), what), what));
  }
  return found;
}
