// The secrets bundle: made, written, read back; its certificates as OpenSSL sees them; what a damaged one is told.
import { execFileSync } from "node:child_process";
import { randomBytes, X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { formatSecretsBundle, parseSecretsBundle } from "../../../../server/contract/machine-config/bundle-file.ts";
import { encodePem, generateSecretsBundle } from "../../../../server/contract/machine-config/secrets-bundle.ts";
import { formatTalosKey, generateTalosKey, parseTalosKey } from "../../../../server/contract/pki/talos-key.ts";
import { BUNDLE } from "./sample.ts";

const TEXT = formatSecretsBundle(BUNDLE);
const faults = (text: string): string[] => {
  const parsed = parseSecretsBundle(text);
  return parsed.kind === "bundle" ? [] : parsed.faults.map((f) => `${f.path}: ${f.message}`);
};

test("a bundle reads back as it was made", () => {
  expect(parseSecretsBundle(TEXT)).toEqual({ kind: "bundle", bundle: BUNDLE });
});

test("the file has Talos's keys in Talos's order, and nothing folded", () => {
  expect(TEXT.match(/^ *\w+:/gm)?.map((key) => key.replace(":", ""))).toEqual([
    ...["cluster", "    id", "    secret", "secrets", "    bootstraptoken", "    secretboxencryptionsecret"],
    ...[
      "trustdinfo",
      "    token",
      "certs",
      "    etcd",
      "        crt",
      "        key",
      "    k8s",
      "        crt",
      "        key",
    ],
    ...["    k8saggregator", "        crt", "        key", "    k8sserviceaccount", "        key"],
    ...["    os", "        crt", "        key"],
  ]);
  expect(TEXT.split("\n").filter((line) => line !== "" && !/^ *\w+:( \S+)?$/.test(line))).toEqual([]);
});

test("OpenSSL sees CAs of ten years with Talos's subjects and usages", () => {
  const shown = Object.entries(BUNDLE.certs).flatMap(([name, pair]) => {
    if (!("crt" in pair)) return [];
    const options = ["x509", "-noout", "-subject", "-dates", "-ext", "basicConstraints,keyUsage,extendedKeyUsage"];
    const text = execFileSync("openssl", options, { input: pair.crt, encoding: "utf8" });
    return [
      name,
      ...text
        .trim()
        .split("\n")
        .map((line) => line.trim().replace(/ = /g, "=")),
    ];
  });
  const rest = [
    "notBefore=Nov  1 00:00:00 2026 GMT",
    "notAfter=Oct 29 00:00:00 2036 GMT",
    "X509v3 Key Usage: critical",
    "Digital Signature, Certificate Sign",
    "X509v3 Extended Key Usage:",
    "TLS Web Server Authentication, TLS Web Client Authentication",
    "X509v3 Basic Constraints: critical",
    "CA:TRUE",
  ];
  expect(shown).toEqual([
    ...["etcd", "subject=O=etcd", ...rest, "k8s", "subject=O=kubernetes", ...rest],
    ...["k8sAggregator", "subject=", ...rest, "os", "subject=O=talos", ...rest],
  ]);
});

test("node:crypto verifies each certificate with the key beside it", () => {
  for (const pair of [BUNDLE.certs.etcd, BUNDLE.certs.k8s, BUNDLE.certs.k8sAggregator, BUNDLE.certs.os]) {
    const certificate = new X509Certificate(pair.crt);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(parseTalosKey(pair.key))).toBe(true);
  }
});

test("keys carry Talos's labels, and read back", () => {
  const label = (pem: string) => /-----BEGIN (.*)-----/.exec(pem)?.[1];
  expect(Object.values(BUNDLE.certs).map((pair) => label(pair.key))).toEqual([
    ...["EC PRIVATE KEY", "EC PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ED25519 PRIVATE KEY"],
  ]);
  for (const pair of Object.values(BUNDLE.certs)) expect(formatTalosKey(parseTalosKey(pair.key))).toBe(pair.key);
});

test("the service account's key has 4096 bits", { timeout: 60_000 }, () => {
  expect(generateTalosKey("rsa4096").asymmetricKeyDetails?.modulusLength).toBe(4096);
});

test("tokens have six and sixteen letters, all equally likely", () => {
  const source = {
    randomBytes: (n: number) => new Uint8Array(n).fill(255),
    generateKey: generateTalosKey,
    now: new Date(),
  };
  let calls = 0;
  const mixed = { ...source, randomBytes: (n: number) => (calls++ % 2 === 0 ? source.randomBytes(n) : randomBytes(n)) };
  const { trustdToken, secrets } = generateSecretsBundle({
    ...mixed,
    generateKey: (kind) => parseTalosKey(BUNDLE.certs[kind === "ed25519" ? "os" : "k8s"].key),
  });
  for (const token of [trustdToken, secrets.bootstrapToken]) expect(token).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
});

describe("a bundle that would make no cluster is refused, and no secret is shown", () => {
  const swap = (from: string, to: string) => TEXT.replace(encodePem(from), encodePem(to));
  const { etcd, k8s, os } = BUNDLE.certs;
  test.each([
    ["a key of another CA", swap(etcd.key, k8s.key), "certs.etcd.key: is not the key of the certificate beside it"],
    [
      "a certificate cut short",
      TEXT.replace(encodePem(k8s.crt), encodePem(k8s.crt).slice(0, 200)),
      "certs.k8s.crt: must be base64 of a PEM certificate",
    ],
    [
      "an OS CA of another kind",
      swap(os.crt, k8s.crt).replace(encodePem(os.key), encodePem(k8s.key)),
      "certs.os.key: must be an Ed25519 key",
    ],
    ["a key it does not know", `${TEXT}extra: 1\n`, "extra: no such field"],
    [
      "no token",
      TEXT.replace(/token: .*\n {4}secretbox/, "token:\n    secretbox"),
      "secrets.bootstraptoken: must be given",
    ],
    ["a short secret", TEXT.replace(BUNDLE.cluster.secret, "c2hvcnQ="), "cluster.secret: must be base64 of 32 bytes"],
    [
      "the old encryption",
      TEXT.replace("secretboxencryptionsecret", "aescbcencryptionsecret"),
      "secrets.aescbcencryptionsecret: is not possible",
    ],
    ["two documents", `${TEXT}---\n${TEXT}`, ": a second document; keep one"],
    ["nothing", "", ": must be a map"],
  ])("%s", (_name, text, wanted) => {
    const told = faults(text).join("\n");
    expect(told).toContain(wanted);
    for (const secret of [BUNDLE.trustdToken, "c2hvcnQ=", encodePem(k8s.key).slice(40, 80)])
      expect(told).not.toContain(secret);
  });
});
