// DER in and out, on node-forge's ASN.1 toolkit: few builders, and a decoder that refuses all that is not canonical.
// Used by every file of this room. Source: ITU-T X.690. Pure.
import asn1 from "node-forge/lib/asn1.js";
import { SlipwayError } from "../errors.ts";

/** One ASN.1 value; its contents are reached through {@link children} and {@link contents}. */
export type Der = ReturnType<typeof asn1.fromDer>;

const { UNIVERSAL, CONTEXT_SPECIFIC } = asn1.Class;
export const TAG = asn1.Type;
/** Certificates of ours have a depth of 7; node-forge's own limit of 256 costs stack for nothing. */
const MAX_DEPTH = 24;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const primitive = (tag: number, value: string): Der => asn1.create(UNIVERSAL, tag, false, value);

export const sequence = (...values: readonly Der[]): Der => asn1.create(UNIVERSAL, TAG.SEQUENCE, true, [...values]);
export const set = (...values: readonly Der[]): Der => asn1.create(UNIVERSAL, TAG.SET, true, [...values]);
/** @param dotted `1.3.101.112`. */
export const oid = (dotted: string): Der => primitive(TAG.OID, asn1.oidToDer(dotted).getBytes());
/** @param bytes big-endian; a leading zero byte is added when the number would read as negative. */
export function integer(bytes: Uint8Array): Der {
  const first = bytes.findIndex((b) => b !== 0);
  const trimmed = first === -1 ? Uint8Array.of(0) : bytes.subarray(first);
  return primitive(TAG.INTEGER, (trimmed[0]! & 0x80 ? "\0" : "") + text(trimmed));
}
export const boolean = (value: boolean): Der => primitive(TAG.BOOLEAN, value ? "\xff" : "\0");
export const octets = (bytes: Uint8Array): Der => primitive(TAG.OCTETSTRING, text(bytes));
/** @param unused bits at the end that mean nothing, 0 to 7. */
export const bits = (bytes: Uint8Array, unused = 0): Der =>
  primitive(TAG.BITSTRING, String.fromCharCode(unused) + text(bytes));
export const utf8 = (value: string): Der => primitive(TAG.UTF8, text(Buffer.from(value, "utf8")));
/** `[tag] EXPLICIT` or a constructed `[tag] IMPLICIT`. */
export const tagged = (tag: number, ...values: readonly Der[]): Der =>
  asn1.create(CONTEXT_SPECIFIC, tag, true, [...values]);
/** A primitive `[tag] IMPLICIT`, as in a GeneralName. */
export const taggedBytes = (tag: number, bytes: Uint8Array): Der =>
  asn1.create(CONTEXT_SPECIFIC, tag, false, text(bytes));

/** UTCTime up to 2049, GeneralizedTime after it (RFC 5280 §4.1.2.5). Whole seconds. */
export function time(at: Date): Der {
  const digits = at.toISOString().replace(/[-:T]/g, "").slice(0, 14);
  return at.getUTCFullYear() < 2050
    ? primitive(TAG.UTCTIME, `${digits.slice(2)}Z`)
    : primitive(TAG.GENERALIZEDTIME, `${digits}Z`);
}

export function encode(value: Der): Uint8Array {
  return Buffer.from(asn1.toDer(value).getBytes(), "latin1");
}

export function malformed(what: string, problem: string, cause?: unknown): SlipwayError {
  return new SlipwayError("BAD_REQUEST", `${what}: ${problem}`, { cause });
}

/**
 * Reads one value that fills `bytes`. Encoding it again must give the same bytes: so BER's long lengths, indefinite
 * lengths and padded integers are refused, and a part may later be encoded again to check a signature over it.
 * @param what names the thing in a fault: `certificate`, `certificate request`.
 * @throws BAD_REQUEST
 */
export function decode(bytes: Uint8Array, what: string): Der {
  let value: Der;
  try {
    const options = { strict: true, parseAllBytes: true, decodeBitStrings: false, maxDepth: MAX_DEPTH };
    value = asn1.fromDer(text(bytes) as never, options as never);
  } catch (cause) {
    throw malformed(what, `no DER (${cause instanceof Error ? cause.message : "unreadable"})`, cause);
  }
  if (!Buffer.from(encode(value)).equals(bytes)) throw malformed(what, "BER where canonical DER is needed");
  return value;
}

/** Whether a value has this universal tag. */
export const isUniversal = (value: Der | undefined, tag: number): boolean =>
  value !== undefined && value.tagClass === UNIVERSAL && value.type === tag;
/** Whether a value is `[tag]`. */
export const isTagged = (value: Der | undefined, tag: number): boolean =>
  value !== undefined && value.tagClass === CONTEXT_SPECIFIC && Number(value.type) === tag;

/** The parts of a constructed value. @throws BAD_REQUEST */
export function children(value: Der | undefined, what: string): Der[] {
  if (value === undefined || !value.constructed || !Array.isArray(value.value)) {
    throw malformed(what, "a structure is missing where one must stand");
  }
  return value.value;
}

/** The parts of a SEQUENCE (or SET). @throws BAD_REQUEST */
export function parts(value: Der | undefined, what: string, tag: number = TAG.SEQUENCE): Der[] {
  if (!isUniversal(value, tag)) throw malformed(what, `ASN.1 type ${value?.type ?? "none"} found, ${tag} expected`);
  return children(value, what);
}

/** The bytes of a primitive value, whatever its tag. @throws BAD_REQUEST */
export function contents(value: Der | undefined, what: string): Uint8Array {
  if (value === undefined || value.constructed || typeof value.value !== "string") {
    throw malformed(what, "a plain value is missing where one must stand");
  }
  return Buffer.from(value.value, "latin1");
}

/** The bytes of a primitive value of one universal type. @throws BAD_REQUEST */
export function contentsOf(value: Der | undefined, tag: number, what: string): Uint8Array {
  if (!isUniversal(value, tag)) throw malformed(what, `ASN.1 type ${value?.type ?? "none"} found, ${tag} expected`);
  return contents(value, what);
}

/** An OBJECT IDENTIFIER, dotted. @throws BAD_REQUEST */
export function oidOf(value: Der | undefined, what: string): string {
  const bytes = contentsOf(value, TAG.OID, what);
  if (bytes.length === 0 || (bytes.at(-1)! & 0x80) !== 0) throw malformed(what, "an object identifier is cut short");
  return asn1.derToOid(text(bytes));
}

/** A BIT STRING without unused bits, as keys and signatures are. @throws BAD_REQUEST */
export function wholeBits(value: Der | undefined, what: string): Uint8Array {
  const bytes = contentsOf(value, TAG.BITSTRING, what);
  if (bytes[0] !== 0) throw malformed(what, "a bit string does not end on a whole byte");
  return bytes.subarray(1);
}

/** UTCTime or GeneralizedTime in the only forms that RFC 5280 allows. @throws BAD_REQUEST */
export function timeOf(value: Der | undefined, what: string): Date {
  const digits = text(contents(value, what));
  const isUtc = isUniversal(value, TAG.UTCTIME);
  const isLong = isUniversal(value, TAG.GENERALIZEDTIME);
  const form = isUtc ? /^\d{12}Z$/ : /^\d{14}Z$/;
  if ((!isUtc && !isLong) || !form.test(digits)) throw malformed(what, `"${digits.slice(0, 20)}" is no time`);
  const full = isUtc ? (Number(digits.slice(0, 2)) < 50 ? "20" : "19") + digits : digits;
  const iso = full.replace(/^(.{4})(..)(..)(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) throw malformed(what, `"${digits}" is no time`);
  return at;
}
