// What the appliance keeps sealed, and what the rest of it may do with that: the private keys themselves never leave this
// room. One row per secret: a new one is one row here. Pure.
import type { KeyObject } from "node:crypto";
import { type Certificate, type Issuer, issueCa, issueLeaf, parseCertificatePem } from "../contract/pki/certificate.ts";
import { formatPrivateKey, formatPublicKey, generateKey, parsePrivateKey, publicKeyOf } from "../contract/pki/key.ts";

export type ServerCertificate = {
  /** PEM, the server's own first, then the authority: a machine that pinned it must see it in the handshake. */
  chain: string;
  /** PKCS#8 PEM; made for this certificate, kept in memory only. */
  key: string;
  /** Milliseconds since 1970. `validFrom` is when it was made; the certificate itself is valid from long before. */
  validFrom: number;
  validTo: number;
};

/** The appliance's certificate authority. `now` is milliseconds since 1970. */
export type Authority = {
  /** SHA-256 of the certificate's DER, lower-case hex: what tickets carry. */
  fingerprint: string;
  /** PEM. */
  certificate: string;
  /** A fresh key and a certificate for TLS on these IPv4 addresses and host names. Valid for 90 days. */
  issueServer(addresses: readonly string[], now: number, dnsNames?: readonly string[]): ServerCertificate;
  /** A client certificate (PEM) for a machine's key: Organization `slipway:machine`, common name the id. Valid for 7 days. */
  issueClient(publicKey: KeyObject, machineId: string, now: number): string;
};

/** What a sealed file holds, as text. */
export type Sealed = { privateKey: string; certificate?: string };

const DAY_MS = 86_400_000;
const SERVER_DAYS = 90;
const CLIENT_DAYS = 7;
/** Of a machine whose clock is behind the appliance's by less than it bothers to correct. */
const CLIENT_BACKDATE_MS = DAY_MS;
/**
 * Authority and server certificates begin here and the authority never ends (RFC 5280 §4.1.2.5), whatever the
 * appliance's clock said when they were made: one that was wrong for an hour must not leave a dead authority behind.
 */
const LONG_AGO = new Date("2020-01-01T00:00:00Z");
const NEVER = new Date("9999-12-31T23:59:59Z");

/** Organization of every machine's certificate. */
export const MACHINE_ORGANIZATION = "slipway:machine";

type SecretRow = {
  /** What is lost with it, for messages. */
  loss: string;
  /** Name of the plain public half beside the sealed file. */
  publicFile: string;
  make: (random: (bytes: number) => Uint8Array) => Sealed;
  publicHalf: (sealed: Sealed) => string;
};

const publicPem = (sealed: Sealed): string => formatPublicKey(parsePrivateKey(sealed.privateKey));

/** Every secret by the name of its file: `secrets/ca.age`. */
export const SECRETS = {
  ca: {
    loss: "the appliance's certificate authority: every enrolled machine must enrol again",
    publicFile: "ca.pem",
    make: (random) => {
      const key = generateKey("ed25519");
      const terms = { serial: random(16), notBefore: LONG_AGO, notAfter: NEVER };
      const certificate = issueCa(key, { organizations: ["slipway"], commonName: "slipway appliance CA" }, terms);
      return { privateKey: formatPrivateKey(key), certificate: certificate.pem };
    },
    publicHalf: (sealed) => sealed.certificate ?? "",
  },
  owner: {
    loss: "the owner's key: images must be signed anew, and nodes accept no update signed by the new key",
    publicFile: "owner.pem",
    make: () => ({ privateKey: formatPrivateKey(generateKey("ed25519")) }),
    publicHalf: publicPem,
  },
} as const satisfies Record<string, SecretRow>;
export type SecretName = keyof typeof SECRETS;
export const SECRET_NAMES = Object.keys(SECRETS) as SecretName[];

/** @param random gives that many unpredictable bytes. */
export function authorityOf(sealed: Sealed, random: (bytes: number) => Uint8Array): Authority {
  const certificate = parseCertificatePem(sealed.certificate ?? "");
  const issuer: Issuer = { key: parsePrivateKey(sealed.privateKey), certificate };
  return {
    fingerprint: certificate.fingerprint,
    certificate: certificate.pem,
    issueServer: (ips, now, dnsNames = []) => issueServer(issuer, { ips, dnsNames }, now, random),
    issueClient: (publicKey, machineId, now) => issueClient(issuer, publicKey, machineId, now, random).pem,
  };
}

type Names = { ips: readonly string[]; dnsNames: readonly string[] };

function issueServer(issuer: Issuer, altNames: Names, now: number, random: (n: number) => Uint8Array) {
  const key = generateKey("ed25519");
  const validTo = now + SERVER_DAYS * DAY_MS;
  const terms = { serial: random(16), notBefore: LONG_AGO, notAfter: new Date(validTo) };
  const subject = { organizations: ["slipway"], commonName: "slipway appliance" };
  const leaf = { publicKey: publicKeyOf(key), subject, purpose: "server" as const, altNames };
  const certificate = issueLeaf(issuer, leaf, terms);
  const chain = certificate.pem + issuer.certificate.pem;
  return { chain, key: formatPrivateKey(key), validFrom: now, validTo };
}

function issueClient(
  issuer: Issuer,
  publicKey: KeyObject,
  machineId: string,
  now: number,
  random: (n: number) => Uint8Array,
): Certificate {
  const terms = {
    serial: random(16),
    notBefore: new Date(now - CLIENT_BACKDATE_MS),
    notAfter: new Date(now + CLIENT_DAYS * DAY_MS),
  };
  const subject = { organizations: [MACHINE_ORGANIZATION], commonName: machineId };
  return issueLeaf(issuer, { publicKey, subject, purpose: "client" }, terms);
}
