// A cluster's secrets: made once when the cluster is created, written by bundle-file.ts, sealed by server/secrets, rendered
// into machine configs by server/cluster. Whoever holds them owns the cluster. Sources: talos reference §4.6 (what they are),
// §1.1 (kinds of keys, subjects, ten years). Pure: chance is an argument.
import type { KeyObject } from "node:crypto";
import { issueClusterCa } from "../pki/cluster-certificate.ts";
import { formatTalosKey, type TalosKeyKind } from "../pki/talos-key.ts";

/** Both PEM; the key with Talos's label. */
export type CaPair = { crt: string; key: string };

export type SecretsBundle = {
  /** base64url and base64 of 32 bytes. */
  cluster: { id: string; secret: string };
  secrets: { bootstrapToken: string; secretboxEncryptionSecret: string };
  trustdToken: string;
  certs: { etcd: CaPair; k8s: CaPair; k8sAggregator: CaPair; k8sServiceAccount: { key: string }; os: CaPair };
};

/** Chance and time. `generateKey`: {@link generateTalosKey}, or what a test puts in its place. */
export type BundleSource = {
  randomBytes: (count: number) => Uint8Array;
  generateKey: (kind: TalosKeyKind) => KeyObject;
  now: Date;
};

/** 87600 h, as Talos's. */
const CA_LIFETIME_MS = 87_600 * 3_600_000;
const TOKEN_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";

/** The four CAs: what kind of key, and the organization in the subject (the aggregator has none). */
const AUTHORITIES = {
  etcd: { kind: "p256", organization: "etcd" },
  k8s: { kind: "p256", organization: "kubernetes" },
  k8sAggregator: { kind: "p256", organization: undefined },
  os: { kind: "ed25519", organization: "talos" },
} as const;
export type AuthorityName = keyof typeof AUTHORITIES;

/** Makes all secrets of a new cluster. RSA 4096 takes a second or more. */
export function generateSecretsBundle(source: BundleSource): SecretsBundle {
  const base64 = () => Buffer.from(source.randomBytes(32));
  return {
    cluster: {
      id: base64().toString("base64").replace(/\+/g, "-").replace(/\//g, "_"),
      secret: base64().toString("base64"),
    },
    secrets: { bootstrapToken: makeToken(source), secretboxEncryptionSecret: base64().toString("base64") },
    trustdToken: makeToken(source),
    certs: {
      etcd: makeCa(source, "etcd"),
      k8s: makeCa(source, "k8s"),
      k8sAggregator: makeCa(source, "k8sAggregator"),
      k8sServiceAccount: { key: formatTalosKey(source.generateKey("rsa4096")) },
      os: makeCa(source, "os"),
    },
  };
}

function makeCa({ generateKey, randomBytes, now }: BundleSource, name: AuthorityName): CaPair {
  const { kind, organization } = AUTHORITIES[name];
  const key = generateKey(kind);
  const notBefore = new Date(Math.floor(now.getTime() / 1000) * 1000);
  const notAfter = new Date(notBefore.getTime() + CA_LIFETIME_MS);
  const subject = organization === undefined ? {} : { organizations: [organization] };
  const ca = issueClusterCa(key, subject, { serial: randomBytes(16), notBefore, notAfter });
  return { crt: ca.pem, key: formatTalosKey(key) };
}

function makeToken({ randomBytes }: BundleSource): string {
  const letters: string[] = [];
  while (letters.length < 22) {
    // 252 is the greatest multiple of 36: bytes above it would make some letters likelier.
    for (const byte of randomBytes(32)) if (byte < 252 && letters.length < 22) letters.push(TOKEN_LETTERS[byte % 36]!);
  }
  return `${letters.slice(0, 6).join("")}.${letters.slice(6).join("")}`;
}

/** Base64 of PEM, as every certificate and key of a v1alpha1 document. */
export const encodePem = (pem: string): string => Buffer.from(pem, "latin1").toString("base64");
