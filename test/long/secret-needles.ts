// What to look for when looking for a cluster's secrets: each key and token of its bundle as bytes, as base64 at any offset,
// and as hex. Pure. Used by secrets-leak.ts.
import { createPrivateKey } from "node:crypto";
import type { SecretsBundle } from "../../server/contract/machine-config/secrets-bundle.ts";
import { parseTalosKey } from "../../server/contract/pki/talos-key.ts";

export type Needle = { name: string; bytes: Buffer };

/** All forms of one secret. Base64 is cut to what does not depend on the bytes before and after it. */
function formsOf(name: string, secret: Buffer): Needle[] {
  const base64 = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), secret]).toString("base64");
    // The first and the last group may mix with neighbours.
    const from = offset === 0 ? 0 : 4;
    return text.slice(from, text.length - (text.length % 4) - 4);
  });
  const hex = secret.toString("hex");
  return [
    { name: `${name} (bytes)`, bytes: secret },
    ...base64.map((text, i) => ({ name: `${name} (base64, offset ${i})`, bytes: Buffer.from(text) })),
    { name: `${name} (hex)`, bytes: Buffer.from(hex) },
    { name: `${name} (HEX)`, bytes: Buffer.from(hex.toUpperCase()) },
  ].filter(({ bytes }) => bytes.length >= 12);
}

/** The number that makes the key, not the public half beside it in the same file. */
function privatePart(pem: string): Buffer {
  const key = parseTalosKey(pem);
  const jwk = createPrivateKey(key.export({ format: "pem", type: "pkcs8" })).export({ format: "jwk" });
  return Buffer.from(jwk.d!, "base64url");
}

/** Everything in a bundle that nobody else may know. Of a bootstrap token the part behind the point: the other is a name. */
export function needlesOf({ cluster, secrets, trustdToken, certs }: SecretsBundle): Needle[] {
  const behindPoint = (token: string) => Buffer.from(token.slice(token.indexOf(".") + 1));
  const keys = Object.entries(certs).flatMap(([name, pair]) => {
    const part = privatePart(pair.key);
    // PEM's own base64 is broken into lines: its first lines are whole.
    const line = pair.key.split("\n")[2] ?? "";
    return [
      ...formsOf(`key of ${name}`, part),
      ...(line.length >= 40 ? formsOf(`PEM of ${name}`, Buffer.from(line)) : []),
    ];
  });
  return [
    ...keys,
    ...formsOf("bootstrap token", behindPoint(secrets.bootstrapToken)),
    ...formsOf("trustd token", behindPoint(trustdToken)),
    ...formsOf("secretbox secret", Buffer.from(secrets.secretboxEncryptionSecret, "base64")),
    ...formsOf("cluster secret", Buffer.from(cluster.secret, "base64")),
  ];
}

/** Which of them a text or file holds. */
export const findNeedles = (haystack: Buffer, needles: readonly Needle[]): string[] =>
  needles.filter(({ bytes }) => haystack.includes(bytes)).map(({ name }) => name);
