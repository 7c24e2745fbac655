// Certificates and keys in a machine config: base64 of PEM, read as PEM. Only what this project can issue with passes.
// The table of fields uses them. Source: talos reference §4.3 (PEM encoding note), §1.1. Pure.
import { parseCertificatePem } from "../pki/certificate.ts";
import { parseTalosKey } from "../pki/talos-key.ts";
import { done, type Field, kept, object, type Parsed, type Scalar } from "./shape.ts";

/** base64 → text, undefined when it is none. Line breaks inside are allowed, as in a folded YAML text. */
function decodeBase64(source: string): string | undefined {
  const plain = source.replace(/\s/g, "");
  if (plain === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(plain) || plain.length % 4 !== 0) return undefined;
  return Buffer.from(plain, "base64").toString("latin1");
}

const pem = (expected: string, isGood: (text: string) => unknown): Scalar<string> => ({
  kind: "scalar",
  words: expected,
  isSecret: true,
  parse: (raw): Parsed<string> => {
    const text = typeof raw.value === "string" ? decodeBase64(raw.value) : undefined;
    try {
      if (text !== undefined) {
        isGood(text);
        return { kind: "value", value: text };
      }
    } catch {
      // Told in the words of what was expected: a key's text must not get into a fault.
    }
    return { kind: "fault", expected };
  },
});

/** Read as PEM text. */
export const certificate = pem("base64 of a PEM certificate (Ed25519 or P-256, at most 16 kB)", parseCertificatePem);
export const privateKey = pem("base64 of a PEM private key (Ed25519, P-256 or RSA)", parseTalosKey);

const pair = object({
  crt: done(certificate, "certificate"),
  key: done(privateKey, "private key; workers have none"),
});
export type CertificatePair = { crt?: string; key?: string };

export const caPair = (doc: string): Field<typeof pair> => done(pair, doc);
export const keptCaPair = (doc: string): Field<typeof pair> => kept(pair, doc);
