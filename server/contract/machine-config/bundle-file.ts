// The secrets bundle as a file, in the format of `talosctl gen secrets` (TalHelper's talsecret.sops.yaml), written and read
// strictly. server/secrets seals the text; a person may bring a bundle of an existing cluster. Source: talos reference §4.6.
// Pure.
import { isMap, type Node, stringify } from "yaml";
import { type Certificate, isIssuedBy, parseCertificatePem } from "../pki/certificate.ts";
import { keyFingerprint } from "../pki/key.ts";
import { parseTalosKey } from "../pki/talos-key.ts";
import type { ConfigFault } from "./decode.ts";
import { certificate, privateKey } from "./pem-values.ts";
import { type CaPair, encodePem, type SecretsBundle } from "./secrets-bundle.ts";
import { done, object, refused } from "./shape.ts";
import { base64Of, token } from "./values.ts";
import { visit, type Walk } from "./walk.ts";
import { readYamlStream } from "./yaml-stream.ts";

const encodePair = ({ crt, key }: CaPair) => ({ crt: encodePem(crt), key: encodePem(key) });

/** The file as `talosctl gen secrets` writes it: same keys, same order, four spaces. It is a secret. */
export function formatSecretsBundle(bundle: SecretsBundle): string {
  const { certs, cluster, secrets } = bundle;
  const file = {
    cluster: { id: cluster.id, secret: cluster.secret },
    secrets: {
      bootstraptoken: secrets.bootstrapToken,
      secretboxencryptionsecret: secrets.secretboxEncryptionSecret,
    },
    trustdinfo: { token: bundle.trustdToken },
    certs: {
      etcd: encodePair(certs.etcd),
      k8s: encodePair(certs.k8s),
      k8saggregator: encodePair(certs.k8sAggregator),
      k8sserviceaccount: { key: encodePem(certs.k8sServiceAccount.key) },
      os: encodePair(certs.os),
    },
  };
  return stringify(file, { indent: 4, lineWidth: 0 });
}

const PAIR = object({ crt: done(certificate, "certificate"), key: done(privateKey, "private key") });
const BUNDLE = object({
  cluster: done(object({ id: done(base64Of(32), "id"), secret: done(base64Of(32), "secret") }), "cluster"),
  secrets: done(
    object({
      bootstraptoken: done(token, "kubelets' token"),
      secretboxencryptionsecret: done(base64Of(32), "encryption at rest"),
      aescbcencryptionsecret: refused("string", "old encryption", "use a secretboxencryptionsecret", [""]),
    }),
    "secrets",
  ),
  trustdinfo: done(object({ token: done(token, "trustd's token") }), "trustd"),
  certs: done(
    object({
      etcd: done(PAIR, "etcd"),
      k8s: done(PAIR, "Kubernetes"),
      k8saggregator: done(PAIR, "aggregator"),
      k8sserviceaccount: done(object({ key: done(privateKey, "key") }), "service accounts"),
      os: done(PAIR, "OS"),
    }),
    "certificates",
  ),
});

export type ParsedBundle = { kind: "bundle"; bundle: SecretsBundle } | { kind: "faults"; faults: ConfigFault[] };

/** Reads such a file strictly. No fault quotes a secret. */
export function parseSecretsBundle(text: string): ParsedBundle {
  const stream = readYamlStream(text);
  const walk: Walk = { faults: stream.faults.map((f) => ({ ...f, path: "" })), notes: [] };
  const [node, ...more] = stream.documents;
  if (more.length > 0)
    walk.faults.push({ path: "", offset: more[0]!.range?.[0] ?? 0, message: "a second document; keep one" });
  const file = isMap(node) ? (visit(walk, BUNDLE, node as Node, []) as Record<string, unknown>) : undefined;
  if (file === undefined && walk.faults.length === 0)
    walk.faults.push({ path: "", offset: 0, message: "must be a map" });
  if (walk.faults.length === 0) {
    walk.faults.push(
      ...REQUIRED.filter((path) => get(file, path) === undefined).map((path) => ({
        path,
        offset: 0,
        message: "must be given",
      })),
    );
  }
  if (walk.faults.length === 0) walk.faults.push(...pairFaults(file).map((f) => ({ ...f, offset: 0 })));
  if (walk.faults.length === 0) return { kind: "bundle", bundle: bundleOf(file) };
  const faults = walk.faults.map(({ offset, ...fault }) => ({ ...fault, ...stream.placeOf(offset) }));
  return { kind: "faults", faults: faults.sort((a, b) => a.line - b.line || a.column - b.column) };
}

const PAIRS = ["certs.etcd", "certs.k8s", "certs.k8saggregator", "certs.os"];
const REQUIRED: readonly string[] = [
  ...[
    "cluster.id",
    "cluster.secret",
    "secrets.bootstraptoken",
    "secrets.secretboxencryptionsecret",
    "trustdinfo.token",
  ],
  ...PAIRS.flatMap((pair) => [`${pair}.crt`, `${pair}.key`]),
  "certs.k8sserviceaccount.key",
];

const get = (file: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], file);
const text = (file: unknown, path: string): string => get(file, path) as string;
const pairAt = (file: unknown, path: string): CaPair => ({
  crt: text(file, `${path}.crt`),
  key: text(file, `${path}.key`),
});

/** A certificate must be a CA, signed by itself, of the key beside it: anything else would show up as a cluster that never forms. */
function pairFaults(file: unknown): { path: string; message: string }[] {
  return PAIRS.flatMap((path) => {
    const { crt, key } = pairAt(file, path);
    const certificate: Certificate = parseCertificatePem(crt);
    if (!certificate.isCa || !certificate.mayCertify || !isIssuedBy(certificate, certificate)) {
      return [{ path: `${path}.crt`, message: "must be the certificate of a CA, signed by itself" }];
    }
    const isPair = keyFingerprint(certificate.publicKey) === keyFingerprint(parseTalosKey(key));
    if (!isPair) return [{ path: `${path}.key`, message: "is not the key of the certificate beside it" }];
    // The Terraform provider's path wants it (talos reference §1.1), and trust of the OS is never shared with Kubernetes'.
    return path === "certs.os" && certificate.publicKey.asymmetricKeyType !== "ed25519"
      ? [{ path: `${path}.key`, message: "must be an Ed25519 key" }]
      : [];
  });
}

function bundleOf(file: unknown): SecretsBundle {
  return {
    cluster: { id: text(file, "cluster.id"), secret: text(file, "cluster.secret") },
    secrets: {
      bootstrapToken: text(file, "secrets.bootstraptoken"),
      secretboxEncryptionSecret: text(file, "secrets.secretboxencryptionsecret"),
    },
    trustdToken: text(file, "trustdinfo.token"),
    certs: {
      etcd: pairAt(file, "certs.etcd"),
      k8s: pairAt(file, "certs.k8s"),
      k8sAggregator: pairAt(file, "certs.k8saggregator"),
      k8sServiceAccount: { key: text(file, "certs.k8sserviceaccount.key") },
      os: pairAt(file, "certs.os"),
    },
  };
}
