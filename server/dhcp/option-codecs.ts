// The dozen value kinds of DHCP options: bytes ↔ value, each written once (options.ts says which option is of which kind).
// Decoders return undefined for bytes that are no such value; options.ts then keeps the bytes. Encoders never cut. Pure.
import { type Cidr, type Ipv4, numberToIpv4, parseCidr } from "../../inventory/address.ts";
import { decodeLatin1 } from "../byte-reader.ts";
import { SlipwayError } from "../contract/errors.ts";

/** One kind of value. `fixedBytes` is set when every value has that length: then a repeated option is not concatenated. */
export type Codec<T> = {
  fixedBytes?: number;
  decode(bytes: Uint8Array): T | undefined;
  encode(value: T): Uint8Array;
};

/** A classless static route (RFC 3442). */
export type Route = { to: Cidr; via: Ipv4 };

const fixed = <T>(size: number, read: (b: Uint8Array) => T, encode: (value: T) => Uint8Array): Codec<T> => ({
  fixedBytes: size,
  decode: (bytes) => (bytes.length === size ? read(bytes) : undefined),
  encode,
});

const list = <T>(item: Codec<T> & { fixedBytes: number }): Codec<readonly T[]> => ({
  decode(bytes) {
    if (bytes.length === 0 || bytes.length % item.fixedBytes !== 0) return undefined;
    const values: T[] = [];
    for (let at = 0; at < bytes.length; at += item.fixedBytes) {
      values.push(item.decode(bytes.subarray(at, at + item.fixedBytes))!);
    }
    return values;
  },
  encode: (values) => concatBytes(values.map((value) => item.encode(value))),
});

const integer = (size: 1 | 2 | 4) => ({
  ...fixed(
    size,
    (b) => b.reduce((sum, byte) => sum * 256 + byte, 0),
    (value: number) => {
      const bytes = new Uint8Array(size);
      for (let i = size - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
      return bytes;
    },
  ),
  fixedBytes: size,
});

export const uint8 = integer(1);
export const uint16 = integer(2);
export const uint32 = integer(4);
export const uint16List = list(uint16);

/** A list of option codes (55); order and duplicates are kept, the reader of the list decides. */
export const codeList: Codec<readonly number[]> = list(uint8);

export const ipv4 = { ...fixed(4, formatIpv4, encodeIpv4), fixedBytes: 4 };
export const ipv4List = list(ipv4);

/** Bytes as they are; nothing is a legal length too. */
export const raw: Codec<Uint8Array> = { decode: (bytes) => bytes, encode: (value) => value };

/** Text without trailing NULs: some clients send them (vector nas-renew-unicast: "nas1\0"). Empty is no value. */
export const text: Codec<string> = {
  decode: (bytes) => decodeLatin1(bytes).replace(/\0+$/, "") || undefined,
  encode: encodeLatin1,
};

/**
 * Text that is sent with one trailing NUL *inside* the option: EDK2 else writes a NUL over the next option's tag, and old
 * Pi 4 EEPROMs read on behind a short address (rpi-eeprom #72).
 */
export const textWithNul: Codec<string> = {
  decode: text.decode,
  encode: (value) => concatBytes([encodeLatin1(value), Uint8Array.of(0)]),
};

/** Classless static routes: prefix length, significant octets of the destination, gateway (RFC 3442). */
export const routes: Codec<readonly Route[]> = {
  decode(bytes) {
    const found: Route[] = [];
    let at = 0;
    while (at < bytes.length) {
      const prefix = bytes[at]!;
      const octets = Math.ceil(prefix / 8);
      const end = at + 1 + octets + 4;
      if (prefix > 32 || end > bytes.length) return undefined;
      const destination = new Uint8Array(4);
      destination.set(bytes.subarray(at + 1, at + 1 + octets));
      found.push({ to: `${formatIpv4(destination)}/${prefix}`, via: formatIpv4(bytes.subarray(end - 4, end)) });
      at = end;
    }
    return found.length > 0 ? found : undefined;
  },
  encode: (values) =>
    concatBytes(
      values.flatMap(({ to, via }) => {
        const network = parseCidr(to);
        if (network === undefined) throw doesNotFit(`the route's destination "${to}" is no network such as 10.0.0.0/8`);
        const octets = encodeIpv4(numberToIpv4(network.first)).subarray(0, Math.ceil(network.prefix / 8));
        return [Uint8Array.of(network.prefix), octets, encodeIpv4(via)];
      }),
    ),
};

/** Domain search list in DNS wire form; compressed names are read, plain ones are written (RFC 3397, RFC 1035 §4.1.4). */
export const domainList: Codec<readonly string[]> = {
  decode(bytes) {
    const names: string[] = [];
    let at = 0;
    while (at < bytes.length) {
      const name = readDomainName(bytes, at);
      if (name === undefined) return undefined;
      names.push(name.text);
      at = name.end;
    }
    return names.length > 0 ? names : undefined;
  },
  encode: (names) =>
    concatBytes(
      names.flatMap((name) => [
        ...name.split(".").flatMap((label) => {
          if (label.length < 1 || label.length > 63)
            throw doesNotFit(`the domain "${name}" has a label of 0 or over 63`);
          return [Uint8Array.of(label.length), encodeLatin1(label)];
        }),
        Uint8Array.of(0),
      ]),
    ),
};

function readDomainName(bytes: Uint8Array, start: number): { text: string; end: number } | undefined {
  const labels: string[] = [];
  let at = start;
  let end: number | undefined;
  while (bytes[at] !== 0) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | (bytes[at + 1] ?? 0xff);
      // Pointers only ever lead backwards, and a name has at most 127 labels: that ends every circle.
      if (target >= at) return undefined;
      end ??= at + 2;
      at = target;
    } else {
      if (length > 63 || at + 1 + length > bytes.length) return undefined;
      labels.push(decodeLatin1(bytes.subarray(at + 1, at + 1 + length)));
      at += 1 + length;
      if (labels.length > 127) return undefined;
    }
  }
  return labels.length > 0 ? { text: labels.join("."), end: end ?? at + 1 } : undefined;
}

/** Four bytes → dotted quad. */
export function formatIpv4(bytes: Uint8Array): Ipv4 {
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
}

/** Dotted quad → four bytes. */
export function encodeIpv4(ip: Ipv4): Uint8Array {
  // By hand: a reply has a dozen addresses, and split with Number was a fifth of its CPU time.
  const bytes = new Uint8Array(4);
  let part = 0;
  for (let i = 0; i < ip.length; i++) {
    const digit = ip.charCodeAt(i) - 48;
    if (digit < 0) part++;
    else bytes[part] = bytes[part]! * 10 + digit;
  }
  return bytes;
}

/** Text → bytes, one per character. A character outside Latin-1 is refused, not mangled. */
export function encodeLatin1(value: string): Uint8Array {
  const bytes = new Uint8Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 255) throw doesNotFit(`"${value}" holds "${value[i]}", which is not in Latin-1`);
    bytes[i] = code;
  }
  return bytes;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Bytes → lower-case hex, `separator` between them. */
export function formatHex(bytes: Uint8Array, separator = ""): string {
  let hex = "";
  for (let i = 0; i < bytes.length; i++) hex += i === 0 ? HEX[bytes[i]!] : separator + HEX[bytes[i]!];
  return hex;
}

/** The fault of every DHCP encoder: a value has no form on the wire. */
export const doesNotFit = (what: string): SlipwayError => new SlipwayError("DOES_NOT_FIT", `DHCP reply: ${what}`);
