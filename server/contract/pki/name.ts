// X.501 names, as far as Slipway uses them: Organization and CommonName, in that order, one value each per RDN; and the
// names in a SubjectAltName. Sources: RFC 5280 §4.1.2.4 and §4.2.1.6. Pure.
import {
  children,
  contents,
  type Der,
  isTagged,
  malformed,
  oid,
  oidOf,
  parts,
  sequence,
  set,
  TAG,
  taggedBytes,
  utf8,
} from "./der.ts";

export type Subject = { organizations?: readonly string[]; commonName?: string };
/** Host names and dotted IPv4 addresses of a server. */
export type AltNames = { dnsNames: readonly string[]; ips: readonly string[] };

const ORGANIZATION = "2.5.4.10";
const COMMON_NAME = "2.5.4.3";
const DNS_TAG = 2;
const IP_TAG = 7;
/** ub-common-name and ub-organization-name of RFC 5280 appendix A. */
const MAX_CHARS = 64;
const TEXT_TAGS: ReadonlySet<number> = new Set([TAG.UTF8, TAG.PRINTABLESTRING]);

function attribute(type: string, value: string): Der {
  if (value.length === 0 || value.length > MAX_CHARS || /[\0-\x1f\x7f]/.test(value)) {
    throw malformed(
      "subject",
      `"${value.slice(0, MAX_CHARS)}" has ${value.length} characters; 1 to 64 printable are allowed`,
    );
  }
  return set(sequence(oid(type), utf8(value)));
}

/** @throws BAD_REQUEST for an empty value, one over 64 characters, or control characters. */
export function encodeSubject(subject: Subject): Der {
  const organizations = (subject.organizations ?? []).map((value) => attribute(ORGANIZATION, value));
  const common = subject.commonName === undefined ? [] : [attribute(COMMON_NAME, subject.commonName)];
  return sequence(...organizations, ...common);
}

/** Attributes of other types are passed over. @throws BAD_REQUEST */
export function decodeSubject(value: Der | undefined, what: string): Subject {
  const found: { organizations: string[]; commonName?: string } = { organizations: [] };
  for (const rdn of parts(value, what)) {
    for (const pair of parts(rdn, what, TAG.SET)) {
      const [type, content] = parts(pair, what);
      const name = oidOf(type, what);
      if (name !== ORGANIZATION && name !== COMMON_NAME) continue;
      if (!TEXT_TAGS.has(Number(content?.type))) throw malformed(what, "a name is no UTF8String or PrintableString");
      const said = Buffer.from(contents(content, what)).toString("utf8");
      if (name === ORGANIZATION) found.organizations.push(said);
      // Two common names are a trick on whoever reads only one of them.
      else if (found.commonName !== undefined) throw malformed(what, "two common names");
      else found.commonName = said;
    }
  }
  return found;
}

const isIpv4 = (ip: string): boolean =>
  /^((0|[1-9]\d{0,2})(\.|$)){4}$/.test(ip) && ip.split(".").every((n) => +n < 256);
const isDnsName = (name: string): boolean =>
  name.length <= 253 &&
  /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(name);

/** @throws BAD_REQUEST for a name that is no host name, or an address that is no dotted IPv4. */
export function encodeAltNames(names: AltNames): Der {
  const dns = names.dnsNames.map((name) => {
    if (!isDnsName(name)) throw malformed("subject alternative name", `"${name.slice(0, 253)}" is no host name`);
    return taggedBytes(DNS_TAG, Buffer.from(name, "latin1"));
  });
  const ips = names.ips.map((ip) => {
    if (!isIpv4(ip)) throw malformed("subject alternative name", `"${ip.slice(0, 45)}" is no IPv4 address`);
    return taggedBytes(IP_TAG, Uint8Array.from(ip.split("."), Number));
  });
  return sequence(...dns, ...ips);
}

/** Names of other kinds, and IPv6, are passed over. @throws BAD_REQUEST */
export function decodeAltNames(value: Der, what: string): AltNames {
  const names = children(value, what);
  const ips = names.filter((n) => isTagged(n, IP_TAG)).map((n) => contents(n, what));
  return {
    dnsNames: names.filter((n) => isTagged(n, DNS_TAG)).map((n) => Buffer.from(contents(n, what)).toString("latin1")),
    ips: ips.filter((bytes) => bytes.length === 4).map((bytes) => bytes.join(".")),
  };
}
