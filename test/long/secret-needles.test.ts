import { generateKeyPairSync, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { generateSecretsBundle } from "../../server/contract/machine-config/secrets-bundle.ts";
import { generateTalosKey } from "../../server/contract/pki/talos-key.ts";
import { findNeedles, needlesOf } from "./secret-needles.ts";

// The service account's RSA key of 4096 bits takes seconds; 2048 are enough to be found.
const generateKey = (kind: Parameters<typeof generateTalosKey>[0]) =>
  kind === "rsa4096" ? generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey : generateTalosKey(kind);
const bundle = generateSecretsBundle({ randomBytes, generateKey, now: new Date() });
const needles = needlesOf(bundle);

const HAYSTACKS = [
  { name: "a token in a log", text: `joins with ${bundle.secrets.bootstrapToken}`, finds: "bootstrap token (bytes)" },
  { name: "a CA's key as PEM", text: bundle.certs.etcd.key, finds: "PEM of etcd (bytes)" },
  {
    name: "a key as base64 of PEM",
    text: Buffer.from(bundle.certs.k8s.key).toString("base64"),
    finds: "PEM of k8s (base64",
  },
  {
    name: "a secret as base64 in YAML",
    text: `secret: ${bundle.cluster.secret}\n`,
    finds: "cluster secret (base64, offset 0)",
  },
  {
    name: "a secret in hex",
    text: Buffer.from(bundle.secrets.secretboxEncryptionSecret, "base64").toString("hex"),
    finds: "secretbox secret (hex)",
  },
];
for (const { name, text, finds } of HAYSTACKS) {
  test(`findNeedles finds ${name}`, () => {
    const found = findNeedles(Buffer.from(`before ${text} after`), needles);
    expect(found.some((one) => one.startsWith(finds))).toBe(true);
  });
}

test("findNeedles finds nothing in certificates and names", () => {
  const text = Object.values(bundle.certs).map((pair) => ("crt" in pair ? pair.crt : ""));
  expect(findNeedles(Buffer.from(`${text.join("\n")} ${bundle.cluster.id} bootstrap-token-abcdef`), needles)).toEqual(
    [],
  );
});
