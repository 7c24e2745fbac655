// Private keys as Talos writes them, and the RSA key for service accounts. The secrets bundle and the machine config carry
// keys in this form (talos reference §1.1): labels RSA (PKCS#1), EC (SEC1) and ED25519 (a label of its own over PKCS#8). Pure.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { SlipwayError } from "../errors.ts";
import { generateKey } from "./key.ts";

/** `rsa4096` signs service account tokens only: no certificate is issued for it. */
export type TalosKeyKind = "ed25519" | "p256" | "rsa4096";

/** Makes a private key. RSA takes seconds. */
export function generateTalosKey(kind: TalosKeyKind): KeyObject {
  return kind === "rsa4096" ? generateKeyPairSync("rsa", { modulusLength: 4096 }).privateKey : generateKey(kind);
}

/** node:crypto does not know the label that Talos uses; the bytes below it are PKCS#8. */
const ED25519_LABEL = /(-----(?:BEGIN|END) )ED25519 (PRIVATE KEY-----)/g;

/** PEM with Talos's label. It is a secret. */
export function formatTalosKey(key: KeyObject): string {
  const type = key.asymmetricKeyType;
  if (type === "rsa") return key.export({ type: "pkcs1", format: "pem" }) as string;
  if (type === "ec") return key.export({ type: "sec1", format: "pem" }) as string;
  const pem = key.export({ type: "pkcs8", format: "pem" }) as string;
  return pem.replace(/(-----(?:BEGIN|END) )(PRIVATE KEY-----)/g, "$1ED25519 $2");
}

/** The kinds that a cluster may hold. RSA from 2048 bits on: older bundles have ECDSA or smaller RSA for service accounts. */
function kindOf(key: KeyObject): "ed25519" | "p256" | "rsa" | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "ed25519") return "ed25519";
  if (type === "ec" && details?.namedCurve === "prime256v1") return "p256";
  return type === "rsa" && (details?.modulusLength ?? 0) >= 2048 ? "rsa" : undefined;
}

/** Reads one PEM block of any of the labels. @throws BAD_REQUEST that says nothing about the text. */
export function parseTalosKey(pem: string): KeyObject {
  const blocks = pem.match(/-----BEGIN /g)?.length ?? 0;
  try {
    const key = createPrivateKey(pem.replace(ED25519_LABEL, "$1$2"));
    if (blocks === 1 && kindOf(key) !== undefined) return key;
  } catch {
    // Told below, without the cause: OpenSSL's words may quote the key.
  }
  throw new SlipwayError(
    "BAD_REQUEST",
    "private key: no single PEM block of an Ed25519, P-256 or RSA (2048 bits or more) key",
  );
}
